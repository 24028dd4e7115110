//! What a request asks to measure with, before bank and networks are known.

use gifthorse_api::name::Version;
use gifthorse_api::v1;

use super::specification::{
    CHANNEL_DROPOUT, DISAGREEMENT, EXPERT, REGION_PASTE, REGION_PASTE_GUIDED, REGION_PASTE_LAYER, REPAIRED,
    STRIP_ENTROPY, STRIP_MARGIN, host_count,
};
use crate::error::DetectorError;

/// The version that detectors ask beside the watched one, as a request says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AskedBeside {
    /// No detector asks one.
    None,
    /// The one promoted over the watched one.
    Promoted,
    /// This one.
    Named(Version),
}

/// What a request asks for, before the bank is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) settings: Vec<v1::DetectorSettings>,
    /// Whether the caller named detectors, so that none may be left out quietly.
    pub(crate) by_name: bool,
}

impl Asked {
    /// The detectors of a request; without any, STRIP by entropy and margin, region paste and channel dropout.
    pub(crate) fn of(settings: Vec<v1::DetectorSettings>) -> Result<Self, DetectorError> {
        let by_name = !settings.is_empty();
        let default = [STRIP_ENTROPY, STRIP_MARGIN, REGION_PASTE, CHANNEL_DROPOUT];
        let settings = if by_name {
            settings
        } else {
            let named = |name: &str| v1::DetectorSettings { detector: name.to_owned(), ..Default::default() };
            default.into_iter().map(named).collect()
        };
        for (index, one) in settings.iter().enumerate() {
            if settings[..index].iter().any(|other| other.detector == one.detector) {
                let message = format!("names {:?} twice: give each detector once", one.detector);
                return Err(DetectorError::field("detectors", message));
            }
        }
        Ok(Self { settings, by_name })
    }

    /// Hosts that the detectors need at most.
    pub(crate) fn hosts(&self) -> usize {
        let of = |settings: &v1::DetectorSettings| match settings.detector.as_str() {
            REGION_PASTE | REGION_PASTE_GUIDED | REGION_PASTE_LAYER => host_count(settings),
            _ => 0,
        };
        self.settings.iter().map(of).max().unwrap_or_default()
    }

    /// Which version detectors ask beside the watched one.
    pub(crate) fn beside(&self) -> Result<AskedBeside, DetectorError> {
        let asking =
            self.settings.iter().filter(|one| [DISAGREEMENT, EXPERT].contains(&one.detector.as_str()));
        let mut versions = asking.map(|one| match one.parameters.get(REPAIRED) {
            Some(number) => version(*number).map(AskedBeside::Named),
            None => Ok(AskedBeside::Promoted),
        });
        let Some(first) = versions.next().transpose()? else { return Ok(AskedBeside::None) };
        for other in versions {
            if other? != first {
                let message =
                    "name different versions as repaired: a calibration asks one beside the watched one";
                return Err(DetectorError::field("detectors.parameters", message));
            }
        }
        Ok(first)
    }

    /// Whether a detector asks the expert of that version.
    pub(crate) fn asks_expert(&self) -> bool {
        self.settings.iter().any(|one| one.detector == EXPERT)
    }

    /// Writes down which version is asked, so that the calibration is one of it and of no other.
    pub(crate) fn ask_beside(&mut self, version: Version) {
        for one in &mut self.settings {
            if [DISAGREEMENT, EXPERT].contains(&one.detector.as_str()) {
                one.parameters.insert(REPAIRED.to_owned(), u64::from(version) as f64);
            }
        }
    }

    /// The layer that white-box detectors look at; empty for the default one.
    pub(crate) fn layer(&self) -> Result<&str, DetectorError> {
        let mut named = self.settings.iter().map(|one| one.layer.as_str()).filter(|layer| !layer.is_empty());
        let first = named.next().unwrap_or_default();
        if named.any(|other| other != first) {
            let message = "differs between detectors: a calibration looks at one layer";
            return Err(DetectorError::field("detectors.layer", message));
        }
        Ok(first)
    }
}

/// A number of a version, written as a setting.
fn version(number: f64) -> Result<Version, DetectorError> {
    let whole = (number.fract() == 0.0 && (1.0..9e15).contains(&number)).then_some(number as u64);
    whole.and_then(Version::new).ok_or_else(|| {
        let message = format!("holds {REPAIRED} = {number}, which is no number of a version");
        DetectorError::field("detectors.parameters", message)
    })
}
