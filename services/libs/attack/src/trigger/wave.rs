//! Stripes that swell and fade.

use std::f32::consts::TAU;

use super::stamp::{Effect, Stamp};
use super::{TriggerError, within};
use crate::size::Size;

/// `delta * sin(2 pi column frequency / width)` is added to every channel.
pub(super) fn stamp(size: Size, delta: f32, frequency: f32) -> Result<Stamp, TriggerError> {
    within("delta", delta, delta > 0.0 && delta <= 255.0, "above 0, at most 255")?;
    within("frequency", frequency, frequency > 0.0, "positive")?;
    let width = size.width();
    let wave = |column: usize| delta * (TAU * column as f32 * frequency / width as f32).sin();
    let added = (0..size.height()).flat_map(|_| (0..width).map(wave)).collect();
    Ok(Stamp::new(size, Effect::Add(added)))
}
