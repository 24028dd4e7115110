//! Files that are empty, cut off, of another kind, or larger than the limits.

use gifthorse_network::onnx::messages::{
    AttributeProto, GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto,
};
use gifthorse_network::onnx::{Limits, OnnxOptions, decode, import};
use prost::Message as _;

use crate::samples::{assert_fault, classifier};

fn import_bytes(bytes: &[u8]) -> Result<gifthorse_network::Imported, gifthorse_network::NetworkError> {
    import(bytes, &OnnxOptions::default())
}

#[test]
fn an_empty_file_is_called_empty() {
    assert_fault(&import_bytes(b""), "Damaged", &["empty", "0 bytes"]);
}

#[test]
fn every_cut_of_a_file_is_refused() {
    let bytes = classifier().encode_to_vec();
    for length in 0..bytes.len() {
        assert_fault(&import_bytes(&bytes[..length]), "Damaged", &[]);
    }
    assert_fault(&import_bytes(&bytes[..bytes.len() - 30]), "Damaged", &["cut off", "bytes early"]);
}

#[test]
fn files_of_other_kinds_are_named() {
    for (bytes, kind) in [
        (&b"\x89HDF\r\n\x1a\n...."[..], "HDF5"),
        (b"PK\x03\x04....", "ZIP"),
        (b"\x80\x02}q\x00.", "pickle"),
        (b"version https://git-lfs", "Git LFS"),
        (b"<!DOCTYPE html>", "HTML"),
        (b"\x08\x00\x00\x00ORTM....", "ONNX Runtime"),
    ] {
        assert_fault(&import_bytes(bytes), "Damaged", &[kind]);
    }
    assert_fault(&import_bytes(&[0xff; 64]), "Damaged", &[]);
}

#[test]
fn fields_the_format_does_not_have_are_refused_not_dropped() {
    let mut bytes = classifier().encode_to_vec();
    // Field 99, a varint.
    bytes.extend([0x98, 0x06, 0x01]);
    assert_fault(&import_bytes(&bytes), "Damaged", &["ModelProto has no field 99"]);
}

#[test]
fn a_claimed_length_reserves_nothing() {
    // Field 7 (the graph), said to be almost 2^63 bytes long.
    let mut bytes = vec![0x3a];
    bytes.extend([0xff; 8]);
    bytes.push(0x7f);
    assert_fault(&import_bytes(&bytes), "Damaged", &["cut off"]);
}

#[test]
fn each_limit_is_kept() {
    let limited =
        |limits: Limits, bytes: &[u8]| import(bytes, &OnnxOptions { limits, ..OnnxOptions::default() });
    let bytes = classifier().encode_to_vec();
    let base = Limits::default();
    for (limits, what) in [
        (Limits { file_bytes: 10, ..base }, "size of the file"),
        (Limits { nodes: 6, ..base }, "count of nodes"),
        (Limits { parts: 20, ..base }, "messages and texts"),
        (Limits { integers: 5, ..base }, "integers"),
        (Limits { name_bytes: 3, ..base }, "name"),
        (Limits { graph_depth: 0, ..base }, "graphs"),
        (Limits { message_depth: 2, ..base }, "messages"),
    ] {
        assert_fault(&limited(limits, &bytes), "TooLarge", &[what]);
    }
    assert!(limited(Limits { nodes: 7, ..base }, &bytes).is_ok());
}

#[test]
fn deep_graphs_are_stopped_before_the_stack_ends() {
    let mut graph = GraphProto::default();
    for _ in 0..200 {
        let attribute = AttributeProto { g: Some(graph), ..AttributeProto::default() };
        let node = NodeProto { attribute: vec![attribute], ..NodeProto::default() };
        graph = GraphProto { node: vec![node], ..GraphProto::default() };
    }
    let bytes = ModelProto { graph: Some(graph), ..ModelProto::default() }.encode_to_vec();
    assert_fault(&import_bytes(&bytes), "TooLarge", &["depth"]);
}

#[test]
fn many_empty_messages_in_a_small_file_are_too_many() {
    let tensor = TensorProto {
        external_data: vec![StringStringEntryProto::default(); 1_100_000],
        ..TensorProto::default()
    };
    let graph = GraphProto { initializer: vec![tensor], ..GraphProto::default() };
    let bytes = ModelProto { graph: Some(graph), ..ModelProto::default() }.encode_to_vec();
    assert_fault(&import_bytes(&bytes), "TooLarge", &["messages and texts"]);
}

#[test]
fn decoding_and_encoding_keeps_every_byte_of_ours() {
    let bytes = classifier().encode_to_vec();
    assert_eq!(decode(&bytes, &Limits::default()).unwrap().encode_to_vec(), bytes);
}
