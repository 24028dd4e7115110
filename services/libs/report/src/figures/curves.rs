//! Error rates as lines: against the threshold, against each other, and as ROC.

use std::ops::Range;

use plotters::chart::{ChartBuilder, LabelAreaPosition};
use plotters::element::{Circle, Cross, PathElement, TriangleMarker};
use plotters::prelude::{DashedLineSeries, DrawingBackend, LineSeries};
use plotters::style::{Color, RGBColor};

use crate::figures::render::{Area, Drawing, Fault, stripe, swatch, text};
use crate::figures::style;

/// An axis.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    /// What was measured, with its unit.
    pub(crate) label: String,
    /// From where to where.
    pub(crate) range: Range<f64>,
    /// What stands at a place of the axis.
    pub(crate) tick: fn(f64) -> String,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Thick, as most are.
    Plain,
    /// Thin, behind the others.
    Thin,
    /// In dashes.
    Dashed,
}

/// A line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// What it is, for the legend.
    pub(crate) label: String,
    /// Its colour.
    pub(crate) colour: RGBColor,
    /// Its points.
    pub(crate) points: Vec<(f64, f64)>,
    /// A point of it to mark.
    pub(crate) mark: Option<(f64, f64)>,
    /// How it is drawn.
    pub(crate) look: Look,
}

/// The form of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Two crossing lines.
    Cross,
    /// A filled triangle.
    Triangle,
}

/// Points that no line joins.
#[derive(Debug, Clone)]
pub(crate) struct Symbols {
    /// What they are, for the legend.
    pub(crate) label: String,
    /// Their colour.
    pub(crate) colour: RGBColor,
    /// Their form.
    pub(crate) form: Form,
    /// Where they are.
    pub(crate) points: Vec<(f64, f64)>,
}

/// Lines on common axes, with the legend above.
#[derive(Debug, Clone)]
pub(crate) struct Curves {
    /// The axis to the right.
    pub(crate) x: Axis,
    /// The axis upward.
    pub(crate) y: Axis,
    /// The lines.
    pub(crate) lines: Vec<Line>,
    /// Points beside the lines.
    pub(crate) symbols: Vec<Symbols>,
    /// A vertical line at this place.
    pub(crate) threshold: Option<f64>,
    /// Whether the line of guessing is drawn.
    pub(crate) diagonal: bool,
}

/// Drawn height of the plot with its axis.
const PLOT: u32 = 680;

impl Drawing for Curves {
    fn size(&self) -> (u32, u32) {
        (style::WIDTH, PLOT + self.legend())
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Result<(), Fault> {
        let (legend, plot) = area.split_vertically(self.legend());
        self.draw_legend(&legend)?;
        self.plot(&plot)
    }
}

impl Curves {
    /// Height of the legend.
    pub(super) fn legend(&self) -> u32 {
        ((self.lines.len() + self.symbols.len()) as i32 * style::LINE + 14) as u32
    }

    /// Names the lines, one below the other, then the symbols.
    pub(super) fn draw_legend<B: DrawingBackend>(&self, area: &Area<B>) -> Result<(), Fault> {
        let left = style::BORDER + 106;
        let mut top = 0;
        for line in &self.lines {
            match line.look {
                Look::Plain => swatch(area, (left, top), line.colour)?,
                Look::Thin => stripe(area, (left, top + 8), 22, line.colour)?,
                Look::Dashed => {
                    stripe(area, (left, top + 8), 8, line.colour)?;
                    stripe(area, (left + 14, top + 8), 8, line.colour)?;
                }
            }
            text(area, &line.label, (left + 32, top + 4), &style::letters(style::TEXT), style::INK)?;
            top += style::LINE;
        }
        for symbols in &self.symbols {
            let place = (left + 11, top + 11);
            match symbols.form {
                Form::Cross => area.draw(&cross(place, symbols.colour))?,
                Form::Triangle => area.draw(&triangle(place, symbols.colour))?,
            }
            text(area, &symbols.label, (left + 32, top + 4), &style::letters(style::TEXT), style::INK)?;
            top += style::LINE;
        }
        Ok(())
    }

    /// Draws the lines and symbols on their axes.
    pub(super) fn plot<B: DrawingBackend>(&self, area: &Area<B>) -> Result<(), Fault> {
        let mut chart = ChartBuilder::on(area)
            .margin_left(style::BORDER)
            .margin_right(style::BORDER * 2)
            .margin_top(8)
            .margin_bottom(10)
            .set_label_area_size(LabelAreaPosition::Left, 106)
            .set_label_area_size(LabelAreaPosition::Bottom, 84)
            .build_cartesian_2d(self.x.range.clone(), self.y.range.clone())?;
        chart
            .configure_mesh()
            .light_line_style(style::stroke(style::FAINT, 0))
            .bold_line_style(style::stroke(style::FAINT, 1))
            .axis_style(style::stroke(style::INK, 2))
            .label_style(style::letters(22))
            .axis_desc_style(style::letters(24))
            .x_labels(11)
            .y_labels(11)
            .x_label_formatter(&|value| (self.x.tick)(*value))
            .y_label_formatter(&|value| (self.y.tick)(*value))
            .x_desc(self.x.label.as_str())
            .y_desc(self.y.label.as_str())
            .draw()?;
        if self.diagonal {
            let ends = vec![(self.x.range.start, self.y.range.start), (self.x.range.end, self.y.range.end)];
            chart.draw_series([PathElement::new(ends, style::stroke(style::FAINT, 3))])?;
        }
        if let Some(threshold) = self.threshold {
            let ends = vec![(threshold, self.y.range.start), (threshold, self.y.range.end)];
            chart.draw_series([PathElement::new(ends, style::stroke(style::ALERT, 4))])?;
        }
        for line in &self.lines {
            let points = line.points.iter().copied();
            match line.look {
                Look::Plain => chart.draw_series(LineSeries::new(points, style::stroke(line.colour, 5)))?,
                Look::Thin => chart.draw_series(LineSeries::new(points, style::stroke(line.colour, 3)))?,
                Look::Dashed => {
                    chart.draw_series(DashedLineSeries::new(points, 16, 10, style::stroke(line.colour, 4)))?
                }
            };
        }
        for line in &self.lines {
            if let Some(place) = line.mark {
                chart.draw_series([Circle::new(place, 11, line.colour.filled())])?;
            }
        }
        for symbols in &self.symbols {
            let points = symbols.points.iter().copied();
            match symbols.form {
                Form::Cross => chart.draw_series(points.map(|place| cross(place, symbols.colour)))?,
                Form::Triangle => chart.draw_series(points.map(|place| triangle(place, symbols.colour)))?,
            };
        }
        Ok(())
    }
}

fn cross<Place>(place: Place, colour: RGBColor) -> Cross<Place, i32> {
    Cross::new(place, 11, style::stroke(colour, 5))
}

fn triangle<Place>(place: Place, colour: RGBColor) -> TriangleMarker<Place, i32> {
    TriangleMarker::new(place, 15, colour.filled())
}
