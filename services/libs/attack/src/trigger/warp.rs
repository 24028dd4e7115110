//! A smooth distortion.

use super::stamp::{Effect, Stamp};
use super::{TriggerError, within};
use crate::chance::Chance;
use crate::size::Size;

const GRIDS: std::ops::RangeInclusive<u32> = 2..=32;

/// Displacements by lot on a grid, divided by their mean size, enlarged to the picture, and scaled so that they are of
/// `strength` in coordinates in which the picture is two units wide and `height` (`width`) pixels long. The grid is
/// enlarged bicubically, as published.
pub(super) fn stamp(size: Size, grid: u32, strength: f32, seed: u64) -> Result<Stamp, TriggerError> {
    if !GRIDS.contains(&grid) {
        return Err(TriggerError::Setting { field: "grid", found: grid.to_string(), needed: "2 to 32" });
    }
    within("strength", strength, strength > 0.0 && strength <= 16.0, "above 0, at most 16")?;
    let points = grid as usize;
    let mut chance = Chance::new(seed);
    let drawn: Vec<[f32; 2]> =
        (0..points * points).map(|_| [2.0 * chance.unit() - 1.0, 2.0 * chance.unit() - 1.0]).collect();
    let mean = drawn.iter().flatten().map(|value| value.abs()).sum::<f32>() / (2 * drawn.len()) as f32;
    let (height, width) = (size.height(), size.width());
    // Corners lie on corners. One unit of the published coordinates is half a side less one pixel.
    let scale = |pixels: usize| (points - 1) as f32 / (pixels - 1) as f32;
    let pixels = |sides: usize| strength / sides as f32 * (sides - 1) as f32 / 2.0;
    let mut sources = Vec::with_capacity(height * width);
    for row in 0..height {
        for column in 0..width {
            let [down, right] =
                enlarged(&drawn, points, row as f32 * scale(height), column as f32 * scale(width));
            let down = down / mean * pixels(height);
            let right = right / mean * pixels(width);
            // Positions beyond the border are taken from it, as published.
            sources.push([
                (row as f32 + down).clamp(0.0, (height - 1) as f32),
                (column as f32 + right).clamp(0.0, (width - 1) as f32),
            ]);
        }
    }
    // Covers: up to one unit of the published noise, one part of as many as the picture has rows, in coordinates two units wide.
    let cover = (height.max(width) - 1) as f32 / (2 * height.max(width)) as f32;
    Ok(Stamp::new(size, Effect::Move { sources, cover }))
}

/// Between the displacements of a grid, bicubically (Keys, a = -0.75, as `PyTorch`); beyond it its border goes on.
fn enlarged(grid: &[[f32; 2]], points: usize, row: f32, column: f32) -> [f32; 2] {
    let (top, left) = (row.floor(), column.floor());
    let weights = |part: f32| [1.0 + part, part, 1.0 - part, 2.0 - part].map(keys);
    let (rows, columns) = (weights(row - top), weights(column - left));
    let inside = |place: f32| place.clamp(0.0, (points - 1) as f32) as usize;
    let mut sum = [0.0; 2];
    for (down, row_weight) in rows.iter().enumerate() {
        for (across, column_weight) in columns.iter().enumerate() {
            let at = inside(top - 1.0 + down as f32) * points + inside(left - 1.0 + across as f32);
            for (sum, value) in sum.iter_mut().zip(grid[at]) {
                *sum += row_weight * column_weight * value;
            }
        }
    }
    sum
}

fn keys(distance: f32) -> f32 {
    const A: f32 = -0.75;
    let x = distance.abs();
    if x <= 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
    } else {
        0.0
    }
}
