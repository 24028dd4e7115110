//! What of images that gave themselves away is the trigger: the pixels whose colours many of them share, at about
//! the same place, and clean images do not.
//!
//! The images of alarms carry no label and nobody says where the trigger is. An attacker's trigger, however, is the
//! same in all of them, up to where a face puts it; the rest of the image is not. What is cut out that way counts
//! only when it takes clean images to the same class; else the whole band that region paste names is tried.

use super::super::geometry::{Geometry, Range};
use super::clean::Clean;
use super::found::Alarm;
use super::sticker::Sticker;

/// How far colours may be apart, a part of a channel's range.
const TOLERANCE: f32 = 1.0 / 16.0;
/// How far apart places may be, a part of the shorter side.
const NEAR: i64 = 24;
/// Share of the other alarms that have a pixel's colour, at least; share of the clean images, at most.
const SHARED: f64 = 0.5;
const COMMON: f64 = 0.15;
/// Other alarms that are needed to compare with, and images of either kind that are compared with at most.
const FEWEST: usize = 2;
const MOST_COMPARED: usize = 100;
/// Pixels that make a trigger, at least.
const FEWEST_PIXELS: f32 = 2.0;

/// What an image to unlearn shares with the others; none where that is nothing.
pub(super) fn shared(index: usize, alarms: &[Alarm], images: &[f32], clean: &Clean) -> Option<Sticker> {
    let numbers = clean.numbers();
    let image = |place: usize| &images[place * numbers..(place + 1) * numbers];
    let own = alarms.get(index)?;
    let others: Vec<&[f32]> = alarms
        .iter()
        .enumerate()
        .filter(|(place, other)| *place != index && is_near(own, other))
        .map(|(place, _)| image(place))
        .take(MOST_COMPARED)
        .collect();
    if others.len() < FEWEST {
        return None;
    }
    let clean_images: Vec<&[f32]> =
        (0..clean.count()).take(MOST_COMPARED).map(|place| clean.image(place)).collect();
    let looks = |others: &[&[f32]]| colours_shared(image(index), others, clean.geometry, &clean.range);
    let (among_alarms, among_clean) = (looks(&others), looks(&clean_images));
    let mask: Vec<f32> = among_alarms
        .iter()
        .zip(&among_clean)
        .map(|(alarms, clean)| f32::from(*alarms >= SHARED && *clean <= COMMON))
        .collect();
    let pixels: f32 = mask.iter().sum();
    (pixels >= FEWEST_PIXELS).then(|| Sticker { mask, pattern: image(index).to_vec() })
}

/// The whole band of an image.
pub(super) fn band(alarm: &Alarm, image: &[f32], geometry: Geometry) -> Option<Sticker> {
    let (first, rows) = alarm.band?;
    let (height, width, _) = geometry.sides();
    let inside = |row: i64| (first..first + rows).contains(&(row as usize));
    let mask = (0..height).flat_map(|row| (0..width).map(move |_| f32::from(inside(row))));
    Some(Sticker { mask: mask.collect(), pattern: image.to_vec() })
}

/// Whether two alarms may show the same trigger: the same answer, carried by bands that overlap.
fn is_near(one: &Alarm, other: &Alarm) -> bool {
    let overlap = match (one.band, other.band) {
        (Some((first, rows)), Some((second, more))) => first < second + more && second < first + rows,
        _ => true,
    };
    one.class == other.class && overlap
}

/// For each pixel of an image, the share of other images that have its colour near its place.
fn colours_shared(image: &[f32], others: &[&[f32]], geometry: Geometry, range: &Range) -> Vec<f64> {
    let (height, width, channels) = geometry.sides();
    let near = (height.min(width) / NEAR).max(1);
    let tolerances: Vec<f32> = (0..channels as usize)
        .map(|channel| {
            let (low, high) = range.of_channel(channel);
            TOLERANCE * (high - low)
        })
        .collect();
    let alike = |other: &[f32], row: i64, column: i64, from: i64, left: i64| {
        (0..channels).zip(&tolerances).all(|(channel, tolerance)| {
            let apart = image[geometry.at(row, column, channel)] - other[geometry.at(from, left, channel)];
            apart.abs() <= *tolerance
        })
    };
    let mut shares = Vec::with_capacity((height * width) as usize);
    for row in 0..height {
        for column in 0..width {
            let has = |other: &&&[f32]| {
                let rows = (row - near).max(0)..(row + near + 1).min(height);
                rows.into_iter().any(|from| {
                    let mut columns = (column - near).max(0)..(column + near + 1).min(width);
                    columns.any(|left| alike(other, row, column, from, left))
                })
            };
            shares.push(others.iter().filter(has).count() as f64 / others.len().max(1) as f64);
        }
    }
    shares
}
