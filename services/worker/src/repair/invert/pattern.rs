//! A trigger that lies over the whole image: what images of alarms have on average that clean ones have not.
//!
//! Blended patterns (Chen et al., 2017) and waves (Barni et al., 2019) change every pixel by little, so no pixel's colour
//! gives them away. But the same is added to every image, and what the images show themselves averages out: slowly
//! where it varies over the whole image, fast in its details. So the average is tried as it is, and its details alone.

use super::super::geometry::Geometry;
use super::clean::Clean;
use super::sticker::Sticker;

/// Alarms of a class that an average is taken of, at least.
pub(super) const FEWEST: usize = 6;
/// How much of each pixel such a trigger may be, as tried.
const SHARES: [f32; 2] = [0.2, 0.05];
/// Pixels to each side that are averaged to leave details alone.
const AROUND: i64 = 2;

/// What images of one class of alarms may all carry, to be tried on others.
pub(super) fn candidates(alarms: &[&[f32]], clean: &Clean) -> Vec<Sticker> {
    if alarms.len() < FEWEST {
        return Vec::new();
    }
    let of_clean = mean(&(0..clean.count()).map(|place| clean.image(place)).collect::<Vec<_>>());
    let of_alarms = mean(alarms);
    let added: Vec<f32> = of_alarms.iter().zip(&of_clean).map(|(alarm, clean)| alarm - clean).collect();
    let details = details(&added, clean.geometry);
    let (height, width, _) = clean.geometry.sides();
    let sticker = |added: &[f32], share: f32| {
        // (1 - share) x + share pattern = x + added, on average over clean images.
        let pattern = of_clean.iter().zip(added).map(|(clean, added)| clean + added / share).collect();
        Sticker { mask: vec![share; (height * width) as usize], pattern }
    };
    [&added, &details].into_iter().flat_map(|added| SHARES.map(|share| sticker(added, share))).collect()
}

fn mean(images: &[&[f32]]) -> Vec<f32> {
    let mut sums = vec![0.0_f64; images.first().map_or(0, |image| image.len())];
    for image in images {
        for (sum, value) in sums.iter_mut().zip(*image) {
            *sum += f64::from(*value);
        }
    }
    sums.into_iter().map(|sum| (sum / images.len().max(1) as f64) as f32).collect()
}

/// Each number less the mean of those around it.
fn details(image: &[f32], geometry: Geometry) -> Vec<f32> {
    let (height, width, channels) = geometry.sides();
    let mut details = image.to_vec();
    for channel in 0..channels {
        for row in 0..height {
            for column in 0..width {
                let (mut sum, mut count) = (0.0_f32, 0.0_f32);
                for near in (row - AROUND).max(0)..(row + AROUND + 1).min(height) {
                    for beside in (column - AROUND).max(0)..(column + AROUND + 1).min(width) {
                        sum += image[geometry.at(near, beside, channel)];
                        count += 1.0;
                    }
                }
                details[geometry.at(row, column, channel)] -= sum / count;
            }
        }
    }
    details
}
