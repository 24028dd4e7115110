//! Model files that are refused, each for a reason of its own.

use bytes::Bytes;
use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1::import_model_request::Content;
use gifthorse_api::v1::models_client::ModelsClient;
use gifthorse_network::onnx::messages::StringStringEntryProto;
use gifthorse_network::onnx::messages::tensor_proto::DataLocation;
use gifthorse_tests::test_data;

use crate::networks;
use crate::refusal::assert_refused;
use crate::uploads::{self, chunk, import, messages};
use crate::vigil::{SOUND, Vigil};

fn outside(location: &str) -> Vec<u8> {
    networks::onnx_with(|tensor| {
        tensor.raw_data.clear();
        tensor.data_location = DataLocation::External.into();
        let entry = StringStringEntryProto { key: "location".to_owned(), value: location.to_owned() };
        tensor.external_data.push(entry);
    })
}

fn with_number(number: f32) -> Vec<u8> {
    networks::onnx_with(|tensor| {
        let mut data = tensor.raw_data.to_vec();
        data[8..12].copy_from_slice(&number.to_le_bytes());
        tensor.raw_data = data.into();
    })
}

/// A file as Keras 3 writes `.keras`.
fn keras_archive() -> Vec<u8> {
    use std::io::Write as _;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in ["metadata.json", "config.json"] {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(b"{}").unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[tokio::test]
async fn each_fault_is_named_and_nothing_is_left_behind() {
    use ErrorCode::{InvalidField, ModelFileInvalid, ModelFileRefused, ModelFileUnsupported, ModelNotFinite};
    let mut vigil = Vigil::start().await;
    let (keras, onnx) = (networks::keras(), networks::onnx());
    let whole = onnx.len();
    for (what, file, code, part) in [
        ("a Lambda layer", networks::keras_with_lambda(), ModelFileRefused, "Lambda"),
        ("data outside the folder", outside("../../secret.bin"), ModelFileRefused, "../../secret.bin"),
        ("data outside the file", outside("weights.bin"), ModelFileRefused, "weights.bin"),
        ("NaN in a Keras file", networks::keras_with_nan(), ModelNotFinite, "NaN"),
        ("NaN in an ONNX file", with_number(f32::NAN), ModelNotFinite, "NaN"),
        ("infinity in an ONNX file", with_number(f32::NEG_INFINITY), ModelNotFinite, "-inf"),
        ("no bytes", Vec::new(), InvalidField, "empty"),
        ("a .keras archive", keras_archive(), ModelFileUnsupported, "ZIP"),
        ("half of a Keras file", keras[..keras.len() / 2].to_vec(), ModelFileInvalid, "damaged"),
        ("an HDF5 signature alone", keras[..8].to_vec(), ModelFileInvalid, "damaged"),
        ("an ONNX file without its end", onnx[..whole - 40].to_vec(), ModelFileInvalid, "damaged"),
        ("text", b"import tensorflow as tf\n".repeat(20), ModelFileInvalid, "damaged"),
    ] {
        assert_refused(what, import(&vigil.gateway, "refused", file).await, code, part);
    }
    assert_eq!(vigil.models().await, [format!("models/{SOUND}")]);
    vigil.assert_clean().await;
    vigil.assert_unharmed().await;
    // The name is not burnt: what was refused left no version behind.
    let sound = import(&vigil.gateway, "refused", keras).await.unwrap().into_inner();
    assert_eq!(sound.name, "models/refused/versions/1");
}

#[tokio::test]
async fn the_autoencoder_is_no_classifier() {
    let Some(data) = test_data::folder("the autoencoder") else { return };
    let mut vigil = Vigil::start().await;
    let file = std::fs::read(data.join("csaw/repaired/zuquan-song__autoencoder.h5")).unwrap();
    let answer = import(&vigil.gateway, "autoencoder", file).await;
    assert_refused("an autoencoder", answer, ErrorCode::NotAClassifier, "not an image classifier");
    vigil.assert_unharmed().await;
}

#[tokio::test]
async fn streams_that_break_the_contract_are_refused() {
    let mut vigil = Vigil::start_with(&[("serving", "import.file_bytes", "100KiB")]).await;
    let onnx = networks::onnx();
    let with_digest = |digest: &str| {
        let mut stream = messages("refused", onnx.clone());
        if let Some(Content::Specification(specification)) = &mut stream[0].content {
            specification.expected_sha256 = digest.to_owned();
        }
        stream
    };
    let start = || uploads::specification("refused");
    for (what, stream, code, part) in [
        ("nothing", Vec::new(), ErrorCode::InvalidField, "specification"),
        ("a chunk first", vec![chunk(onnx.clone())], ErrorCode::InvalidField, "specification"),
        ("two specifications", vec![start(), start()], ErrorCode::InvalidField, "twice"),
        ("an endless chunk", vec![start(), chunk(vec![0; (1 << 20) + 1])], ErrorCode::TooLarge, "chunk"),
        (
            "too large a file",
            messages("refused", vec![8; 101 << 10]),
            ErrorCode::TooLarge,
            "import.file_bytes",
        ),
        ("another file than announced", with_digest(&"0".repeat(64)), ErrorCode::DigestMismatch, "announced"),
    ] {
        let answer =
            ModelsClient::new(vigil.gateway.clone()).import_model(futures::stream::iter(stream)).await;
        assert_refused(what, answer, code, part);
    }
    vigil.assert_clean().await;
    vigil.assert_unharmed().await;
}

#[tokio::test]
async fn a_file_that_costs_too_much_memory_is_given_up() {
    // Enough for the small network and its engine, not for one whose weights alone are 36 MB, read, checked,
    // written again and loaded.
    let mut vigil = Vigil::start_with(&[("serving", "import.limits.memory_bytes", "300000000")]).await;
    let answer = import(&vigil.gateway, "heavy", Bytes::from(networks::heavy_onnx())).await;
    assert_refused("a heavy file", answer, ErrorCode::ForeignFileKilled, "memory");
    vigil.assert_clean().await;
    vigil.assert_unharmed().await;
}
