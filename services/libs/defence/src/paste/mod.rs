//! Region paste: lay parts of the input over clean hosts and see whether one part carries the answer along.
//!
//! A local trigger forces its class from wherever it is pasted; an honest part of a picture seldom does. The
//! part that wins is where the trigger sits.

mod black_box;
mod hosts;
mod occlusion;
mod white_box;

use ndarray::{Array4, ArrayView3, ArrayView4, Axis};

pub use black_box::RegionPaste;
pub use hosts::{HostBank, HostError, MIN_HOSTS};
pub use occlusion::OcclusionGuidedPaste;
pub use white_box::{WhiteBoxError, WhiteBoxPaste};

use crate::input::Layout;
use crate::logits::Logits;
use crate::region::Region;

/// The regions of `source` over each allowed host: all hosts of the first region, then all of the second.
fn collages(
    layout: Layout,
    source: ArrayView3<'_, f32>,
    hosts: ArrayView4<'_, f32>,
    allowed: &[usize],
    regions: &[Region],
) -> Array4<f32> {
    let chosen = hosts.select(Axis(0), allowed);
    let (_, first, second, third) = chosen.dim();
    let mut collages = Array4::zeros((regions.len() * allowed.len(), first, second, third));
    for (region, mut block) in regions.iter().zip(collages.axis_chunks_iter_mut(Axis(0), allowed.len())) {
        block.assign(&chosen);
        for collage in block.axis_iter_mut(Axis(0)) {
            region.paste(layout, source, collage);
        }
    }
    collages
}

/// The mean margin of `class` over the hosts of each region, for answers in the order of [`collages`].
fn mean_margins(answers: &Logits, class: usize, hosts: usize) -> Vec<f64> {
    let mean = |first: usize| {
        (first..first + hosts).map(|row| answers.margin(row, class)).sum::<f64>() / hosts as f64
    };
    (0..answers.rows()).step_by(hosts).map(mean).collect()
}

/// The region with the highest mean margin, the first of equals, and that margin; of at least one region.
fn winner(regions: &[Region], means: &[f64]) -> (Region, f64) {
    let best = (1..means.len()).fold(0, |best, next| if means[next] > means[best] { next } else { best });
    (regions[best], means[best])
}
