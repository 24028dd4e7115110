//! The batch of one image and its blends, in the same arithmetic as the detectors blend in.

use ndarray::{ArrayD, Axis, IxDyn, arr0};

use super::{Guard, GuardBlend};
use crate::Layout;
use crate::onnx::{GraphBuilder, attribute};

/// Adds the nodes that make of images `[N, ...]` the rows `[N * (K + 1), ...]`: each image, then its blends
/// with the overlays in order. Answers the name of the rows.
pub(super) fn rows(graph: &mut GraphBuilder, image: &str, guard: &Guard<'_>, layout: Layout) -> String {
    let sizes: Vec<i64> = guard.bank.shape()[1..].iter().map(|size| *size as i64).collect();
    let apart = [&[-1, 1], sizes.as_slice()].concat();
    let apart = graph.initializer_i64("guard/apart", &apart);
    let single = graph.node("Reshape", "guard/image", &[image, &apart], Vec::new());
    let blends = blends(graph, &single, guard, layout);
    let along_copies = vec![attribute::int("axis", 1)];
    let stacked = graph.node("Concat", "guard/stacked", &[&single, &blends], along_copies);
    let together = [&[-1], sizes.as_slice()].concat();
    let together = graph.initializer_i64("guard/together", &together);
    graph.node("Reshape", "guard/rows", &[&stacked, &together], Vec::new())
}

/// Blends `[N, K, ...]` of images `[N, 1, ...]`.
fn blends(graph: &mut GraphBuilder, single: &str, guard: &Guard<'_>, layout: Layout) -> String {
    let bank = guard.bank.insert_axis(Axis(0));
    match &guard.blend {
        GuardBlend::Add { black } => {
            let bank = graph.initializer_f32("guard/bank", bank);
            added(graph, single, &bank, black, layout)
        }
        GuardBlend::AddClamp { black, white } => {
            let bank = graph.initializer_f32("guard/bank", bank);
            let sum = added(graph, single, &bank, black, layout);
            let black = graph.initializer_f32("guard/lowest", plane(black, layout).view());
            let white = graph.initializer_f32("guard/highest", plane(white, layout).view());
            let raised = graph.node("Max", "guard/raised", &[&sum, &black], Vec::new());
            graph.node("Min", "guard/clamped", &[&raised, &white], Vec::new())
        }
        GuardBlend::Convex { weight } => {
            let share = bank.mapv(|level| (1.0 - weight) * level);
            let share = graph.initializer_f32("guard/bank", share.view());
            let weight = graph.initializer_f32("guard/weight", arr0(*weight).view());
            let own = graph.node("Mul", "guard/own", &[single, &weight], Vec::new());
            graph.node("Add", "guard/blends", &[&own, &share], Vec::new())
        }
    }
}

fn added(graph: &mut GraphBuilder, single: &str, bank: &str, black: &[f32], layout: Layout) -> String {
    let sum = graph.node("Add", "guard/sum", &[single, bank], Vec::new());
    if black.iter().all(|level| *level == 0.0) {
        return sum;
    }
    let black = graph.initializer_f32("guard/black", plane(black, layout).view());
    graph.node("Sub", "guard/blends", &[&sum, &black], Vec::new())
}

/// One value a channel, of a shape that stretches over `[N, K, ...]`.
fn plane(levels: &[f32], layout: Layout) -> ArrayD<f32> {
    let mut axes = [1; 5];
    axes[if layout == Layout::Nchw { 2 } else { 4 }] = levels.len();
    // The number of levels is the one axis that is not 1, so the sum of the places is the channel.
    ArrayD::from_shape_fn(IxDyn(&axes), |place| (0..5).map(|axis| place[axis]).sum::<usize>())
        .mapv(|channel| levels[channel])
}
