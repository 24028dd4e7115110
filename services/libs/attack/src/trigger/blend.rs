//! Noise over the whole picture.

use super::stamp::{Effect, Stamp};
use super::{TriggerError, share};
use crate::chance::Chance;
use crate::size::Size;

pub(super) fn stamp(size: Size, part: f32, seed: u64) -> Result<Stamp, TriggerError> {
    share("share", part)?;
    let mut chance = Chance::new(seed);
    let pattern = (0..size.levels()).map(|_| f32::from(chance.level())).collect();
    Ok(Stamp::new(size, Effect::Mix { shares: vec![part; size.height() * size.width()], pattern }))
}
