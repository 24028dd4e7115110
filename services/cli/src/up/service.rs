//! The four services and how each is told its settings.

use std::fmt;

/// One of the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The front door.
    Gateway,
    /// Model repository and inference.
    Serving,
    /// Detectors.
    Detector,
    /// Pruning jobs.
    Trainer,
}

impl Service {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Gateway, Self::Serving, Self::Detector, Self::Trainer];

    /// Its name, as in its ready line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Serving => "serving",
            Self::Detector => "detector",
            Self::Trainer => "trainer",
        }
    }

    /// The file name of its program.
    pub fn program(self) -> String {
        format!("gifthorse-{}", self.name())
    }

    /// Settings that the user's own environment may replace: nobody balances load over this house, so a
    /// service that stops need not wait to be noticed, nor keep the terminal waiting for long.
    pub(super) fn defaults(self) -> [(String, &'static str); 3] {
        let variable = |key: &str| format!("GIFTHORSE_{}__SERVICE__DRAIN__{key}", self.name().to_uppercase());
        [(variable("NOTICE"), "0s"), (variable("GRACE"), "8s"), (variable("TASKS"), "2s")]
    }
}

impl fmt::Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
