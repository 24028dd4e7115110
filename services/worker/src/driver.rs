//! Drives an engine through the stages of a job, on a thread of its own.

use std::path::Path;

use gifthorse_api::catalogue::ErrorCode;

use crate::desk::Desk;
use crate::engine::{Engine, EngineFault, Outcome, Saved, Stage};

/// Runs a job to its end. `output` is an empty folder for what comes out.
pub(crate) fn drive(
    engine: &mut dyn Engine,
    saved: Option<&Saved>,
    output: &Path,
    desk: &mut Desk,
) -> Result<Outcome, EngineFault> {
    run(engine, Stage::Load, Saving::Never, desk)?;
    let first = match saved {
        Some(saved) => {
            engine.restore(saved)?;
            desk.log(format!("going on with {} at {}", saved.stage.name(), saved.done))?;
            saved.stage
        }
        None => Stage::Load,
    };
    let left = Stage::ALL.into_iter().filter(|stage| *stage > Stage::Load && *stage >= first);
    for stage in left {
        run(engine, stage, Saving::Wanted, desk)?;
    }
    desk.cancelled().check()?;
    engine.finish(output)
}

/// Whether a stage leaves checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Saving {
    Never,
    Wanted,
}

fn run(engine: &mut dyn Engine, stage: Stage, saving: Saving, desk: &mut Desk) -> Result<(), EngineFault> {
    desk.cancelled().check()?;
    let extent = engine.enter(stage)?;
    if extent.total == 0 {
        return Ok(());
    }
    desk.enter(stage, extent)?;
    let mut done = extent.done;
    while done < extent.total {
        desk.cancelled().check()?;
        let advance = engine.advance(desk.cancelled())?;
        if advance.done <= done {
            let message =
                format!("the engine stands still in {} at {done} of {}", stage.name(), extent.total);
            return Err(EngineFault::internal(ErrorCode::Internal, message));
        }
        done = advance.done.min(extent.total);
        let save = advance.save && saving == Saving::Wanted && done < extent.total;
        desk.advance(advance)?;
        if save {
            desk.checkpoint(stage, done, |folder| engine.save(folder))?;
        }
    }
    // The end of a stage is the beginning of the next one.
    let next = Stage::ALL.into_iter().find(|next| *next > stage);
    match next {
        Some(next) if saving == Saving::Wanted => desk.checkpoint(next, 0, |folder| engine.save(folder)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use gifthorse_api::v1;
    use tokio::sync::mpsc;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::desk::Note;
    use crate::engine::{Advance, Cancelled, Extent};

    /// Notes what it is called for; three units a stage, none for choosing, saved after the second.
    #[derive(Default)]
    struct Noting {
        calls: Vec<String>,
        stage: Option<Stage>,
        done: u64,
        stands_still: bool,
    }

    impl Engine for Noting {
        fn restore(&mut self, saved: &Saved) -> Result<(), EngineFault> {
            self.calls.push(format!("restore {} {}", saved.stage.name(), saved.done));
            (self.stage, self.done) = (Some(saved.stage), saved.done);
            Ok(())
        }

        fn enter(&mut self, stage: Stage) -> Result<Extent, EngineFault> {
            self.calls.push(stage.name().to_owned());
            if self.stage != Some(stage) {
                (self.stage, self.done) = (Some(stage), 0);
            }
            let total = if stage == Stage::Choose { 0 } else { 3 };
            Ok(Extent { done: self.done, total, unit: "units" })
        }

        fn advance(&mut self, _: &Cancelled) -> Result<Advance, EngineFault> {
            self.done += u64::from(!self.stands_still);
            Ok(Advance { done: self.done, save: self.done == 2, ..Advance::default() })
        }

        fn save(&mut self, folder: &Path) -> Result<(), EngineFault> {
            assert!(folder.is_dir());
            Ok(())
        }

        fn finish(&mut self, _: &Path) -> Result<Outcome, EngineFault> {
            self.calls.push("finish".to_owned());
            Ok(Outcome {
                gate: v1::RepairGate::default(),
                layer: String::new(),
                pruned_channels: 0,
                clean_accuracy_before: f64::NAN,
                clean_accuracy_after: f64::NAN,
                attack_success_rate_before: BTreeMap::new(),
                attack_success_rate_after: BTreeMap::new(),
                version: None,
                report: Vec::new(),
            })
        }
    }

    /// Drives the engine and gives the checkpoints it left.
    fn driven(
        engine: &mut Noting,
        saved: Option<&Saved>,
        cancelled: &CancellationToken,
    ) -> (Result<Outcome, EngineFault>, Vec<(Stage, u64)>) {
        let scratch = tempfile::tempdir().unwrap();
        let (notes, mut received) = mpsc::channel(4);
        let listening = std::thread::spawn(move || {
            let mut checkpoints = Vec::new();
            while let Some(note) = received.blocking_recv() {
                if let Note::Checkpoint { stage, done, recorded, .. } = note {
                    checkpoints.push((stage, done));
                    recorded.send(Ok(())).unwrap();
                }
            }
            checkpoints
        });
        let mut desk = Desk::new(notes, Cancelled::new(cancelled.clone()), scratch.path().to_owned());
        let outcome = drive(engine, saved, scratch.path(), &mut desk);
        drop(desk);
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "checkpoints are cleared away");
        (outcome, listening.join().unwrap())
    }

    #[test]
    fn stages_follow_each_other_and_each_can_be_gone_on_from() {
        let mut engine = Noting::default();
        let (outcome, checkpoints) = driven(&mut engine, None, &CancellationToken::new());
        outcome.unwrap();
        let mut expected: Vec<&str> = Stage::ALL.iter().map(|stage| stage.name()).collect();
        expected.push("finish");
        assert_eq!(engine.calls, expected);
        assert_eq!(checkpoints[..3], [(Stage::Baseline, 2), (Stage::Rank, 0), (Stage::Rank, 2)]);
        assert!(checkpoints.iter().all(|(stage, _)| *stage != Stage::Load), "loading is always done anew");
        assert_eq!(checkpoints.last(), Some(&(Stage::Export, 2)));

        let folder = PathBuf::new();
        let saved = Saved { stage: Stage::FineTune, done: 2, folder };
        let mut engine = Noting::default();
        let (outcome, checkpoints) = driven(&mut engine, Some(&saved), &CancellationToken::new());
        outcome.unwrap();
        let expected = ["load", "restore fine_tune 2", "fine_tune", "gate", "export", "finish"];
        assert_eq!(engine.calls, expected);
        assert_eq!(checkpoints[0], (Stage::Gate, 0));
    }

    #[test]
    fn a_cancelled_job_and_a_standing_engine_end() {
        let cancelled = CancellationToken::new();
        cancelled.cancel();
        let (outcome, _) = driven(&mut Noting::default(), None, &cancelled);
        assert_eq!(outcome.unwrap_err(), EngineFault::Cancelled);
        let mut engine = Noting { stands_still: true, ..Noting::default() };
        let (outcome, _) = driven(&mut engine, None, &CancellationToken::new());
        assert!(outcome.unwrap_err().to_string().contains("stands still in load"));
    }
}
