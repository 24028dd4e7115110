//! A network in two halves on the engine.

use std::num::NonZeroUsize;

use bytes::Bytes;
use gifthorse_defence::input::{Layout as PlaneLayout, PlaneShape};
use gifthorse_engine::{Engine, Execution, InferRequest, Model, ModelOptions, NamedTensor, Tensor};
use gifthorse_network::surgery::{PruningSite, SiteSplit, split_at_site};
use gifthorse_network::{Layout, NetworkDescription};

use super::carried::Carried;
use super::error::SweepError;

/// How the halves are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunOptions {
    /// Images that go into one run. Networks whose file takes one image at a time get one.
    pub batch_rows: NonZeroUsize,
    /// What to run on.
    pub execution: Execution,
}

impl Default for RunOptions {
    /// 128 images on the processor.
    fn default() -> Self {
        const ROWS: NonZeroUsize = NonZeroUsize::new(128).unwrap();
        Self { batch_rows: ROWS, execution: Execution::Cpu }
    }
}

/// A tensor that crosses the cut.
#[derive(Debug)]
struct Wire {
    tensor: String,
    /// Axes after the batch.
    shape: Vec<u64>,
    /// Numbers an image has.
    length: usize,
    /// Whether it is the image itself, which no half makes.
    is_image: bool,
}

/// A network cut at the activation whose channels are pruned, both halves loaded.
#[derive(Debug)]
pub struct CutNetwork {
    name: String,
    site: PruningSite,
    prefix: Model,
    suffix: Model,
    input: String,
    image: [usize; 3],
    classes: usize,
    /// The activation first.
    wires: Vec<Wire>,
    batch_rows: NonZeroUsize,
}

impl CutNetwork {
    /// Cuts the network at this site and loads both halves. Blocks, and panics inside an async runtime.
    pub fn load(
        engine: &Engine,
        name: &str,
        onnx: &[u8],
        description: &NetworkDescription,
        site: &PruningSite,
        options: RunOptions,
    ) -> Result<Self, SweepError> {
        let SiteSplit { prefix, suffix, site, input, activation, crossing, .. } =
            split_at_site(onnx, description, site)?;
        let batch_rows = if description.dynamic_batch { options.batch_rows } else { NonZeroUsize::MIN };
        let load = |part: &str, file: Vec<u8>| {
            let options = ModelOptions {
                max_batch_rows: batch_rows,
                queue_rows: batch_rows,
                execution: options.execution,
                ..ModelOptions::new(format!("{name} {part}"))
            };
            engine.load_blocking(Bytes::from(file), options)
        };
        let wire = |tensor: String, shape: Vec<u64>| Wire {
            length: shape.iter().product::<u64>() as usize,
            is_image: tensor == input,
            tensor,
            shape,
        };
        let mut wires = vec![wire(activation, vec![site.cut.channels, site.cut.height, site.cut.width])];
        wires.extend(crossing.into_iter().map(|crossing| wire(crossing.tensor, crossing.shape)));
        let NetworkDescription { height, width, channels, .. } = *description;
        let image = match description.layout {
            Layout::Nhwc => [height, width, channels],
            Layout::Nchw => [channels, height, width],
        };
        Ok(Self {
            name: name.to_owned(),
            prefix: load("prefix", prefix)?,
            suffix: load("suffix", suffix)?,
            input,
            image: image.map(|side| side as usize),
            classes: description.classes as usize,
            wires,
            batch_rows,
            site,
        })
    }

    /// Where it is cut.
    pub const fn site(&self) -> &PruningSite {
        &self.site
    }

    /// Channels of the activation.
    pub const fn channels(&self) -> usize {
        self.site.cut.channels as usize
    }

    /// Places of the activation, height times width.
    pub(super) const fn area(&self) -> usize {
        (self.site.cut.height * self.site.cut.width) as usize
    }

    /// The shape of the activation of one image, channels first.
    pub const fn activation_shape(&self) -> PlaneShape {
        PlaneShape {
            layout: PlaneLayout::ChannelsFirst,
            channels: self.site.cut.channels as usize,
            height: self.site.cut.height as usize,
            width: self.site.cut.width as usize,
        }
    }

    /// Classes, M.
    pub const fn classes(&self) -> usize {
        self.classes
    }

    /// Images that go into one run.
    pub const fn batch_rows(&self) -> NonZeroUsize {
        self.batch_rows
    }

    /// Bytes that the crossing tensors of one image take.
    pub fn bytes_an_image(&self) -> u64 {
        self.wires.iter().map(|wire| (wire.length * size_of::<f32>()) as u64).sum()
    }

    /// What crosses the cut for prepared images `[N, ...]`, row-major.
    pub fn carried(&self, images: Vec<f32>) -> Result<Carried, SweepError> {
        let pixels: usize = self.image.iter().product();
        let rows = images.len().checked_div(pixels).unwrap_or_default();
        if rows == 0 || rows * pixels != images.len() {
            let found = images.len().checked_div(rows.max(1)).unwrap_or_default();
            return Err(SweepError::Images { expected: self.image, found });
        }
        let shape = [rows as u64].into_iter().chain(self.image.map(|side| side as u64)).collect();
        let image = Tensor::from_f32(shape, images);
        let request = InferRequest {
            inputs: vec![NamedTensor { name: self.input.clone(), tensor: image.clone() }],
            outputs: self.made().map(|wire| wire.tensor.clone()).collect(),
            deadline: None,
        };
        let mut answers = self.prefix.infer_blocking(request)?.into_iter();
        let tensors = self.wires.iter().map(|wire| {
            let tensor =
                if wire.is_image { Some(image.clone()) } else { answers.next().map(|made| made.tensor) };
            let numbers = tensor.map(|tensor| tensor.to_f32().map(std::borrow::Cow::into_owned));
            let numbers = numbers.transpose()?.unwrap_or_default();
            self.check("the first half", rows * wire.length, numbers.len())?;
            Ok::<_, SweepError>(numbers)
        });
        Ok(Carried::new(rows, tensors.collect::<Result<_, _>>()?))
    }

    /// The class that follows for each image: the one with the highest logit, the first of equals.
    pub fn answers(&self, carried: Carried) -> Result<Vec<u32>, SweepError> {
        let rows = carried.rows();
        if rows == 0 {
            return Ok(Vec::new());
        }
        let inputs = self.wires.iter().zip(carried.into_tensors()).map(|(wire, values)| {
            let shape = [rows as u64].into_iter().chain(wire.shape.iter().copied()).collect();
            NamedTensor { name: wire.tensor.clone(), tensor: Tensor::from_f32(shape, values) }
        });
        let mut answers = self.suffix.infer_blocking(InferRequest::new(inputs.collect()))?;
        let logits = answers.pop().map(|logits| logits.tensor);
        let logits = logits.as_ref().map(Tensor::to_f32).transpose()?.unwrap_or_default();
        self.check("the second half", rows * self.classes, logits.len())?;
        classes_of(&self.name, &logits, self.classes)
    }

    fn made(&self) -> impl Iterator<Item = &Wire> {
        self.wires.iter().filter(|wire| !wire.is_image)
    }

    fn check(&self, part: &'static str, expected: usize, found: usize) -> Result<(), SweepError> {
        if expected == found {
            Ok(())
        } else {
            Err(SweepError::Answer { network: self.name.clone(), part, expected, found })
        }
    }
}

/// The class of each row of logits: the one with the highest, the first of equals.
pub(super) fn classes_of(network: &str, logits: &[f32], classes: usize) -> Result<Vec<u32>, SweepError> {
    let rows = logits.chunks_exact(classes).enumerate();
    rows.map(|(row, logits)| {
        // To the end in any case: a loop without a way out is done several numbers at a time.
        let sound = logits.iter().fold(true, |sound, logit| sound & logit.is_finite());
        if sound {
            Ok(highest(logits))
        } else {
            Err(SweepError::NotFinite { network: network.to_owned(), row })
        }
    })
    .collect()
}

/// The place of the highest of finite numbers, the first of equals.
fn highest(logits: &[f32]) -> u32 {
    // Several running maxima side by side need not wait for each other, nor for the place.
    const LANES: usize = 16;
    let (chunks, rest) = logits.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (lane, logit) in lanes.iter_mut().zip(chunk) {
            *lane = if *logit > *lane { *logit } else { *lane };
        }
    }
    let highest = lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max);
    logits.iter().position(|logit| *logit >= highest).unwrap_or_default() as u32
}

#[cfg(test)]
mod tests {
    use super::highest;

    #[test]
    fn the_first_of_the_highest_is_the_answer() {
        assert_eq!(highest(&[0.0, 3.0, 3.0, -1.0]), 1);
        for length in [1, 15, 16, 17, 100, 1283] {
            for place in [0, length / 2, length - 1] {
                let mut logits = vec![-4.0_f32; length];
                logits[place] = -3.5;
                logits[length - 1] = -3.5;
                assert_eq!(highest(&logits), place as u32, "{length} {place}");
            }
        }
    }
}
