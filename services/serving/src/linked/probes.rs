//! The fixed images that a linked network is known by.
//!
//! Flat images, ramps, checks, noise and soft clouds: some are answered surely, most are not, and an unsure answer
//! is what moves first when the weights are others. They are levels 0..255, prepared by the version's own record.

use std::ops::Range;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use gifthorse_dataset::prepare::{PixelArray, PixelValues, PrepareError, prepare_pixels};
use gifthorse_dataset::preprocessing::{Layout, Preprocessing};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::document::largest_gap;
use super::error::LinkError;
use super::foreign::{Foreign, Patience};
use super::parts;

/// Number of this set of probes; another set needs another number, and old links are then made anew.
pub(super) const PROBE_SET: u32 = 1;

/// How many probes there are.
const COUNT: usize = 16;
/// Probes from this one on are clouds.
const FIRST_CLOUD: usize = 11;
/// Probes from this one on are noise.
const FIRST_NOISE: usize = 7;
const SEED: u64 = 0x6769_6674;

/// The probes for one network.
#[derive(Debug, Clone)]
pub(crate) struct Probes {
    preprocessing: Preprocessing,
    part: usize,
}

impl Probes {
    /// The probes as this record prepares them, so many to a message.
    pub(crate) fn new(preprocessing: Preprocessing, part: usize) -> Self {
        Self { preprocessing, part }
    }

    /// The probabilities that the server answers now, one row a probe.
    pub(crate) async fn ask(&self, foreign: &Foreign, time: Duration) -> Result<Vec<Vec<f32>>, LinkError> {
        self.ask_in(foreign, time, self.part).await
    }

    /// As [`ask`](Self::ask), and again one by one: a network whose answers hang on chance or on the other rows
    /// is refused.
    pub(crate) async fn ask_twice(
        &self,
        foreign: &Foreign,
        time: Duration,
        tolerance: f32,
    ) -> Result<Vec<Vec<f32>>, LinkError> {
        let together = self.ask(foreign, time).await?;
        let alone = self.ask_in(foreign, time, 1).await?;
        let gaps = together.iter().zip(&alone).map(|(one, other)| {
            if one.len() == other.len() { largest_gap(one, other) } else { f32::INFINITY }
        });
        let difference = gaps.fold(0.0, f32::max);
        if difference <= tolerance {
            Ok(together)
        } else {
            Err(LinkError::Unsteady { model: foreign.link().model_name.clone(), difference })
        }
    }

    async fn ask_in(
        &self,
        foreign: &Foreign,
        time: Duration,
        part: usize,
    ) -> Result<Vec<Vec<f32>>, LinkError> {
        let patience = Patience::of(time);
        let mut answers = Vec::with_capacity(COUNT);
        for rows in parts::parts(COUNT, part) {
            let count = rows.len();
            let data = self.prepared(rows).map_err(|error| LinkError::Answer {
                endpoint: foreign.link().endpoint.clone(),
                model: foreign.link().model_name.clone(),
                what: format!("cannot be probed: {error}"),
            })?;
            let shape = self.preprocessing.shape(count).map(|side| side as i64);
            let answered = foreign.ask(shape, data, patience).await?;
            answers.extend(answered.iter().map(<[f32]>::to_vec));
        }
        Ok(answers)
    }

    fn prepared(&self, rows: Range<usize>) -> Result<Bytes, PrepareError> {
        let record = &self.preprocessing;
        let sides = [record.height(), record.width(), record.channels()];
        let mut data = BytesMut::new();
        for index in rows {
            let levels = levels(index, sides);
            let shape = [1, sides[0] as u64, sides[1] as u64, sides[2] as u64];
            let pixels = PixelArray::new(&shape, Layout::Nhwc, PixelValues::U8(&levels))?;
            for value in prepare_pixels(&pixels, record)?.values() {
                data.put_f32_le(*value);
            }
        }
        Ok(data.freeze())
    }
}

/// Levels of one probe, `[H, W, C]`. Whole numbers throughout, so that they are the same everywhere.
fn levels(index: usize, [height, width, channels]: [usize; 3]) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(SEED + index as u64);
    if (FIRST_NOISE..FIRST_CLOUD).contains(&index) {
        let mut noise = vec![0; height * width * channels];
        random.fill_bytes(&mut noise);
        return noise;
    }
    if index >= FIRST_CLOUD {
        return cloud(&mut random, [height, width, channels]);
    }
    let ramp = |place: usize, length: usize| (place * 255 / length.saturating_sub(1).max(1)) as u8;
    let mut image = Vec::with_capacity(height * width * channels);
    for row in 0..height {
        for column in 0..width {
            for channel in 0..channels {
                image.push(match index {
                    0 => 0,
                    1 => 255,
                    2 => 128,
                    3 => ramp(column, width),
                    4 => ramp(row, height),
                    // Another direction for each colour.
                    5 => match channel {
                        0 => ramp(column, width),
                        1 => 255 - ramp(row, height),
                        _ => ramp(row + column, height + width - 1),
                    },
                    _ => {
                        if (row * 8 / height + column * 8 / width) % 2 == 0 {
                            220
                        } else {
                            40
                        }
                    }
                });
            }
        }
    }
    image
}

/// A coarse grid of random colours, drawn out smoothly: as much structure as a photograph at arm's length.
fn cloud(random: &mut ChaCha8Rng, [height, width, channels]: [usize; 3]) -> Vec<u8> {
    const CELLS: usize = 6;
    const UNIT: usize = 256;
    let mut grid = vec![0; (CELLS + 1) * (CELLS + 1) * channels];
    random.fill_bytes(&mut grid);
    let at = |row: usize, column: usize, channel: usize| {
        usize::from(grid[(row * (CELLS + 1) + column) * channels + channel])
    };
    // Cell, and the place within it in 1/256.
    let place = |pixel: usize, length: usize| {
        let scaled = pixel * CELLS * UNIT / length.max(1);
        ((scaled / UNIT).min(CELLS - 1), scaled % UNIT)
    };
    let mut image = Vec::with_capacity(height * width * channels);
    for row in 0..height {
        let (top, down) = place(row, height);
        for column in 0..width {
            let (left, right) = place(column, width);
            for channel in 0..channels {
                let along =
                    |row: usize| at(row, left, channel) * (UNIT - right) + at(row, left + 1, channel) * right;
                let level = (along(top) * (UNIT - down) + along(top + 1) * down) / (UNIT * UNIT);
                image.push(level as u8);
            }
        }
    }
    image
}

#[cfg(test)]
mod tests {
    use gifthorse_store::Sha256Digest;

    use super::*;

    #[test]
    fn the_probes_never_change() {
        let all = |sides| -> Vec<u8> { (0..COUNT).flat_map(|index| levels(index, sides)).collect() };
        let digest = Sha256Digest::of(&all([55, 47, 3])).to_string();
        assert_eq!(
            digest, "0badd5541ecd94eddec208b18ad60bac0db69e038d4fd7a12dca3b2a48174d53",
            "another set of probes is another PROBE_SET"
        );
        assert_eq!(all([28, 28, 1]).len(), COUNT * 28 * 28);
        assert_eq!(all([1, 1, 3]).len(), COUNT * 3, "the smallest image has probes, too");
    }

    #[test]
    fn no_two_probes_are_alike() {
        let sides = [8, 8, 3];
        for one in 0..COUNT {
            for other in 0..one {
                assert_ne!(levels(one, sides), levels(other, sides), "{one} and {other}");
            }
        }
    }

    #[test]
    fn probes_are_prepared_in_the_records_layout() {
        let record: Preprocessing = serde_json::from_str(
            r#"{"height": 4, "width": 2, "channels": 3, "layout": "nchw", "channel_order": "rgb", "scale": 255.0}"#,
        )
        .unwrap();
        let probes = Probes::new(record, 4);
        let ramp = probes.prepared(5..6).unwrap();
        let values: Vec<f32> =
            ramp.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        // The first plane is red, which rises from left to right.
        assert_eq!(values[..8], [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
        assert_eq!(probes.prepared(0..4).unwrap().len(), 4 * 4 * 2 * 3 * 4);
    }
}
