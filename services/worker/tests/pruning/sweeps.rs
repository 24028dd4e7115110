//! A sweep gives what full passes of the masked network give.

use std::num::NonZeroUsize;
use std::path::Path;

use gifthorse_defence::pruning::Ranking;
use gifthorse_network::Imported;
use gifthorse_network::surgery::pruning_site;
use gifthorse_worker::pruning::{
    ActivationCache, CacheOptions, CleanSet, CutNetwork, ImageSource, Sweep, SweepError, SweepPoint,
    TriggeredCounts, TriggeredSet, Unobserved, collect, collect_and_rank, rank,
};

use crate::networks::{deepid_like, residual, vgg_like};
use crate::support::{MadeUp, Whole, cut, engine};

const CLEAN: usize = 300;
const TRIGGERED: usize = 70;

pub(crate) fn options(memory_bytes: u64, folder: &Path) -> CacheOptions {
    CacheOptions { memory_bytes, folder: folder.to_owned() }
}

/// Clean and triggered images of a network, and classes for them.
pub(crate) struct Sets {
    pub(crate) clean: MadeUp,
    pub(crate) triggered: MadeUp,
    pub(crate) truth: Vec<u32>,
    pub(crate) target: Vec<u32>,
}

impl Sets {
    /// What the untouched network answers counts as true, so that pruning can only do harm.
    pub(crate) fn of(network: &Imported, whole: &Whole) -> Self {
        let clean = MadeUp::of(network, CLEAN);
        let triggered = MadeUp { count: TRIGGERED, scale: 1.5, ..clean.clone() };
        let truth = whole.answers(&clean);
        let target = whole.answers(&triggered).into_iter().map(|class| class % 3).collect();
        Self { clean, triggered, truth, target }
    }

    pub(crate) fn collected(
        &self,
        network: &CutNetwork,
        memory_bytes: u64,
        folder: &Path,
    ) -> (ActivationCache, ActivationCache) {
        let of =
            |images: &MadeUp| collect(network, images, options(memory_bytes, folder), &Unobserved).unwrap();
        (of(&self.clean), of(&self.triggered))
    }

    pub(crate) fn sweep<'a>(
        &'a self,
        network: &'a CutNetwork,
        ranking: &'a Ranking,
        (clean, triggered): &'a (ActivationCache, ActivationCache),
    ) -> Sweep<'a> {
        let clean = CleanSet { cache: clean, truth: &self.truth };
        let triggered =
            TriggeredSet { cache: triggered, target: &self.target, truth: Some(&self.truth[..TRIGGERED]) };
        Sweep::new(network, ranking, clean, &[triggered]).unwrap()
    }
}

fn equal(one: &[u32], other: &[u32]) -> usize {
    one.iter().zip(other).filter(|(one, other)| one == other).count()
}

fn check(network: &Imported, layer: Option<&str>) {
    let Some(engine) = engine() else { return };
    let folder = tempfile::tempdir().unwrap();
    let site = pruning_site(&network.onnx, &network.description, layer).unwrap();
    let sets = Sets::of(network, &Whole::load(&engine, network, &network.onnx));
    let halves = cut(&engine, network, &site, 32);
    let means = rank(&halves, &sets.clean, &Unobserved).unwrap();
    let ranking = Ranking::ascending(&means).unwrap();
    let (_, both) = collect_and_rank(&halves, &sets.clean, options(0, folder.path()), &Unobserved).unwrap();
    assert_eq!(means, both);

    let caches = sets.collected(&halves, u64::MAX, folder.path());
    let points = sets.sweep(&halves, &ranking, &caches).run(&Unobserved).unwrap();
    assert_eq!(points.len(), halves.channels() + 1);
    assert_eq!(points[0].clean_correct, CLEAN);
    assert!(points[halves.channels()].clean_correct < CLEAN, "nothing happens on the way");
    for point in &points {
        let whole = Whole::pruned(&engine, network, &site, &ranking.pruned(point.channels));
        let (clean, triggered) = (whole.answers(&sets.clean), whole.answers(&sets.triggered));
        let counts = TriggeredCounts {
            to_target: equal(&triggered, &sets.target),
            correct: Some(equal(&triggered, &sets.truth)),
        };
        let expected = SweepPoint {
            channels: point.channels,
            clean_correct: equal(&clean, &sets.truth),
            triggered: vec![counts],
        };
        assert_eq!(*point, expected);
    }

    // From disk, in other batches, and with other passes: the same curve.
    for (memory, batch, steps) in [(0, 32, 1), (20_000, 7, 3), (u64::MAX, 300, 100)] {
        let halves = cut(&engine, network, &site, batch);
        let caches = sets.collected(&halves, memory, folder.path());
        assert!(caches.0.memory_bytes() <= memory);
        assert_eq!(caches.0.memory_bytes() + caches.0.disk_bytes(), CLEAN as u64 * halves.bytes_an_image());
        let sweep = sets.sweep(&halves, &ranking, &caches);
        let again = sweep.with_steps_a_pass(NonZeroUsize::new(steps).unwrap()).run(&Unobserved).unwrap();
        assert_eq!(again, points, "{memory} bytes, {batch} images, {steps} steps");
    }
}

#[test]
fn at_the_dominating_pooling() {
    check(&deepid_like(), None);
}

#[test]
fn at_a_bypassed_convolution() {
    check(&deepid_like(), Some("conv_4"));
}

#[test]
fn behind_a_residual_addition() {
    check(&residual(), None);
}

#[test]
fn inside_a_residual_block() {
    check(&residual(), Some("layer2.conv1"));
}

#[test]
fn in_a_chain_with_a_normalisation() {
    check(&vgg_like(), None);
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let Some(engine) = engine() else { return };
    let folder = tempfile::tempdir().unwrap();
    let network = deepid_like();
    let site = pruning_site(&network.onnx, &network.description, None).unwrap();
    let halves = cut(&engine, &network, &site, 32);
    let images = MadeUp::of(&network, 40);
    let cache = collect(&halves, &images, options(u64::MAX, folder.path()), &Unobserved).unwrap();
    let other = Ranking::try_from(vec![1, 0]).unwrap();
    let ranking = Ranking::try_from((0..16).collect::<Vec<_>>()).unwrap();
    let truth = vec![0; 40];
    let clean = CleanSet { cache: &cache, truth: &truth };
    let refused = Sweep::new(&halves, &other, clean, &[]).unwrap_err();
    assert!(refused.to_string().contains("layer \"pool_3\" has 16"), "{refused}");
    let short = CleanSet { cache: &cache, truth: &truth[1..] };
    let refused = Sweep::new(&halves, &ranking, short, &[]).unwrap_err();
    assert!(matches!(refused, SweepError::Labels { images: 40, labels: 39, kind: "true classes" }));
    let sweep = Sweep::new(&halves, &ranking, clean, &[]).unwrap();
    let refused = sweep.points(3..=17, &Unobserved).unwrap_err();
    assert!(matches!(refused, SweepError::Steps { .. }));
    let refused = halves.carried(images.read(0..1).unwrap()[1..].to_vec()).unwrap_err();
    assert!(matches!(refused, SweepError::Images { .. }), "{refused}");
}
