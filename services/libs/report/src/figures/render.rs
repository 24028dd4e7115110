//! One drawing, two formats.

use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::{
    BitMapBackend, DrawingArea, DrawingBackend, IntoDrawingArea, Rectangle, SVGBackend, Text, WHITE,
};
use plotters::style::{Color, FontDesc, RGBColor};

use crate::error::ReportError;
use crate::figures::pictures::Stamp;
use crate::figures::{Figure, style};
use crate::format;
use crate::picture;

/// Where something is drawn.
pub(crate) type Area<B> = DrawingArea<B, Shift>;

/// What the drawing library could not do.
#[derive(Debug)]
pub(crate) struct Fault(String);

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for Fault {
    fn from(error: DrawingAreaErrorKind<E>) -> Self {
        Self(error.to_string())
    }
}

/// What can be drawn below a heading.
pub(crate) trait Drawing {
    /// Drawn width and height, without the heading.
    fn size(&self) -> (u32, u32);

    /// Draws it.
    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Result<(), Fault>;

    /// Pictures that are laid over it, in the coordinates of the area.
    fn stamps(&self) -> Vec<Stamp<'_>> {
        Vec::new()
    }
}

/// Draws a figure.
pub(crate) fn figure(
    name: String,
    title: String,
    caption: String,
    drawing: &impl Drawing,
) -> Result<Figure, ReportError> {
    let broken = |fault: String| ReportError::Drawing { figure: name.clone(), fault };
    style::use_own_letters().map_err(|fault| broken(fault.to_owned()))?;
    let (width, height) = drawing.size();
    let size = (width, height + style::HEADING as u32);

    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    with_heading(&area, &title, drawing).map_err(|Fault(fault)| broken(fault))?;
    area.present().map_err(|error| broken(error.to_string()))?;
    drop(area);

    let mut pixels = vec![0_u8; size.0 as usize * size.1 as usize * 3];
    let area = BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
    with_heading(&area, &title, drawing).map_err(|Fault(fault)| broken(fault))?;
    area.present().map_err(|error| broken(error.to_string()))?;
    drop(area);

    let mut layer = String::new();
    for stamp in drawing.stamps() {
        let stamp = stamp.moved_down(style::HEADING);
        layer.push_str(&stamp.to_svg()?);
        stamp.press(&mut pixels, size);
    }
    let png = picture::png(&pixels, size.0, size.1)?;
    Ok(Figure { svg: finished(&svg, &title, &layer, size), name, title, caption, png })
}

fn with_heading<B: DrawingBackend>(area: &Area<B>, title: &str, drawing: &impl Drawing) -> Result<(), Fault> {
    area.fill(&WHITE)?;
    let (heading, rest) = area.split_vertically(style::HEADING);
    text(&heading, title, (style::BORDER, 14), &style::bold(28), style::INK)?;
    drawing.draw(&rest)
}

/// The SVG document with its shown size, its title for screen readers and the pictures laid over it.
fn finished(svg: &str, title: &str, layer: &str, (width, height): (u32, u32)) -> String {
    let (shown_width, shown_height) = (width / style::SCALE, height / style::SCALE);
    let drawn = format!("<svg width=\"{width}\" height=\"{height}\"");
    let title = format::escaped(title);
    let shown =
        format!("<svg role=\"img\" aria-label=\"{title}\" width=\"{shown_width}\" height=\"{shown_height}\"");
    let svg = svg.trim_end().replacen(&drawn, &shown, 1);
    let body = svg.strip_suffix("</svg>").unwrap_or(&svg);
    format!("{body}{layer}</svg>\n")
}

/// Writes one line.
pub(crate) fn text<B: DrawingBackend>(
    area: &Area<B>,
    words: &str,
    place: (i32, i32),
    letters: &FontDesc<'static>,
    colour: RGBColor,
) -> Result<(), Fault> {
    area.draw(&Text::new(words.to_owned(), place, letters.color(&colour.to_rgba())))?;
    Ok(())
}

/// A small square of a colour, as in a legend.
pub(crate) fn swatch<B: DrawingBackend>(
    area: &Area<B>,
    (x, y): (i32, i32),
    colour: RGBColor,
) -> Result<(), Fault> {
    area.draw(&Rectangle::new([(x, y), (x + 22, y + 22)], colour.filled()))?;
    Ok(())
}

/// A short piece of a line, as in a legend.
pub(crate) fn stripe<B: DrawingBackend>(
    area: &Area<B>,
    (x, y): (i32, i32),
    length: i32,
    colour: RGBColor,
) -> Result<(), Fault> {
    area.draw(&Rectangle::new([(x, y), (x + length, y + 6)], colour.filled()))?;
    Ok(())
}
