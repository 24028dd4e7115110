//! Histograms of several sets, one below the other, on one axis.

use plotters::chart::{ChartBuilder, LabelAreaPosition};
use plotters::prelude::{DrawingBackend, PathElement, Rectangle};
use plotters::style::{Color, RGBColor};

use crate::figures::render::{Area, Drawing, Fault, swatch, text};
use crate::figures::style;
use crate::format;
use crate::statistics::Bins;

/// Numbers of one set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Set {
    /// What they are.
    pub(crate) label: String,
    /// Its colour.
    pub(crate) colour: RGBColor,
    /// The numbers.
    pub(crate) values: Vec<f64>,
}

/// The histograms.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Histograms {
    /// What was measured, with its unit.
    pub(crate) axis: String,
    /// The bins of all.
    pub(crate) bins: Bins,
    /// The sets, from above.
    pub(crate) sets: Vec<Set>,
    /// A line at this number.
    pub(crate) threshold: Option<f64>,
}

/// Drawn height of one histogram with its line of text.
const PANEL: u32 = 210;
/// Drawn height of the axis below.
const AXIS: u32 = 84;
/// Empty space below the axis.
const FOOT: u32 = 10;

impl Drawing for Histograms {
    fn size(&self) -> (u32, u32) {
        (style::WIDTH, PANEL * self.sets.len() as u32 + AXIS + FOOT)
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Result<(), Fault> {
        let mut rest = area.clone();
        for (index, set) in self.sets.iter().enumerate() {
            let last = index + 1 == self.sets.len();
            let (panel, below) = rest.split_vertically(PANEL + if last { AXIS + FOOT } else { 0 });
            self.panel(&panel, set, last)?;
            rest = below;
        }
        Ok(())
    }
}

impl Histograms {
    fn panel<B: DrawingBackend>(&self, area: &Area<B>, set: &Set, last: bool) -> Result<(), Fault> {
        let (head, body) = area.split_vertically(style::LINE + 6);
        swatch(&head, (style::BORDER + 106, 6), set.colour)?;
        text(&head, &self.heading(set), (style::BORDER + 138, 10), &style::letters(style::TEXT), style::INK)?;

        let total = set.values.len().max(1) as f64;
        let shares: Vec<f64> =
            self.bins.count_of(&set.values).iter().map(|count| *count as f64 / total).collect();
        let top = shares.iter().copied().fold(0.0, f64::max).max(0.01) * 1.08;
        let mut chart = ChartBuilder::on(&body)
            .margin_left(style::BORDER)
            .margin_bottom(if last { FOOT } else { 0 })
            .margin_right(style::BORDER)
            .set_label_area_size(LabelAreaPosition::Left, 106)
            .set_label_area_size(LabelAreaPosition::Bottom, if last { AXIS } else { 0 })
            .build_cartesian_2d(self.bins.start..self.bins.end(), 0.0..top)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(style::stroke(style::FAINT, 0))
            .bold_line_style(style::stroke(style::FAINT, 1))
            .axis_style(style::stroke(style::INK, 2))
            .label_style(style::letters(22))
            .axis_desc_style(style::letters(24))
            .y_labels(4)
            .y_label_formatter(&|share| format!("{:.0} %", share * 100.0))
            .y_desc("images")
            .x_labels(9)
            .x_label_formatter(&|value| tick(*value))
            .x_desc(if last { self.axis.as_str() } else { "" })
            .draw()?;
        let bars = shares.iter().enumerate().filter(|(_, share)| **share > 0.0).map(|(bin, share)| {
            let (start, end) = self.bins.edges(bin);
            Rectangle::new([(start, 0.0), (end, *share)], set.colour.mix(0.75).filled())
        });
        chart.draw_series(bars)?;
        if let Some(threshold) = self.threshold {
            let line = vec![(threshold, 0.0), (threshold, top)];
            chart.draw_series([PathElement::new(line, style::stroke(style::ALERT, 4))])?;
        }
        Ok(())
    }

    /// What a panel shows, and how much of it lies below the threshold.
    fn heading(&self, set: &Set) -> String {
        let images = format::images(set.values.len() as u64);
        let Some(threshold) = self.threshold else { return format!("{}: {images}", set.label) };
        let below = set.values.iter().filter(|value| **value < threshold).count();
        format!("{}: {images}, {below} below the threshold {}", set.label, format::number(threshold))
    }
}

/// A number at an axis: as many digits as it needs, three at most.
pub(crate) fn tick(value: f64) -> String {
    let text = format!("{value:.3}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}
