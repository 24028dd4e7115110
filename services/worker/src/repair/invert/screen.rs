//! Which of all classes may have a backdoor: those that random patches lead to.
//!
//! An inversion of every class would take hours where there are a thousand. Patches of all sizes and colours are
//! put on clean images instead, and each class is judged by its highest logits: a backdoor needs only a part of its
//! trigger to show there. On the five face networks of the course every true class comes among the first four of
//! 1283; whether it is one an inversion says.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::super::material::Material;
use super::chance::Chance;
use super::clean::Clean;
use crate::engine::{Cancelled, EngineFault};

/// Patched images, and the highest logits of a class that count.
const PATCHED: usize = 2_000;
const HIGHEST: usize = 20;
/// The stream of its draws.
const STREAM: u64 = 11;

/// The `count` classes that patches lead to most, those first.
pub(super) fn shortlist(
    material: &Material,
    clean: &Clean,
    seed: u64,
    count: usize,
    cancelled: &Cancelled,
) -> Result<Vec<u32>, EngineFault> {
    let classes = material.description.classes as usize;
    let mut chance = Chance::new(seed, STREAM);
    let mut highest: Vec<BinaryHeap<Reverse<Ordered>>> = vec![BinaryHeap::new(); classes];
    let rows = material.suspect.batch_rows();
    for first in (0..PATCHED).step_by(rows) {
        cancelled.check()?;
        let places: Vec<usize> =
            (first..PATCHED.min(first + rows)).map(|_| chance.below(clean.count())).collect();
        let values = places.iter().flat_map(|place| patched(clean, *place, &mut chance)).collect();
        let logits = material.suspect.logits(values).map_err(|error| EngineFault::of(&error))?;
        for (place, logits) in places.iter().zip(logits.chunks_exact(classes)) {
            for (class, (logit, heap)) in logits.iter().zip(&mut highest).enumerate() {
                // An image of the class itself reaches it without any patch.
                if clean.truth[*place] as usize != class {
                    heap.push(Reverse(Ordered(*logit)));
                    if heap.len() > HIGHEST {
                        heap.pop();
                    }
                }
            }
        }
    }
    let means = highest.into_iter().map(|heap| {
        let count = heap.len().max(1) as f64;
        heap.into_iter().map(|Reverse(Ordered(logit))| f64::from(logit)).sum::<f64>() / count
    });
    let mut ranked: Vec<(usize, f64)> = means.enumerate().collect();
    ranked.sort_by(|one, other| other.1.total_cmp(&one.1));
    Ok(ranked.into_iter().take(count).map(|(class, _)| class as u32).collect())
}

/// A clean image with one patch: of one colour, of the darkest and brightest ones, or of squares.
fn patched(clean: &Clean, place: usize, chance: &mut Chance) -> Vec<f32> {
    let (height, width, channels) = clean.geometry.sides();
    let mut image = clean.image(place).to_vec();
    let side = |chance: &mut Chance, side: i64| side / 6 + chance.below((side / 2).max(1) as usize) as i64;
    let (rows, columns) = (side(chance, height).clamp(1, height), (2 * side(chance, width)).clamp(1, width));
    let top = chance.below((height - rows + 1) as usize) as i64;
    let left = chance.below((width - columns + 1) as usize) as i64;
    let kind = chance.below(3);
    let square = if kind == 2 { 2 + chance.below(6) as i64 } else { height.max(width) };
    for square_row in (0..rows).step_by(square as usize) {
        for square_column in (0..columns).step_by(square as usize) {
            for channel in 0..channels {
                let (low, high) = clean.range.of_channel(channel as usize);
                let even = chance.between(low, high);
                let level = if kind == 1 { if chance.happens(0.5) { high } else { low } } else { even };
                for row in square_row..rows.min(square_row + square) {
                    for column in square_column..columns.min(square_column + square) {
                        image[clean.geometry.at(top + row, left + column, channel)] = level;
                    }
                }
            }
        }
    }
    image
}

/// A logit that can be compared.
#[derive(Debug, Clone, Copy)]
struct Ordered(f32);

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}
