//! Rows of pictures with words below them.

use plotters::prelude::DrawingBackend;

use crate::figures::pictures::Stamp;
use crate::figures::render::{Area, Drawing, Fault, text};
use crate::figures::style;
use crate::picture::Picture;
use crate::record::RegionRecord;

/// One picture.
#[derive(Debug, Clone)]
pub(crate) struct Tile {
    /// The picture.
    pub(crate) picture: Picture,
    /// A rectangle of it to mark.
    pub(crate) mark: Option<RegionRecord>,
    /// Lines of text below it.
    pub(crate) words: Vec<String>,
}

/// Pictures in rows.
#[derive(Debug, Clone)]
pub(crate) struct Grid {
    /// The tiles of every row.
    pub(crate) rows: Vec<Vec<Tile>>,
    /// Tiles a row has at most.
    pub(crate) columns: usize,
}

/// The longer side that a picture is drawn with, about.
const SIDE: u32 = 300;
/// About the width of a letter.
const LETTER: i32 = 14;
/// Space between tiles.
const GAP: i32 = 28;

impl Grid {
    fn cell_width(&self) -> i32 {
        (style::WIDTH as i32 - 2 * style::BORDER) / self.columns.max(1) as i32
    }

    /// Drawn size of a picture: a whole multiple of its own where it is small.
    fn drawn(&self, picture: &Picture) -> (u32, u32) {
        let (width, height) = picture.size();
        let side = SIDE.min((self.cell_width() - GAP).max(1) as u32);
        let factor = f64::from(side) / f64::from(width.max(height));
        let factor = if factor >= 1.0 { factor.floor() } else { factor };
        let scaled = |side: u32| ((f64::from(side) * factor).round() as u32).max(1);
        (scaled(width), scaled(height))
    }

    /// Where every row starts, and where the last one ends.
    fn tops(&self) -> Vec<i32> {
        let mut tops = vec![10];
        let mut top = 10;
        for row in &self.rows {
            let height = row.iter().map(|tile| self.drawn(&tile.picture).1 as i32 + words_height(tile)).max();
            top += height.unwrap_or_default() + GAP;
            tops.push(top);
        }
        tops
    }

    /// The words as far as they fit below a tile.
    fn clipped(&self, words: &str) -> String {
        let fit = (((self.cell_width() - GAP / 2) / LETTER).max(2)) as usize;
        if words.chars().count() <= fit {
            return words.to_owned();
        }
        words.chars().take(fit - 1).chain(['…']).collect()
    }

    fn left(&self, column: usize) -> i32 {
        style::BORDER + self.cell_width() * column as i32
    }
}

fn words_height(tile: &Tile) -> i32 {
    8 + tile.words.len() as i32 * (style::LINE - 8)
}

impl Drawing for Grid {
    fn size(&self) -> (u32, u32) {
        (style::WIDTH, self.tops().last().copied().unwrap_or_default().max(1) as u32)
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Result<(), Fault> {
        for (row, top) in self.rows.iter().zip(self.tops()) {
            for (column, tile) in row.iter().enumerate() {
                let mut line = top + self.drawn(&tile.picture).1 as i32 + 10;
                for words in &tile.words {
                    text(
                        area,
                        &self.clipped(words),
                        (self.left(column), line),
                        &style::letters(22),
                        style::INK,
                    )?;
                    line += style::LINE - 8;
                }
            }
        }
        Ok(())
    }

    fn stamps(&self) -> Vec<Stamp<'_>> {
        let mut stamps = Vec::new();
        for (row, top) in self.rows.iter().zip(self.tops()) {
            for (column, tile) in row.iter().enumerate() {
                stamps.push(Stamp {
                    picture: &tile.picture,
                    place: (self.left(column), top),
                    size: self.drawn(&tile.picture),
                    mark: tile.mark,
                });
            }
        }
        stamps
    }
}
