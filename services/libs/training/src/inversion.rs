//! The smallest change of images that takes them to a class: what a trigger of the class may look like.
//!
//! Neural Cleanse (Wang et al., S&P 2019): a mask and a pattern are found by gradient descent such that images
//! `(1 - m) x + m p` reach the class while the mask stays small. A class with a backdoor needs a far smaller mask
//! than others.

use ndarray::{Array2, ArrayD, ArrayView2, ArrayViewD};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tch::{Kind, TchError, Tensor};

use gifthorse_network::Layout;

use crate::array;
use crate::error::{At as _, TrainingError};
use crate::graph::Network;
use crate::loss::{self, Targets};
use crate::operators::Pass;
use crate::optimizer::{Memory, Moments, Movement, Optimizer};

/// Share of the last steps in the smoothed attack rate.
const SMOOTHING: f64 = 0.9;
/// The rate that holds the weight of the mask where it is.
const ENOUGH: f64 = 0.95;
/// What the weight of the mask is multiplied by while the attack rate is enough, and divided by while it is not.
const GROWTH: f64 = 1.06;
const DECLINE: f64 = 1.1;
/// The mask counts per ten pixels.
const PIXELS: f64 = 10.0;
/// Mask and pattern begin around these, before their sigmoid.
const MASK_START: f32 = -2.0;
const SPREAD: f32 = 0.5;

/// How a trigger is looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct InversionSettings {
    /// Images in a step.
    pub batch: usize,
    /// The step size of Adam, whose moments are those of Neural Cleanse's own code, 0.5 and 0.9.
    pub learning_rate: f64,
    /// What a mask of ten pixels costs at the beginning, in nats.
    pub mask_weight: f64,
    /// Whether that cost follows the attack rate.
    pub adapts: bool,
    /// The lowest and the highest number of each channel that images have.
    pub range: Vec<(f32, f32)>,
    /// Where all chance comes from.
    pub seed: u64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Inverted {
    /// How much of each pixel is the pattern's, `[H, W]`, 0 to 1.
    pub mask: Array2<f32>,
    /// The pattern, with the axes of an image.
    pub pattern: ArrayD<f32>,
    /// Share of the images that reached the class, smoothed over the last steps.
    pub attack_rate: f64,
    /// Sum of the mask.
    pub size: f64,
}

/// The search for one trigger. A function of network, images, settings and allowed places to the bit; searches are
/// short, so one that was interrupted is begun again.
#[derive(Debug)]
pub struct Inversion {
    settings: InversionSettings,
    class: u32,
    layout: Layout,
    /// Images `[N, ...]`.
    images: Tensor,
    /// Where the mask may be, `[H, W]`.
    allowed: Tensor,
    /// Lowest numbers and widths of the channels, with the axes of a batch.
    range: [Tensor; 2],
    /// Mask and pattern before their sigmoids.
    free: [Tensor; 2],
    memories: [Memory; 2],
    chance: ChaCha8Rng,
    steps: u64,
    mask_weight: f64,
    attack_rate: f64,
}

impl Inversion {
    /// Begins to look for what takes `images` to `class`, where `allowed` is not zero.
    ///
    /// # Errors
    /// [`TrainingError::Shape`] and [`TrainingError::Setting`] where something does not fit the network.
    pub fn new(
        network: &Network,
        images: ArrayViewD<'_, f32>,
        class: u32,
        allowed: ArrayView2<'_, f32>,
        settings: InversionSettings,
    ) -> Result<Self, TrainingError> {
        let description = network.description();
        let [height, width, channels] = [description.height, description.width, description.channels];
        let sizes = [height, width].map(|side| side as usize);
        if allowed.shape() != sizes {
            let (what, found) = ("the map of allowed places", allowed.shape().to_vec());
            return Err(TrainingError::Shape { what, found, expected: format!("{sizes:?}") });
        }
        if settings.range.len() as u64 != channels || settings.batch == 0 {
            let found = format!("{} channels, batches of {}", settings.range.len(), settings.batch);
            let needed = "one range a channel and at least one image a batch";
            return Err(TrainingError::Setting { field: "inversion", found, needed });
        }
        let torch = network.torch();
        let place = "beginning an inversion";
        let nhwc = description.layout == Layout::Nhwc;
        let channel_axes = if nhwc { [1, 1, 1, -1] } else { [1, -1, 1, 1] };
        let mut chance = ChaCha8Rng::seed_from_u64(settings.seed);
        let mut drawn = |shape: &[i64], centre: f32| {
            let count = shape.iter().product::<i64>();
            let values: Vec<f32> = (0..count).map(|_| centre + SPREAD * bell(&mut chance)).collect();
            let tensor = Tensor::f_from_slice(&values)?.f_reshape(shape)?.f_to_kind(torch.0)?;
            tensor.f_to_device(torch.1)?.f_set_requires_grad(true)
        };
        let side = |size: u64| size as i64;
        let axes = if nhwc { [height, width, channels] } else { [channels, height, width] }.map(side);
        let free = [drawn(&[side(height), side(width)], MASK_START), drawn(&axes, 0.0)];
        let [mask, pattern] = free;
        let free = [mask.at(place)?, pattern.at(place)?];
        let of_channels = |value: fn(&(f32, f32)) -> f32| {
            let values: Vec<f32> = settings.range.iter().map(value).collect();
            Tensor::f_from_slice(&values)?.f_reshape(channel_axes)?.f_to_kind(torch.0)?.f_to_device(torch.1)
        };
        let range = [of_channels(|range| range.0), of_channels(|range| range.1 - range.0)];
        let [low, width] = range;
        let optimizer = optimizer();
        let memories = [Memory::new(optimizer, &free[0]), Memory::new(optimizer, &free[1])];
        let [of_mask, of_pattern] = memories;
        Ok(Self {
            class,
            layout: description.layout,
            images: network.images(&images)?,
            allowed: array::to_tensor(&allowed.into_dyn(), torch).at(place)?,
            range: [low.at(place)?, width.at(place)?],
            memories: [of_mask.at(place)?, of_pattern.at(place)?],
            free,
            chance,
            steps: 0,
            mask_weight: settings.mask_weight,
            attack_rate: 0.0,
            settings,
        })
    }

    /// Steps that are done.
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// One step of the search on images that it draws. The network stays as it is.
    ///
    /// # Errors
    /// [`TrainingError::Torch`], and [`TrainingError::Label`] for a class the network has not.
    pub fn step(&mut self, network: &Network) -> Result<(), TrainingError> {
        let place = "a step of an inversion";
        let count = self.images.size().first().copied().unwrap_or_default();
        let rows: Vec<i64> = (0..self.settings.batch)
            .map(|_| ((i128::from(self.chance.next_u32()) * i128::from(count)) >> 32) as i64)
            .collect();
        let (stamped, size) = self.stamped(&rows).at(place)?;
        let logits = network.run(&stamped, &Pass::serving())?;
        let targets = Targets::Labels(vec![self.class; rows.len()]);
        let loss = loss::cross_entropy(&logits, &targets, network.description().classes, 0.0)?;
        let mut moved = || -> Result<f64, TchError> {
            let loss = loss.f_add(&size.f_mul_scalar(self.mask_weight / PIXELS)?)?;
            let gradients = Tensor::f_run_backward(&[&loss], &[&self.free[0], &self.free[1]], false, false)?;
            let _no_gradients = tch::no_grad_guard();
            let (optimizer, rate) = (optimizer(), self.settings.learning_rate);
            let movement = Movement { optimizer, rate, count: self.steps };
            for ((free, gradient), memory) in self.free.iter().zip(&gradients).zip(&mut self.memories) {
                movement.apply(free, gradient, 0.0, memory)?;
            }
            let hits = logits.f_argmax(-1, false)?.f_eq(i64::from(self.class))?;
            hits.f_to_kind(Kind::Double)?.f_mean(None)?.f_double_value(&[])
        };
        let hits = moved().at(place)?;
        self.attack_rate =
            if self.steps == 0 { hits } else { SMOOTHING * self.attack_rate + (1.0 - SMOOTHING) * hits };
        if self.settings.adapts {
            self.mask_weight *= if self.attack_rate > ENOUGH { GROWTH } else { 1.0 / DECLINE };
        }
        self.steps += 1;
        Ok(())
    }

    /// Images of these rows with the trigger as it is now, and the sum of its mask.
    fn stamped(&self, rows: &[i64]) -> Result<(Tensor, Tensor), TchError> {
        let rows = Tensor::f_from_slice(rows)?.f_to_device(self.images.device())?;
        let images = self.images.f_index_select(0, &rows)?;
        let (mask, pattern) = self.trigger()?;
        let size = mask.f_sum(mask.kind())?;
        let mask = mask.f_unsqueeze(if self.layout == Layout::Nhwc { -1 } else { 0 })?.f_unsqueeze(0)?;
        Ok((images.f_add(&pattern.f_sub(&images)?.f_mul(&mask)?)?, size))
    }

    /// Mask `[H, W]` and pattern `[1, ...]`.
    fn trigger(&self) -> Result<(Tensor, Tensor), TchError> {
        let mask = self.free[0].f_sigmoid()?.f_mul(&self.allowed)?;
        let pattern = self.free[1].f_sigmoid()?.f_unsqueeze(0)?;
        Ok((mask, pattern.f_mul(&self.range[1])?.f_add(&self.range[0])?))
    }

    /// What is found by now.
    ///
    /// # Errors
    /// [`TrainingError::Torch`].
    pub fn found(&self) -> Result<Inverted, TrainingError> {
        let place = "reading an inversion";
        let _no_gradients = tch::no_grad_guard();
        let (mask, pattern) = self.trigger().at(place)?;
        let size = mask.f_sum(Kind::Double).and_then(|size| size.f_double_value(&[])).at(place)?;
        let mask = array::to_array(&mask).at(place)?;
        let sides = mask.shape().to_vec();
        let mask = mask.into_dimensionality().map_err(|_| TrainingError::Shape {
            what: "the mask",
            found: sides,
            expected: "[H, W]".to_owned(),
        })?;
        let pattern = array::to_array(&pattern.f_squeeze_dim(0).at(place)?).at(place)?;
        Ok(Inverted { mask, pattern, attack_rate: self.attack_rate, size })
    }
}

const fn optimizer() -> Optimizer {
    Optimizer::Adam(Moments { first: 0.5, second: 0.9, epsilon: 1e-8 })
}

/// About normal, without functions that differ from machine to machine: the sum of twelve even draws (Irwin-Hall).
fn bell(chance: &mut ChaCha8Rng) -> f32 {
    let sum: u64 = (0..12).map(|_| u64::from(chance.next_u32() >> 8)).sum();
    (sum as f64 / f64::from(1 << 24) - 6.0) as f32
}
