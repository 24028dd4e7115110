//! The fields of every message of the format, as a table: generated from the format's description, so that
//! it cannot disagree with the messages.

#![allow(clippy::pedantic, reason = "generated code")]

include!(concat!(env!("OUT_DIR"), "/onnx_fields.rs"));

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// An integer, or many.
    Varint,
    /// A 32-bit number, or many.
    Fixed32,
    /// A 64-bit number, or many.
    Fixed64,
    /// A text that is looked up or compared.
    Name,
    /// A text for people.
    Text,
    /// Bytes.
    Bytes,
    /// A message.
    Message(Message),
}
