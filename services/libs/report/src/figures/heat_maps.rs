//! Many small maps of numbers on one scale of colours.

use plotters::prelude::{DrawingBackend, Rectangle};

use crate::figures::pictures::Stamp;
use crate::figures::render::{Area, Drawing, Fault, text};
use crate::figures::{style, ticks};
use crate::picture::Picture;

pub(crate) use crate::figures::heat::HeatScale;

/// One map.
#[derive(Debug, Clone)]
pub(crate) struct HeatMap {
    /// The number above it.
    pub(crate) number: usize,
    /// Its colours.
    pub(crate) picture: Picture,
    /// Whether it is framed.
    pub(crate) framed: bool,
}

/// Maps of one size in rows, below the scale of their colours.
#[derive(Debug, Clone)]
pub(crate) struct HeatMaps {
    maps: Vec<HeatMap>,
    scale: HeatScale,
    bar: Picture,
    legend: String,
}

/// Height of the scale with its numbers.
const SCALE: i32 = 84;
/// Width of the bar of colours.
const BAR: u32 = 520;
/// Height of a map's number.
const NUMBER: i32 = 24;
/// Space between maps: room for two frames.
const GAP: i32 = 16;
/// Width of a frame.
const FRAME: i32 = 4;
/// Columns at least and at most: more would leave no room for the numbers.
const COLUMNS: (usize, usize) = (6, 24);

impl HeatMaps {
    /// These maps, coloured by this scale; `legend` says what a frame means, and nothing where it is empty.
    pub(crate) fn new(maps: Vec<HeatMap>, scale: HeatScale, legend: String) -> Self {
        Self { maps, scale, bar: scale.bar(), legend }
    }

    /// Wider than high, as the page is.
    fn columns(&self) -> usize {
        let wanted = (self.maps.len() as f64 * 1.6).sqrt().ceil() as usize;
        wanted.clamp(COLUMNS.0, COLUMNS.1)
    }

    fn cell_width(&self) -> i32 {
        (style::WIDTH as i32 - 2 * style::BORDER) / self.columns() as i32
    }

    /// Drawn size of every map: a whole multiple of its own where it is small.
    fn drawn(&self) -> (u32, u32) {
        let (width, height) = self.maps.first().map_or((1, 1), |map| map.picture.size());
        let side = f64::from((self.cell_width() - GAP).max(1));
        let factor = (side / f64::from(width)).min(side * 1.5 / f64::from(height));
        let factor = if factor >= 1.0 { factor.floor() } else { factor };
        let scaled = |side: u32| ((f64::from(side) * factor).round() as u32).max(1);
        (scaled(width), scaled(height))
    }

    fn row_height(&self) -> i32 {
        self.drawn().1 as i32 + NUMBER + GAP
    }

    /// Left and upper end of the map with this index.
    fn place(&self, index: usize) -> (i32, i32) {
        let (row, column) = (index / self.columns(), index % self.columns());
        let left = style::BORDER + self.cell_width() * column as i32;
        (left, SCALE + self.row_height() * row as i32 + NUMBER)
    }

    fn draw_scale<B: DrawingBackend>(&self, area: &Area<B>) -> Result<(), Fault> {
        for quarter in 0..=4 {
            let share = f64::from(quarter) / 4.0;
            let left = style::BORDER + (share * f64::from(BAR)) as i32;
            text(area, &ticks::number(self.scale.value(share)), (left, 38), &style::letters(20), style::INK)?;
        }
        let left = style::BORDER + BAR as i32 + 120;
        if self.legend.is_empty() {
            return Ok(());
        }
        frame(area, (left, 6), (22, 22))?;
        text(area, &self.legend, (left + 38, 9), &style::letters(style::TEXT), style::INK)
    }
}

impl Drawing for HeatMaps {
    fn size(&self) -> (u32, u32) {
        let rows = self.maps.len().div_ceil(self.columns());
        (style::WIDTH, (SCALE + self.row_height() * rows as i32 + 4) as u32)
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Result<(), Fault> {
        self.draw_scale(area)?;
        let letters = style::letters(if self.columns() > 16 { 17 } else { 20 });
        for (index, map) in self.maps.iter().enumerate() {
            let (left, top) = self.place(index);
            let (words, colour) = if map.framed {
                frame(area, (left, top), self.drawn())?;
                (format!("{} ×", map.number), style::ALERT)
            } else {
                (map.number.to_string(), style::INK)
            };
            text(area, &words, (left, top - NUMBER), &letters, colour)?;
        }
        Ok(())
    }

    fn stamps(&self) -> Vec<Stamp<'_>> {
        let bar = Stamp { picture: &self.bar, place: (style::BORDER, 6), size: (BAR, 24), mark: None };
        let maps = self.maps.iter().enumerate().map(|(index, map)| Stamp {
            picture: &map.picture,
            place: self.place(index),
            size: self.drawn(),
            mark: None,
        });
        std::iter::once(bar).chain(maps).collect()
    }
}

/// A frame around a rectangle, outside of it.
fn frame<B: DrawingBackend>(
    area: &Area<B>,
    (x, y): (i32, i32),
    (width, height): (u32, u32),
) -> Result<(), Fault> {
    let (right, bottom) = (x + width as i32, y + height as i32);
    for step in 1..=FRAME {
        let corners = [(x - step, y - step), (right + step - 1, bottom + step - 1)];
        area.draw(&Rectangle::new(corners, style::stroke(style::ALERT, 1)))?;
    }
    Ok(())
}
