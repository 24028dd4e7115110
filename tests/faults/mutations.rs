//! Thousands of damaged files through the real readers, as processes of their own: each is read, or refused
//! by name; none hangs, and none is taken for a fault of ours.

use gifthorse_api::catalogue::{Coded as _, ErrorCode};
use gifthorse_tests::program::runtime_library;
use serde_json::{Value, json};

use crate::damage::damaged;
use crate::patience::soon;
use crate::readers::Readers;
use crate::vigil::Vigil;
use crate::{networks, samples, uploads};

/// What may be wrong with a model file.
const MODEL_FAULTS: [ErrorCode; 7] = [
    ErrorCode::ModelFileInvalid,
    ErrorCode::ModelFileUnsupported,
    ErrorCode::ModelFileRefused,
    ErrorCode::ModelNotFinite,
    ErrorCode::NotAClassifier,
    ErrorCode::TooLarge,
    ErrorCode::ForeignFileKilled,
];

/// What may be wrong with a data set: the file, or a picture in it.
const DATASET_FAULTS: [ErrorCode; 7] = [
    ErrorCode::DatasetInvalid,
    ErrorCode::TooLarge,
    ErrorCode::ForeignFileKilled,
    ErrorCode::ImageInvalid,
    ErrorCode::ImageFormat,
    ErrorCode::ImageSize,
    ErrorCode::ImageTooLarge,
];

/// How many of the HDF5 files may have to be ended by force: libhdf5 1.10 goes round for ever over a damaged
/// global heap (an object of size zero), which nobody outside its process can help. Our own code never does.
const ENDLESS_IN_LIBHDF5: usize = 5;

fn network_readers() -> Readers {
    let library = runtime_library().expect("`make runtime` has fetched the inference engine");
    let library = library.canonicalize().expect("the library is there");
    let request = json!({"architecture": null, "layout": null, "input_size": null, "library": library});
    Readers::of("gifthorse-serving", "read-network", request)
}

fn dataset_readers() -> Readers {
    Readers::of("gifthorse-detector", "read-dataset", json!({"arrays": {"value_range": "levels"}}))
}

async fn read(readers: &Readers, file: &[u8]) -> Value {
    match readers.read(file).await {
        Ok(answer) => answer,
        Err(error) => panic!("the sound file is refused: {} {error}", error.code()),
    }
}

#[tokio::test]
async fn keras_networks() {
    let (readers, file) = (network_readers(), networks::keras());
    assert_eq!(read(&readers, &file).await["description"]["classes"], 3);
    readers.assert_handled(damaged(&file, 1200), &MODEL_FAULTS, ENDLESS_IN_LIBHDF5).await;
}

#[tokio::test]
async fn onnx_networks() {
    let (readers, file) = (network_readers(), networks::onnx());
    assert_eq!(read(&readers, &file).await["description"]["classes"], 5);
    readers.assert_handled(damaged(&file, 1200), &MODEL_FAULTS, 0).await;
}

#[tokio::test]
async fn data_sets() {
    let readers = dataset_readers();
    for (file, endless) in
        [(samples::hdf5(), ENDLESS_IN_LIBHDF5), (samples::npz(), 0), (samples::image_folder(), 0)]
    {
        assert_eq!(read(&readers, &file).await["summary"]["count"], 6);
        readers.assert_handled(damaged(&file, 150), &DATASET_FAULTS, endless).await;
    }
}

#[tokio::test]
async fn through_the_front_door() {
    let mut vigil = Vigil::start().await;
    let files = [damaged(&networks::keras(), 20), damaged(&networks::onnx(), 20)];
    for (damages, file) in files.into_iter().flatten() {
        let answer = soon("an import", uploads::import(&vigil.gateway, "damaged", file)).await;
        if let Err(refused) = answer {
            let code = gifthorse_api::status::code_of(&refused);
            // A file cut to nothing has no content to judge: the stream itself is refused.
            let expected =
                code.is_some_and(|code| MODEL_FAULTS.contains(&code) || code == ErrorCode::InvalidField);
            assert!(expected, "{damages:?}: {refused:?}");
        }
    }
    vigil.assert_clean().await;
    vigil.assert_unharmed().await;
}
