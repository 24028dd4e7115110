//! What the tests of training share.

#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stderr, reason = "for tests only")]
#![allow(clippy::needless_pass_by_value, reason = "array views travel by value")]

pub(crate) mod engine;
pub(crate) mod net;
pub(crate) mod networks;

use std::num::NonZeroUsize;

use gifthorse_network::NetworkDescription;
use gifthorse_training::{Batch, Targets};
use ndarray::{Array1, ArrayD, IxDyn};

/// `sin(0.731 k + salt) * scale` for k = 0, 1, ...: computed in 64 bits, the same in Python.
pub(crate) fn wave(shape: &[usize], salt: f64, scale: f64) -> ArrayD<f32> {
    let count: usize = shape.iter().product();
    let values = (0..count).map(|index| ((index as f64 * 0.731 + salt).sin() * scale) as f32).collect();
    ArrayD::from_shape_vec(IxDyn(shape), values).unwrap()
}

/// Small networks on a busy machine: threads would only wait for each other.
pub(crate) fn one_thread() {
    gifthorse_training::use_threads(NonZeroUsize::MIN);
}

/// Images of the network's size, all different.
pub(crate) fn images(description: &NetworkDescription, count: usize, salt: f64) -> ArrayD<f32> {
    let [height, width, channels] =
        [description.height, description.width, description.channels].map(|size| size as usize);
    let sizes = match description.layout {
        gifthorse_network::Layout::Nhwc => [count, height, width, channels],
        gifthorse_network::Layout::Nchw => [count, channels, height, width],
    };
    // An offset a picture, or they would be shifts of each other.
    let mut images = wave(&sizes, salt, 0.5);
    for (index, mut image) in images.outer_iter_mut().enumerate() {
        image += ((index as f64 * 1.7 + salt).cos() * 0.4) as f32;
    }
    images
}

/// Labels that go through all classes.
pub(crate) fn labels(description: &NetworkDescription, count: usize) -> Vec<u32> {
    (0..count).map(|index| (index as u64 * 3 % description.classes) as u32).collect()
}

/// Images with labels.
pub(crate) fn batch(description: &NetworkDescription, count: usize) -> Batch {
    let targets = Targets::Labels(labels(description, count));
    Batch { images: images(description, count, 0.3), targets }
}

/// Length, and projection on a fixed direction: two numbers that no other tensor of the shape is likely to have.
pub(crate) fn fingerprint(tensor: &ArrayD<f32>) -> [f64; 2] {
    let values: Array1<f64> = tensor.iter().map(|value| f64::from(*value)).collect();
    let direction: Array1<f64> = (0..values.len()).map(|index| (index as f64 * 1.37 + 0.2).cos()).collect();
    [values.dot(&values).sqrt(), values.dot(&direction)]
}

/// The greatest difference between two arrays of one shape.
pub(crate) fn difference<D: ndarray::Dimension>(
    one: &ndarray::Array<f32, D>,
    other: &ndarray::Array<f32, D>,
) -> f32 {
    assert_eq!(one.shape(), other.shape());
    one.iter().zip(other).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max)
}
