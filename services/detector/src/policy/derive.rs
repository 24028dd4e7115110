//! From a policy, or a named calibration, to what decides.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gifthorse_api::name::{Identifier, ModelName};
use gifthorse_defence::budget::{Budget, Claim};
use gifthorse_defence::conformal::Guarantee;
use gifthorse_defence::level::{Level, Share};
use gifthorse_store::{LogEntry, ModelRecord};

use super::record::{Combination, PolicyEntry, PolicyLogs, PolicyRecord, version_name};
use crate::calibration::{FUSED, Library, Loaded, Part};
use crate::decision::Decision;
use crate::error::DetectorError;
use crate::network::Networks;

/// How long the answer to "which policy counts" may be used again.
const POLICY_AGE: Duration = Duration::from_millis(500);
/// Models whose current policy is remembered at most.
const MOST_REMEMBERED: usize = 1024;

/// Alpha where a request names none.
const DEFAULT_ALPHA: f64 = 0.01;

/// Derives decisions once and keeps them: a policy version never changes.
#[derive(Debug)]
pub(crate) struct Deciders {
    policies: PolicyLogs,
    library: Arc<Library>,
    networks: Arc<Networks>,
    kept: NonZeroUsize,
    ready: Mutex<HashMap<String, Arc<Decision>>>,
    current: Mutex<HashMap<Identifier, Current>>,
}

/// The entry that counts for a model, as of a moment.
#[derive(Debug, Clone)]
struct Current {
    entry: Option<LogEntry<PolicyEntry>>,
    since: Instant,
}

impl std::fmt::Debug for Decision {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Decision").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// An alpha as it was typed; zero stands for 0.01.
pub(crate) fn level(field: &'static str, alpha: f64) -> Result<Level, DetectorError> {
    let alpha = if alpha == 0.0 { DEFAULT_ALPHA } else { alpha };
    if !(alpha > 0.0 && alpha < 1.0) {
        return Err(DetectorError::field(field, format!("is {alpha}: use a number between 0 and 1")));
    }
    Ok(Level::from_shortest_decimal(alpha)?)
}

/// The guarantee of a confidence; zero for the marginal rule.
pub(crate) fn guarantee(field: &'static str, confidence: f64) -> Result<Guarantee, DetectorError> {
    let doubt = super::record::doubt(field, confidence)?;
    Ok(doubt.map_or(Guarantee::Marginal, |doubt| Guarantee::Confident { doubt }))
}

impl Deciders {
    /// Keeps at most so many.
    pub(crate) fn new(
        policies: PolicyLogs,
        library: Arc<Library>,
        networks: Arc<Networks>,
        kept: NonZeroUsize,
    ) -> Self {
        Self { policies, library, networks, kept, ready: Mutex::default(), current: Mutex::default() }
    }

    /// Asks the store again at the next scan of this model.
    pub(crate) fn forget(&self, name: &Identifier) {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    async fn current(&self, name: &Identifier) -> Result<Option<LogEntry<PolicyEntry>>, DetectorError> {
        let known = self.current.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(known) = known.filter(|known| known.since.elapsed() < POLICY_AGE) {
            return Ok(known.entry);
        }
        let since = Instant::now();
        let entry = self.policies.latest(name).await?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.len() >= MOST_REMEMBERED {
            current.clear();
        }
        current.insert(name.clone(), Current { entry: entry.clone(), since });
        Ok(entry)
    }

    /// What the current policy of the model says, for this version of it.
    pub(crate) async fn of_policy(&self, name: &ModelName) -> Result<Arc<Decision>, DetectorError> {
        let entry = self.current(&name.model).await?;
        let Some(LogEntry { number, content: PolicyEntry::Set(policy), .. }) = entry else {
            return Err(DetectorError::Missing {
                what: format!("policies/{}", name.model),
                hint: "calibrate the model, or name a calibration",
            });
        };
        let version = version_name(&name.model, number);
        let scanned = self.networks.version(name).await?;
        let key = format!("{version} {scanned}");
        if let Some(decision) = self.ready.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(decision));
        }
        let exact = ModelName { model: name.model.clone(), version: Some(scanned) };
        let record = self.networks.record(&exact).await?;
        let decision = Arc::new(self.derive(&version, &policy, &record).await?);
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.len() >= self.kept.get() {
            ready.clear();
        }
        ready.insert(key, Arc::clone(&decision));
        Ok(decision)
    }

    /// What one score of a calibration decides on its own; without a name the fused one, or the only one.
    pub(crate) async fn of_calibration(
        &self,
        calibration: &Identifier,
        detector: &str,
        level: Level,
        guarantee: Guarantee,
    ) -> Result<Decision, DetectorError> {
        let loaded = self.library.load(calibration).await?;
        let held = &loaded.contents().detectors;
        let detector = match (detector, held.as_slice()) {
            ("", [only]) => only.name(),
            ("", _) => FUSED,
            (named, _) => named,
        };
        let part = loaded.part(detector, level, guarantee)?;
        let network = Arc::clone(&loaded.network);
        Ok(Decision { policy: String::new(), network, parts: vec![(part, Share::WHOLE)] })
    }

    /// What a policy says, if its calibrations support it and belong to this version.
    pub(crate) async fn derive(
        &self,
        version: &str,
        policy: &PolicyRecord,
        record: &ModelRecord,
    ) -> Result<Decision, DetectorError> {
        let mut loaded = Vec::with_capacity(policy.detectors.len());
        for member in &policy.detectors {
            let calibration = self.library.load(&member.calibration).await?;
            belongs(&calibration, record)?;
            loaded.push(calibration);
        }
        let parts = match policy.combination {
            Combination::Fused => vec![(fused(policy, &loaded)?, Share::WHOLE)],
            Combination::WeightedMinP => shared(policy, &loaded)?,
            Combination::AnyDisagreement => {
                vec![(loaded[0].any_disagreement(policy.alpha)?, Share::WHOLE)]
            }
        };
        let network = Arc::clone(&loaded[0].network);
        Ok(Decision { policy: version.to_owned(), network, parts })
    }
}

/// Refuses a calibration that was made for another network or another preparation of its inputs.
fn belongs(calibration: &Loaded, record: &ModelRecord) -> Result<(), DetectorError> {
    let contents = calibration.contents();
    let fault = if contents.model_digest != record.digest {
        format!("was made for models/{}/versions/{}", contents.model, contents.version)
    } else if contents.preprocessing != record.specification.preprocessing {
        "was made for another preprocessing".to_owned()
    } else {
        return Ok(());
    };
    let model = ModelName { model: record.model.clone(), version: Some(record.version) };
    Err(DetectorError::Mismatch {
        calibration: calibration.name().to_string(),
        fault,
        model: model.to_string(),
    })
}

fn fused(policy: &PolicyRecord, loaded: &[Arc<Loaded>]) -> Result<Part, DetectorError> {
    let first = &loaded[0];
    if let Some(other) = loaded.iter().find(|other| other.name() != first.name()) {
        let message = format!(
            "names calibrations/{} and calibrations/{}: scores are fused within one calibration",
            first.name(),
            other.name()
        );
        return Err(DetectorError::field("policy.detectors.calibration", message));
    }
    let guarantee = policy.doubt.map_or(Guarantee::Marginal, |doubt| Guarantee::Confident { doubt });
    if let [only] = policy.detectors.as_slice() {
        return first.part(&only.detector, policy.alpha, guarantee);
    }
    let weights: Vec<(&str, f64)> =
        policy.detectors.iter().map(|member| (member.detector.as_str(), member.weight)).collect();
    first.fused(&weights, policy.alpha, guarantee)
}

fn shared(policy: &PolicyRecord, loaded: &[Arc<Loaded>]) -> Result<Vec<(Part, Share)>, DetectorError> {
    let shares = policy
        .detectors
        .iter()
        .map(|member| Share::from_shortest_decimal(member.weight))
        .collect::<Result<Vec<_>, _>>()?;
    let claims: Vec<Claim> = policy
        .detectors
        .iter()
        .zip(loaded)
        .zip(&shares)
        .map(|((member, calibration), share)| Claim {
            detector: member.detector.clone(),
            share: *share,
            calibration: calibration.contents().calibration_images,
        })
        .collect();
    let budget = Budget::new(policy.alpha, &claims)?;
    // The doubts of several PAC thresholds add up.
    let guarantee = match policy.doubt {
        None => Guarantee::Marginal,
        Some(doubt) => {
            let part = Share::new(1, policy.detectors.len() as u64)?;
            Guarantee::Confident { doubt: doubt.part(part)? }
        }
    };
    let members = policy.detectors.iter().zip(loaded).zip(budget.levels()).zip(shares);
    members
        .map(|(((member, calibration), level), share)| {
            Ok((calibration.part(&member.detector, *level, guarantee)?, share))
        })
        .collect()
}
