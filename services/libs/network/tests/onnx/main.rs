//! Importing ONNX files: what is taken, what is refused and how it is called.

mod batches;
mod content;
mod features;
mod files;
mod inputs;
#[cfg(test)]
mod mutations;
mod outputs;
#[cfg(test)]
mod samples;
mod weights;
