//! Colours, letters and measures of all figures.
//!
//! Figures are drawn on twice as many pixels as they are shown with, so that lines fall between pixels in the
//! SVG too and the PNG is sharp on paper.

use plotters::style::{FontDesc, FontFamily, FontStyle, RGBColor, ShapeStyle, register_font};

/// Drawn pixels for one shown pixel.
pub(crate) const SCALE: u32 = 2;
/// Drawn width of a figure.
pub(crate) const WIDTH: u32 = 760 * SCALE;
/// Empty border of a figure.
pub(crate) const BORDER: i32 = 24;
/// Height of a heading's line.
pub(crate) const HEADING: i32 = 52;
/// Height of a line of text.
pub(crate) const LINE: i32 = 38;

/// Ink.
pub(crate) const INK: RGBColor = RGBColor(33, 37, 41);
/// Lines of the grid.
pub(crate) const FAINT: RGBColor = RGBColor(222, 226, 230);
/// Thresholds and evidence.
pub(crate) const ALERT: RGBColor = RGBColor(200, 30, 30);
/// Clean images.
pub(crate) const CLEAN: RGBColor = RGBColor(0, 114, 178);
/// Triggered sets: Okabe and Ito's colours, which the colour-blind can tell apart.
const TRIGGERED: [RGBColor; 6] = [
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(110, 110, 110),
];

/// The colour of the triggered set with this number.
pub(crate) const fn triggered(set: usize) -> RGBColor {
    TRIGGERED[set % TRIGGERED.len()]
}

/// Ordinary letters.
pub(crate) fn letters(size: i32) -> FontDesc<'static> {
    FontDesc::new(FontFamily::SansSerif, f64::from(size), FontStyle::Normal)
}

/// Bold letters.
pub(crate) fn bold(size: i32) -> FontDesc<'static> {
    FontDesc::new(FontFamily::SansSerif, f64::from(size), FontStyle::Bold)
}

/// Letters of a text.
pub(crate) const TEXT: i32 = 25;

/// A line.
pub(crate) fn stroke(colour: RGBColor, width: u32) -> ShapeStyle {
    ShapeStyle { color: colour.into(), filled: false, stroke_width: width }
}

/// Makes the letters known that come with the program, so that machines without fonts draw the same.
pub(crate) fn use_own_letters() -> Result<(), &'static str> {
    let fault = "the letters that come with the program cannot be read";
    register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular()).map_err(|_| fault)?;
    register_font("sans-serif", FontStyle::Bold, dejavu::sans::bold()).map_err(|_| fault)
}
