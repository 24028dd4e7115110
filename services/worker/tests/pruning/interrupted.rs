//! A sweep can be ended between batches and gone on with.

use std::cell::{Cell, RefCell};

use gifthorse_defence::pruning::Ranking;
use gifthorse_network::surgery::pruning_site;
use gifthorse_worker::pruning::{
    Observer, Progress, Stage, SweepError, SweepPoint, Unobserved, collect, rank,
};

use crate::networks::deepid_like;
use crate::support::{Whole, cut, engine};
use crate::sweeps::{Sets, options};

/// Ends the work after some batches, and keeps the points it hears of.
struct Impatient {
    left: Cell<usize>,
    points: RefCell<Vec<SweepPoint>>,
    progress: RefCell<Vec<Progress>>,
}

impl Impatient {
    fn after(batches: usize) -> Self {
        Self { left: Cell::new(batches), points: RefCell::default(), progress: RefCell::default() }
    }
}

impl Observer for Impatient {
    fn is_cancelled(&self) -> bool {
        self.left.get() == 0
    }

    fn progress(&self, progress: Progress) {
        self.left.set(self.left.get().saturating_sub(1));
        self.progress.borrow_mut().push(progress);
    }

    fn point(&self, point: &SweepPoint) {
        self.points.borrow_mut().push(point.clone());
    }
}

#[test]
fn it_goes_on_where_it_was_cut_off() {
    let Some(engine) = engine() else { return };
    let folder = tempfile::tempdir().unwrap();
    let network = deepid_like();
    let site = pruning_site(&network.onnx, &network.description, None).unwrap();
    let sets = Sets::of(&network, &Whole::load(&engine, &network, &network.onnx));
    let halves = cut(&engine, &network, &site, 64);
    let ranking = Ranking::ascending(&rank(&halves, &sets.clean, &Unobserved).unwrap()).unwrap();
    let caches = sets.collected(&halves, 30_000, folder.path());
    let sweep = sets.sweep(&halves, &ranking, &caches).with_steps_a_pass(3.try_into().unwrap());

    let patient = Impatient::after(usize::MAX);
    let whole = sweep.run(&patient).unwrap();
    assert_eq!(*patient.points.borrow(), whole);
    let progress = patient.progress.borrow();
    assert!(progress.windows(2).all(|pair| pair[0].done < pair[1].done));
    let last = progress.last().unwrap();
    assert_eq!((last.stage, last.done), (Stage::Sweep, last.total));

    let batches = progress.len();
    let mut cut_off_midway = 0;
    for after in (0..batches).step_by(5) {
        let impatient = Impatient::after(after);
        let refused = sweep.run(&impatient).unwrap_err();
        assert!(matches!(refused, SweepError::Cancelled), "{refused}");
        let mut points = impatient.points.into_inner();
        cut_off_midway += usize::from(!points.is_empty());
        let next = points.len();
        points.extend(sweep.points(next..=halves.channels(), &Unobserved).unwrap());
        assert_eq!(points, whole, "cut off after {after} of {batches} batches");
    }
    assert!(cut_off_midway > 2);
}

#[test]
fn collecting_ends_too() {
    let Some(engine) = engine() else { return };
    let folder = tempfile::tempdir().unwrap();
    let network = deepid_like();
    let site = pruning_site(&network.onnx, &network.description, None).unwrap();
    let sets = Sets::of(&network, &Whole::load(&engine, &network, &network.onnx));
    let halves = cut(&engine, &network, &site, 64);
    let impatient = Impatient::after(2);
    let refused = collect(&halves, &sets.clean, options(0, folder.path()), &impatient).unwrap_err();
    assert!(matches!(refused, SweepError::Cancelled));
    assert_eq!(impatient.progress.borrow().last().unwrap().done, 128);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left on disk");
}
