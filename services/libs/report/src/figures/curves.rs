//! Error rates as lines: against the threshold, against each other, and as ROC.

use std::ops::Range;

use plotters::chart::{ChartBuilder, LabelAreaPosition};
use plotters::prelude::{Circle, DrawingBackend, LineSeries, PathElement};
use plotters::style::{Color, RGBColor};

use crate::figures::render::{Area, Drawing, Fault, swatch, text};
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
        for (index, line) in self.lines.iter().enumerate() {
            let top = index as i32 * style::LINE;
            swatch(&legend, (style::BORDER + 106, top), line.colour)?;
            text(
                &legend,
                &line.label,
                (style::BORDER + 138, top + 4),
                &style::letters(style::TEXT),
                style::INK,
            )?;
        }
        self.plot(&plot)
    }
}

impl Curves {
    fn legend(&self) -> u32 {
        (self.lines.len() as i32 * style::LINE + 14) as u32
    }

    fn plot<B: DrawingBackend>(&self, area: &Area<B>) -> Result<(), Fault> {
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
            chart.draw_series(LineSeries::new(line.points.iter().copied(), style::stroke(line.colour, 5)))?;
        }
        for line in &self.lines {
            if let Some(place) = line.mark {
                chart.draw_series([Circle::new(place, 11, line.colour.filled())])?;
            }
        }
        Ok(())
    }
}
