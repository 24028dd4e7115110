//! How many channels go.

use std::collections::BTreeMap;

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_defence::pruning::{Curve, StopReason, StopRule};

use super::job::Job;
use super::settings::Method;
use super::state::Chosen;
use super::work::Work;
use crate::engine::{Advance, Cancelled, EngineFault, Extent};

pub(super) struct Choose;

impl Work for Choose {
    fn extent(&self, job: &Job) -> Result<Extent, EngineFault> {
        Ok(Extent { done: u64::from(job.state.choice.is_some()), total: 1, unit: "choices" })
    }

    fn advance(&mut self, job: &mut Job, _: &Cancelled) -> Result<Advance, EngineFault> {
        let (material, settings, state, _) = job.parts()?;
        if settings.method == Method::Invert && matches!(settings.stop, StopRule::LargestDrop(_)) {
            // Unlearning does better with all channels there, and pruning takes accuracy that it needs itself.
            let reason = "the method invert prunes nothing unless a count is asked for".to_owned();
            state.choice = Some(Chosen { channels: Vec::new(), reason: reason.clone() });
            return Ok(Advance {
                done: 1,
                message: Some(reason.clone()),
                log: vec![reason],
                ..Advance::default()
            });
        }
        let correct: Vec<usize> = state.points.iter().map(|point| point.clean_correct).collect();
        let channels = material.halves.channels();
        let curve = Curve::new(&correct, material.split.scoring.len(), channels);
        let choice = curve.and_then(|curve| settings.stop.choose(&curve));
        let choice = choice.map_err(|error| EngineFault::of(&error))?;
        let percent = |share: f64| share * 100.0;
        let reason = match (choice.reason, settings.stop) {
            (StopReason::Count, _) => "as many as were asked for".to_owned(),
            (StopReason::NextBeyondLimit(next), StopRule::LargestDrop(limit)) => format!(
                "one channel more leaves {:.1} % of the scoring images correct, a drop of more than {:.1} points",
                percent(next.rate()),
                percent(limit.as_f64())
            ),
            _ => "no step falls below the limit: one channel stays".to_owned(),
        };
        let ranked = state.ranked.as_ref().ok_or_else(|| {
            EngineFault::internal(ErrorCode::Internal, "channels were chosen before they were ranked")
        })?;
        let pruned = ranked.ranking.pruned(choice.channels);
        let said = format!(
            "{} of {channels} channels go, {:.1} % of the scoring images stay correct: {reason}",
            pruned.len(),
            percent(choice.accuracy.rate())
        );
        state.choice = Some(Chosen { channels: pruned, reason });
        let metrics = BTreeMap::from([
            ("pruned_channels".to_owned(), choice.channels as f64),
            ("clean_accuracy".to_owned(), choice.accuracy.rate()),
        ]);
        Ok(Advance { done: 1, metrics, message: Some(said.clone()), log: vec![said], save: false })
    }
}
