//! What the tests and the benchmark with the real ONNX Runtime share.

#![allow(dead_code, reason = "each program uses its part")]
#![allow(clippy::print_stderr, reason = "what is skipped must be seen")]

use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use gifthorse_engine::{
    Engine, EngineError, EngineOptions, InferRequest, Model, ModelOptions, NamedTensor, Tensor,
};
use gifthorse_network::surgery::{PruningSite, expose_logits, prune_channels};
use gifthorse_network::{Imported, Layout};
use gifthorse_worker::pruning::{CutNetwork, ImageSource, RunOptions, SweepError};

/// The engine, or none after saying loudly that the test is skipped.
pub(crate) fn engine() -> Option<Engine> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let named = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()).map(PathBuf::from);
    let made = || {
        let entries = std::fs::read_dir(root.join(".runtime")).ok()?;
        let mut paths = entries.flatten().map(|entry| entry.path());
        paths.find(|path| path.to_string_lossy().contains("libonnxruntime.so"))
    };
    let Some(library) = named.or_else(made) else {
        eprintln!("SKIPPED: needs ONNX Runtime: run `make runtime` or set ORT_DYLIB_PATH");
        return None;
    };
    match Engine::start(&EngineOptions { library: Some(library), threads: None }) {
        Ok(engine) => Some(engine),
        Err(EngineError::LibraryMissing { path }) => {
            eprintln!("SKIPPED: there is no ONNX Runtime at {}", path.display());
            None
        }
        Err(error) => panic!("the library that is there must start: {error}"),
    }
}

/// A file of the real data, or none after saying loudly that the test is skipped.
pub(crate) fn test_data(relative: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder =
        std::env::var_os("GIFTHORSE_TEST_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let path = folder.join(relative);
    if path.exists() {
        return Some(path);
    }
    assert!(
        std::env::var_os("GIFTHORSE_REQUIRE_ALL").is_none(),
        "this test needs the test data, and there is none at {}",
        path.display()
    );
    eprintln!("SKIPPED: needs the test data at {}: set GIFTHORSE_TEST_DATA", path.display());
    None
}

/// The axes of a network's images.
pub(crate) fn image_axes(network: &Imported) -> [usize; 3] {
    let description = &network.description;
    let axes = match description.layout {
        Layout::Nhwc => [description.height, description.width, description.channels],
        Layout::Nchw => [description.channels, description.height, description.width],
    };
    axes.map(|axis| axis as usize)
}

/// Images out of thin air: the same for the same row, whatever the range.
#[derive(Debug, Clone)]
pub(crate) struct MadeUp {
    pub(crate) count: usize,
    pub(crate) pixels: usize,
    pub(crate) scale: f32,
}

impl MadeUp {
    pub(crate) fn of(network: &Imported, count: usize) -> Self {
        Self { count, pixels: image_axes(network).iter().product(), scale: 1.0 }
    }

    /// -2 to 2: patches that differ from image to image, and some noise.
    fn pixel(row: usize, pixel: usize) -> f32 {
        const PATCH: usize = 24;
        let patch = Self::drawn(row, pixel / PATCH);
        let noise = Self::drawn(row + 1_000_000_007, pixel);
        4.0 * (0.8 * patch + 0.2 * noise) - 2.0
    }

    /// 0 to 1.
    fn drawn(row: usize, place: usize) -> f32 {
        let mixed = (row as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
            ^ (place as u64).wrapping_mul(0xD1B5_4A32_D192_ED03);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed >> 40) as f32 / (1 << 24) as f32
    }
}

impl ImageSource for MadeUp {
    fn count(&self) -> usize {
        self.count
    }

    fn read(&self, rows: Range<usize>) -> Result<Vec<f32>, SweepError> {
        let images = rows.flat_map(|row| (0..self.pixels).map(move |pixel| Self::pixel(row, pixel)));
        Ok(images.map(|pixel| pixel * self.scale).collect())
    }
}

/// A whole network that answers logits.
pub(crate) struct Whole {
    model: Model,
    input: String,
    axes: [usize; 3],
    classes: usize,
}

impl Whole {
    /// The network with these channels pruned in its file.
    pub(crate) fn pruned(
        engine: &Engine,
        network: &Imported,
        site: &PruningSite,
        channels: &[usize],
    ) -> Self {
        let pruned = prune_channels(&network.onnx, &network.description, site, channels).unwrap();
        Self::load(engine, network, &pruned.onnx)
    }

    /// A file that has the network's description.
    pub(crate) fn load(engine: &Engine, network: &Imported, onnx: &[u8]) -> Self {
        let logits = expose_logits(onnx, &network.description).unwrap();
        let rows = RunOptions::default().batch_rows;
        let options = ModelOptions { max_batch_rows: rows, queue_rows: rows, ..ModelOptions::new("whole") };
        let model = engine.load_blocking(Bytes::from(logits), options).unwrap();
        let classes = network.description.classes as usize;
        Self { model, input: network.description.input.clone(), axes: image_axes(network), classes }
    }

    /// The logits `[N, M]`, row-major.
    pub(crate) fn logits(&self, images: Vec<f32>) -> Vec<f32> {
        let rows = images.len() / self.axes.iter().product::<usize>();
        let shape = [rows].into_iter().chain(self.axes).map(|axis| axis as u64).collect();
        let tensor = Tensor::from_f32(shape, images);
        let request = InferRequest::new(vec![NamedTensor { name: self.input.clone(), tensor }]);
        let answers = self.model.infer_blocking(request).unwrap();
        answers[0].tensor.to_f32().unwrap().into_owned()
    }

    /// The classes, the first of equals, in batches of the default size.
    pub(crate) fn answers(&self, images: &dyn ImageSource) -> Vec<u32> {
        let mut answers = Vec::new();
        let step = RunOptions::default().batch_rows.get();
        for start in (0..images.count()).step_by(step) {
            let rows = images.read(start..images.count().min(start + step)).unwrap();
            answers.extend(self.logits(rows).chunks_exact(self.classes).map(first_of_highest));
        }
        answers
    }
}

pub(crate) fn first_of_highest(logits: &[f32]) -> u32 {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    logits.iter().position(|logit| *logit >= highest).unwrap() as u32
}

/// The network in two halves.
pub(crate) fn cut(engine: &Engine, network: &Imported, site: &PruningSite, batch_rows: usize) -> CutNetwork {
    let batch_rows = batch_rows.try_into().unwrap();
    let options = RunOptions { batch_rows, ..RunOptions::default() };
    CutNetwork::load(engine, "test", &network.onnx, &network.description, site, options).unwrap()
}
