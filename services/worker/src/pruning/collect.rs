//! One pass of images through the first half.

use gifthorse_defence::pruning::{ActivationError, ChannelMeans, MeanActivations};
use ndarray::ArrayView4;

use super::cache::{ActivationCache, CacheOptions};
use super::carried::Carried;
use super::error::SweepError;
use super::images::ImageSource;
use super::network::CutNetwork;
use super::observer::{Observer, Progress, Stage};

/// The mean activation of each channel over images; nothing of them is kept.
pub fn rank(
    network: &CutNetwork,
    images: &dyn ImageSource,
    observer: &dyn Observer,
) -> Result<MeanActivations, SweepError> {
    let mut means = ChannelMeans::new(network.activation_shape());
    stream(network, images, observer, |carried| add(&mut means, network, &carried))?;
    Ok(means.finish()?)
}

/// What crosses the cut for each image, for a sweep.
pub fn collect(
    network: &CutNetwork,
    images: &dyn ImageSource,
    options: CacheOptions,
    observer: &dyn Observer,
) -> Result<ActivationCache, SweepError> {
    let mut cache = ActivationCache::new(options);
    stream(network, images, observer, |carried| cache.push(carried))?;
    Ok(cache)
}

/// Both in one pass, where the same images rank and score.
pub fn collect_and_rank(
    network: &CutNetwork,
    images: &dyn ImageSource,
    options: CacheOptions,
    observer: &dyn Observer,
) -> Result<(ActivationCache, MeanActivations), SweepError> {
    let mut cache = ActivationCache::new(options);
    let mut means = ChannelMeans::new(network.activation_shape());
    stream(network, images, observer, |carried| {
        add(&mut means, network, &carried)?;
        cache.push(carried)
    })?;
    Ok((cache, means.finish()?))
}

fn stream(
    network: &CutNetwork,
    images: &dyn ImageSource,
    observer: &dyn Observer,
    mut each: impl FnMut(Carried) -> Result<(), SweepError>,
) -> Result<(), SweepError> {
    let total = images.count();
    for start in (0..total).step_by(network.batch_rows().get()) {
        if observer.is_cancelled() {
            return Err(SweepError::Cancelled);
        }
        let end = total.min(start + network.batch_rows().get());
        each(network.carried(images.read(start..end)?)?)?;
        observer.progress(Progress { stage: Stage::Activations, done: end as u64, total: total as u64 });
    }
    Ok(())
}

/// Adds what the activation is for some images to the means of its channels.
pub fn add(means: &mut ChannelMeans, network: &CutNetwork, carried: &Carried) -> Result<(), SweepError> {
    let axes = network.activation_shape().axes();
    let shape = (carried.rows(), axes[0], axes[1], axes[2]);
    let activations = ArrayView4::from_shape(shape, carried.activation()).map_err(|_| {
        // The length was checked when the tensors came.
        ActivationError::Shape { expected: axes, found: [carried.activation().len(), 1, 1] }
    })?;
    Ok(means.add(activations)?)
}
