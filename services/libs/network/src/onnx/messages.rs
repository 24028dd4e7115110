//! The messages of an ONNX file, generated from `proto/onnx/onnx.proto`; nothing here is checked.

#![allow(missing_docs, clippy::pedantic, reason = "generated code")]

include!(concat!(env!("OUT_DIR"), "/onnx.rs"));
