//! Two plots with common lines, one below the other: what a training lost, and what it kept.

use plotters::prelude::DrawingBackend;

use crate::figures::curves::Curves;
use crate::figures::render::{Area, Drawing, Fault};
use crate::figures::style;

/// Plots of the same runs over the same axis to the right; the first one's legend stands for all.
#[derive(Debug, Clone)]
pub(crate) struct Stacked {
    /// The plots, from above; at least one.
    pub(crate) plots: Vec<Curves>,
}

/// Drawn height of a plot with its axis.
const PLOT: u32 = 460;

impl Stacked {
    fn legend(&self) -> u32 {
        self.plots.first().map_or(0, Curves::legend)
    }
}

impl Drawing for Stacked {
    fn size(&self) -> (u32, u32) {
        (style::WIDTH, PLOT * self.plots.len() as u32 + self.legend())
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Result<(), Fault> {
        let (legend, mut rest) = area.split_vertically(self.legend());
        if let Some(first) = self.plots.first() {
            first.draw_legend(&legend)?;
        }
        for plot in &self.plots {
            let (upper, below) = rest.split_vertically(PLOT);
            plot.plot(&upper)?;
            rest = below;
        }
        Ok(())
    }
}
