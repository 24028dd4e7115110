//! The Open Inference Protocol through serving and through the gateway, and what every service tells of itself.

mod contract;
mod describing;
mod inference;
mod loading;
