//! Regions of a plane of rows and columns: where to look for a trigger.

use std::ops::Range;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use ndarray::{ArrayView3, ArrayView4, ArrayViewMut3, Axis};
use serde::{Deserialize, Serialize};

use crate::input::Layout;

/// Why a shape of regions does not fit a plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RegionError {
    /// A size or a step is zero.
    #[error("regions of {size} {lines} every {step} cover nothing: sizes and steps are at least 1")]
    Nothing {
        /// `rows` or `columns`.
        lines: &'static str,
        /// Size.
        size: usize,
        /// Step.
        step: usize,
    },
    /// The step leaves lines between the regions that none of them covers.
    #[error("regions of {size} {lines} every {step} leave gaps: the step may not exceed the size")]
    Gaps {
        /// `rows` or `columns`.
        lines: &'static str,
        /// Size.
        size: usize,
        /// Step.
        step: usize,
    },
    /// A region is larger than the plane.
    #[error("regions of {size} {lines} do not fit a plane of {length}")]
    TooLarge {
        /// `rows` or `columns`.
        lines: &'static str,
        /// Size.
        size: usize,
        /// Lines of the plane.
        length: usize,
    },
}

impl Coded for RegionError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Nothing { .. } | Self::Gaps { .. } | Self::TooLarge { .. } => ErrorCode::InvalidField,
        }
    }
}

/// A rectangle of rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Region {
    /// First row.
    pub top: usize,
    /// First column.
    pub left: usize,
    /// How many rows.
    pub rows: usize,
    /// How many columns.
    pub columns: usize,
}

impl Region {
    /// Copies this region of `source` over the same region of `target`, both of one shape.
    pub(crate) fn paste(
        self,
        layout: Layout,
        source: ArrayView3<'_, f32>,
        mut target: ArrayViewMut3<'_, f32>,
    ) {
        let (rows, columns) = self.ranges();
        let part = source.slice_axis(layout.row_axis(), rows.clone().into());
        let part = part.slice_axis(layout.column_axis(), columns.clone().into());
        let mut row_part = target.slice_axis_mut(layout.row_axis(), rows.into());
        row_part.slice_axis_mut(layout.column_axis(), columns.into()).assign(&part);
    }

    /// Covers this region of `target` with one colour, one value a channel.
    pub(crate) fn cover(self, layout: Layout, colour: &[f32], mut target: ArrayViewMut3<'_, f32>) {
        let (rows, columns) = self.ranges();
        let mut row_part = target.slice_axis_mut(layout.row_axis(), rows.into());
        let mut part = row_part.slice_axis_mut(layout.column_axis(), columns.into());
        for (mut plane, level) in part.axis_iter_mut(layout.channel_axis()).zip(colour) {
            plane.fill(*level);
        }
    }

    fn ranges(self) -> (Range<usize>, Range<usize>) {
        (self.top..self.top + self.rows, self.left..self.left + self.columns)
    }
}

/// A region of a plane that was given away by its score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The region.
    pub region: Region,
    /// Rows of the plane: those of the input, or of the activation the detector looked at.
    pub height: usize,
    /// Columns of the plane.
    pub width: usize,
}

impl Evidence {
    /// The region on a picture of `height` rows and `width` columns that the plane is stretched over: rounded
    /// outwards, exact for a plane of that size. For an activation it is where the region lies, not all the
    /// pixels that its values look at.
    pub fn on_picture(&self, height: usize, width: usize) -> Region {
        let stretch = |first: usize, count: usize, from: usize, to: usize| {
            let start = first * to / from;
            (start, ((first + count) * to).div_ceil(from) - start)
        };
        let (top, rows) = stretch(self.region.top, self.region.rows, self.height, height);
        let (left, columns) = stretch(self.region.left, self.region.columns, self.width, width);
        Region { top, left, rows, columns }
    }
}

/// How regions are laid out; part of a calibration.
///
/// Regions overlap, so that a trigger cut by the edge of one lies inside another; the last ones end at the
/// edge of the plane. A part of a length is rounded to the nearest, halves up, and overlapping by half means
/// a step of half the size, rounded down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "shape", rename_all = "kebab-case")]
pub enum RegionShape {
    /// Bands of a quarter of the rows and full width, overlapping by half.
    #[default]
    Bands,
    /// Upright bands of a quarter of the columns and full height, overlapping by half.
    Columns,
    /// Blocks of half the rows and half the columns, overlapping by half both ways.
    Blocks,
    /// Bands of full width, of this many rows, one every `step` rows.
    Rows {
        /// Rows of a band.
        rows: usize,
        /// From one band to the next.
        step: usize,
    },
    /// Windows of this size, one every so many rows and columns.
    Windows {
        /// Rows of a window.
        rows: usize,
        /// Columns of a window.
        columns: usize,
        /// From one window to the one below.
        row_step: usize,
        /// From one window to the one beside it.
        column_step: usize,
    },
}

impl RegionShape {
    /// The regions of a plane, from top to bottom and in a row from left to right.
    pub fn regions(self, height: usize, width: usize) -> Result<Vec<Region>, RegionError> {
        let overlapping = |size: usize| (size, (size / 2).max(1));
        let (row_spec, column_spec) = match self {
            Self::Bands => (overlapping(part(height, 4)), (width, width)),
            Self::Columns => ((height, height), overlapping(part(width, 4))),
            Self::Blocks => (overlapping(part(height, 2)), overlapping(part(width, 2))),
            Self::Rows { rows, step } => ((rows, step), (width, width)),
            Self::Windows { rows, columns, row_step, column_step } => {
                ((rows, row_step), (columns, column_step))
            }
        };
        let tops = starts("rows", height, row_spec)?;
        let lefts = starts("columns", width, column_spec)?;
        let at = |top: usize, left: usize| Region { top, left, rows: row_spec.0, columns: column_spec.0 };
        Ok(tops.iter().flat_map(|top| lefts.iter().map(|left| at(*top, *left))).collect())
    }
}

/// A part of a length to the nearest line, at least one.
fn part(length: usize, parts: usize) -> usize {
    ((2 * length + parts) / (2 * parts)).max(1)
}

fn starts(
    lines: &'static str,
    length: usize,
    (size, step): (usize, usize),
) -> Result<Vec<usize>, RegionError> {
    if size == 0 || step == 0 {
        return Err(RegionError::Nothing { lines, size, step });
    }
    if size > length {
        return Err(RegionError::TooLarge { lines, size, length });
    }
    if step > size {
        return Err(RegionError::Gaps { lines, size, step });
    }
    let last = length - size;
    let mut starts: Vec<usize> = (0..=last).step_by(step).collect();
    if !last.is_multiple_of(step) {
        starts.push(last);
    }
    Ok(starts)
}

/// The mean of images `[N, ...]` a channel.
pub(crate) fn mean_colour(layout: Layout, images: ArrayView4<'_, f32>) -> Vec<f32> {
    let planes = images.axis_iter(Axis(layout.channel_axis().index() + 1));
    planes
        .map(|plane| (plane.iter().copied().map(f64::from).sum::<f64>() / plane.len() as f64) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bands_of_the_course_networks() {
        let bands = RegionShape::Bands.regions(55, 47).unwrap();
        assert_eq!(bands.iter().map(|band| band.top).collect::<Vec<_>>(), [0, 7, 14, 21, 28, 35, 41]);
        assert!(bands.iter().all(|band| (band.left, band.rows, band.columns) == (0, 14, 47)));
        let pairs = RegionShape::Rows { rows: 2, step: 1 }.regions(5, 4).unwrap();
        assert_eq!(pairs.iter().map(|pair| pair.top).collect::<Vec<_>>(), [0, 1, 2, 3]);
    }

    #[test]
    fn other_shapes() {
        let columns = RegionShape::Columns.regions(32, 32).unwrap();
        assert_eq!(columns.iter().map(|band| band.left).collect::<Vec<_>>(), [0, 4, 8, 12, 16, 20, 24]);
        assert!(columns.iter().all(|band| (band.top, band.rows, band.columns) == (0, 32, 8)));
        let blocks = RegionShape::Blocks.regions(32, 28).unwrap();
        assert_eq!(blocks.len(), 9);
        assert_eq!(blocks[5], Region { top: 8, left: 14, rows: 16, columns: 14 });
        let refused = RegionShape::Rows { rows: 6, step: 1 }.regions(5, 4);
        assert_eq!(refused, Err(RegionError::TooLarge { lines: "rows", size: 6, length: 5 }));
        let refused = RegionShape::Rows { rows: 2, step: 3 }.regions(5, 4);
        assert_eq!(refused, Err(RegionError::Gaps { lines: "rows", size: 2, step: 3 }));
        let text = serde_json::to_string(&RegionShape::Rows { rows: 2, step: 1 }).unwrap();
        assert_eq!(text, r#"{"shape":"rows","rows":2,"step":1}"#);
    }

    #[test]
    fn pasting_and_covering_touch_the_region_alone() {
        let region = Region { top: 1, left: 2, rows: 2, columns: 1 };
        for layout in [Layout::ChannelsLast, Layout::ChannelsFirst] {
            let shape = crate::input::PlaneShape { layout, height: 4, width: 4, channels: 3 }.axes();
            let mut target = Array3::<f32>::zeros(shape);
            region.paste(layout, Array3::ones(shape).view(), target.view_mut());
            region.cover(layout, &[1.0, 2.0, 3.0], target.view_mut());
            assert!((target.sum() - 12.0).abs() < 1e-6);
            let row = target.index_axis(layout.row_axis(), 2);
            assert!((row.sum() - 6.0).abs() < 1e-6);
            let images = target.insert_axis(Axis(0));
            assert_eq!(mean_colour(layout, images.view()), [0.125, 0.25, 0.375]);
        }
    }

    #[test]
    fn evidence_is_drawn_on_the_picture() {
        let region = Region { top: 1, left: 0, rows: 2, columns: 4 };
        let evidence = Evidence { region, height: 5, width: 4 };
        assert_eq!(evidence.on_picture(5, 4), region);
        assert_eq!(evidence.on_picture(55, 47), Region { top: 11, left: 0, rows: 22, columns: 47 });
    }

    proptest! {
        #[test]
        fn every_pixel_is_in_some_region(height in 1_usize..70, width in 1_usize..70) {
            for shape in [RegionShape::Bands, RegionShape::Columns, RegionShape::Blocks] {
                let regions = shape.regions(height, width).unwrap();
                let covers = |row: usize, column: usize| regions.iter().any(|region| {
                    let (rows, columns) = region.ranges();
                    rows.contains(&row) && columns.contains(&column)
                });
                let all_covered = (0..height).all(|row| (0..width).all(|column| covers(row, column)));
                prop_assert!(all_covered, "{shape:?} leaves pixels of {height} x {width} uncovered");
                let inside = |region: &Region| {
                    region.top + region.rows <= height && region.left + region.columns <= width
                };
                prop_assert!(regions.iter().all(inside));
            }
        }
    }
}
