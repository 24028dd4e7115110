//! Resizing by separable filters.
//!
//! Pixel centres lie at half-integers on both sides. Weights reaching beyond the image's edge are left out
//! and the rest brought back to a sum of one. Sums are taken in `f32`, rows before columns, and rounded to
//! levels once at the end. With antialiasing the result is that of the `image` crate up to one level, which
//! a test holds it to.

use super::level::Level;
use crate::preprocessing::ResizeFilter;

/// A stretch of source pixels along one axis that becomes the target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    start: f64,
    length: f64,
}

impl Span {
    pub(super) fn whole(size: usize) -> Self {
        Self { start: 0.0, length: size as f64 }
    }

    /// The middle `length` pixels.
    pub(super) fn central(size: usize, length: f64) -> Self {
        Self { start: (size as f64 - length) / 2.0, length }
    }
}

/// The source pixels of one target pixel along one axis, with weights that sum to one.
#[derive(Debug)]
pub(super) struct Taps {
    first: usize,
    weights: Vec<f32>,
}

impl Taps {
    /// The taps of each of `target` pixels over the `span` of an axis of `size` pixels.
    pub(super) fn along(
        size: usize,
        span: Span,
        target: usize,
        filter: ResizeFilter,
        antialias: bool,
    ) -> Vec<Self> {
        let ratio = span.length / target as f64;
        let stretch = if antialias { ratio.max(1.0) } else { 1.0 };
        (0..target)
            .map(|index| {
                let centre = span.start + (index as f64 + 0.5) * ratio;
                match Kernel::of(filter) {
                    Some(kernel) => Self::around(centre, size, &kernel, stretch),
                    None => Self { first: (centre as usize).min(size - 1), weights: vec![1.0] },
                }
            })
            .collect()
    }

    fn around(centre: f64, size: usize, kernel: &Kernel, stretch: f64) -> Self {
        let reach = kernel.support * stretch;
        let first = ((centre - reach).floor().max(0.0) as usize).min(size - 1);
        let end = ((centre + reach).ceil() as usize).clamp(first + 1, size);
        let weight = |pixel: usize| (kernel.weight)((pixel as f64 + 0.5 - centre) / stretch);
        let raw: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = raw.iter().sum();
        Self { first, weights: raw.into_iter().map(|weight| (weight / sum) as f32).collect() }
    }
}

struct Kernel {
    support: f64,
    weight: fn(f64) -> f64,
}

impl Kernel {
    /// The kernel of a filter that weighs; the nearest pixel needs none.
    fn of(filter: ResizeFilter) -> Option<Self> {
        match filter {
            ResizeFilter::Nearest => None,
            ResizeFilter::Triangle => Some(Self { support: 1.0, weight: |x| (1.0 - x.abs()).max(0.0) }),
            ResizeFilter::CatmullRom => Some(Self { support: 2.0, weight: catmull_rom }),
            ResizeFilter::Gaussian => Some(Self { support: 3.0, weight: |x| (-2.0 * x * x).exp() }),
            ResizeFilter::Lanczos3 => Some(Self { support: 3.0, weight: lanczos3 }),
        }
    }
}

fn catmull_rom(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        1.5 * x.powi(3) - 2.5 * x.powi(2) + 1.0
    } else if x < 2.0 {
        -0.5 * x.powi(3) + 2.5 * x.powi(2) - 4.0 * x + 2.0
    } else {
        0.0
    }
}

fn lanczos3(x: f64) -> f64 {
    if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}

fn sinc(x: f64) -> f64 {
    let angle = x * std::f64::consts::PI;
    if angle == 0.0 { 1.0 } else { angle.sin() / angle }
}

/// Resizes `[H, W, C]` samples; one row of `f32` is all the memory it needs beside the result.
pub(super) fn resample<L: Level>(
    samples: &[L],
    width: usize,
    channels: usize,
    rows: &[Taps],
    columns: &[Taps],
) -> Vec<L> {
    let stride = width * channels;
    let mut blended = vec![0.0_f32; stride];
    let mut result = Vec::with_capacity(rows.len() * columns.len() * channels);
    for row in rows {
        blended.fill(0.0);
        for (line, weight) in samples.chunks_exact(stride).skip(row.first).zip(&row.weights) {
            for (sum, level) in blended.iter_mut().zip(line) {
                *sum += weight * level.level();
            }
        }
        for column in columns {
            for channel in 0..channels {
                let levels = blended[column.first * channels + channel..].iter().step_by(channels);
                let sum: f32 = levels.zip(&column.weights).map(|(level, weight)| level * weight).sum();
                result.push(L::nearest(sum));
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use image::RgbImage;
    use image::imageops::{FilterType, resize};

    use super::*;

    fn noise(count: usize) -> Vec<u8> {
        let mut state = 1_u32;
        (0..count)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect()
    }

    fn whole(
        source: (usize, usize),
        target: (usize, usize),
        filter: ResizeFilter,
        antialias: bool,
    ) -> Vec<u8> {
        let samples = noise(source.0 * source.1 * 3);
        let rows = Taps::along(source.0, Span::whole(source.0), target.0, filter, antialias);
        let columns = Taps::along(source.1, Span::whole(source.1), target.1, filter, antialias);
        resample(&samples, source.1, 3, &rows, &columns)
    }

    #[test]
    fn antialiased_filters_agree_with_the_image_crate() {
        for (ours, theirs) in [
            (ResizeFilter::Triangle, FilterType::Triangle),
            (ResizeFilter::CatmullRom, FilterType::CatmullRom),
            (ResizeFilter::Gaussian, FilterType::Gaussian),
            (ResizeFilter::Lanczos3, FilterType::Lanczos3),
        ] {
            for (source, target) in [((55, 47), (24, 31)), ((20, 30), (55, 47)), ((9, 64), (32, 8))] {
                let image = RgbImage::from_raw(source.1, source.0, noise((source.0 * source.1 * 3) as usize));
                let expected = resize(&image.unwrap(), target.1, target.0, theirs).into_raw();
                let size = |(rows, columns): (u32, u32)| (rows as usize, columns as usize);
                let found = whole(size(source), size(target), ours, true);
                let worst = found.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max();
                assert!(worst <= Some(1), "{ours:?} {source:?} to {target:?}: {worst:?}");
            }
        }
    }

    #[test]
    fn an_even_picture_stays_even() {
        for filter in [ResizeFilter::Nearest, ResizeFilter::CatmullRom, ResizeFilter::Lanczos3] {
            for antialias in [true, false] {
                let taps = |size, target| Taps::along(size, Span::whole(size), target, filter, antialias);
                let resized = resample(&[77_u8; 50 * 40], 40, 1, &taps(50, 9), &taps(40, 99));
                assert!(resized.iter().all(|level| *level == 77), "{filter:?}");
            }
        }
    }

    #[test]
    fn without_antialiasing_only_the_neighbours_count() {
        let taps = Taps::along(8, Span::whole(8), 2, ResizeFilter::Triangle, false);
        let row = Taps::along(1, Span::whole(1), 1, ResizeFilter::Triangle, false);
        let resized = resample(&[9_u8, 100, 200, 9, 9, 50, 60, 9], 8, 1, &row, &taps);
        assert_eq!(resized, [150, 55], "the centres 2.0 and 6.0 lie between two pixels each");
    }

    #[test]
    fn the_nearest_pixel_is_the_one_under_the_centre() {
        let taps = Taps::along(5, Span::whole(5), 3, ResizeFilter::Nearest, true);
        assert_eq!(taps.iter().map(|taps| taps.first).collect::<Vec<_>>(), [0, 2, 4]);
    }
}
