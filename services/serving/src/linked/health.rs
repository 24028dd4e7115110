//! What is known of a linked network at this moment.

use std::time::{Duration, Instant};

use super::error::LinkError;

/// What the last probing found.
#[derive(Debug, Clone)]
pub(super) enum Health {
    /// It answered as it was linked.
    Sound {
        /// When.
        at: Instant,
    },
    /// It was not asked yet, or could not be, or was out of reach since: it is asked before it is used.
    Unknown {
        /// Why.
        reason: String,
        /// The last vain attempt.
        failed: Option<(Instant, LinkError)>,
    },
    /// It answered otherwise: another network is there.
    Changed {
        /// When.
        at: Instant,
        /// How that shows.
        error: LinkError,
    },
}

/// How a linked version stands, as callers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It answers.
    Sound,
    /// It is not known whether it would, and why. A request finds out.
    Unknown(String),
    /// It must not answer, and why.
    Changed(String),
}

impl Health {
    /// Of a version that was just loaded.
    pub(super) fn unasked() -> Self {
        Self::Unknown { reason: "its server was not asked yet".to_owned(), failed: None }
    }

    /// After the probes were asked.
    pub(super) fn after(outcome: &Result<(), LinkError>) -> Self {
        let at = Instant::now();
        match outcome {
            Ok(()) => Self::Sound { at },
            Err(error @ LinkError::Changed { .. }) => Self::Changed { at, error: error.clone() },
            Err(error) => Self::Unknown { reason: error.to_string(), failed: Some((at, error.clone())) },
        }
    }

    pub(super) fn standing(&self) -> Standing {
        match self {
            Self::Sound { .. } => Standing::Sound,
            Self::Unknown { reason, .. } => Standing::Unknown(reason.clone()),
            Self::Changed { error, .. } => Standing::Changed(error.to_string()),
        }
    }

    /// Whether it is time to ask again: `every` so often, and sooner while nothing is known.
    pub(super) fn is_due(&self, every: Duration, sooner: Duration) -> bool {
        match self {
            Self::Sound { at } | Self::Changed { at, .. } => at.elapsed() >= every,
            Self::Unknown { failed: Some((at, _)), .. } => at.elapsed() >= sooner.min(every),
            Self::Unknown { failed: None, .. } => true,
        }
    }

    /// The outcome of a probing that ended after `arrived`, where it decides for a request from then.
    pub(super) fn verdict(&self, arrived: Instant) -> Option<Result<(), LinkError>> {
        match self {
            Self::Sound { .. } => Some(Ok(())),
            Self::Changed { error, .. } => Some(Err(error.clone())),
            Self::Unknown { failed: Some((at, error)), .. } if *at >= arrived => Some(Err(error.clone())),
            Self::Unknown { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_hours(1);
    const SOONER: Duration = Duration::from_mins(1);

    fn changed() -> LinkError {
        LinkError::Changed { endpoint: "a:1".to_owned(), model: "m".to_owned(), what: "is other".to_owned() }
    }

    #[test]
    fn what_is_known_decides_for_requests() {
        let before = Instant::now();
        assert_eq!(Health::unasked().verdict(before), None, "a request finds out");
        assert!(Health::unasked().is_due(EVERY, SOONER));
        assert_eq!(Health::after(&Ok(())).verdict(before), Some(Ok(())));
        let other = Health::after(&Err(changed()));
        assert_eq!(other.verdict(before), Some(Err(changed())));
        assert!(matches!(other.standing(), Standing::Changed(reason) if reason.contains("link it again")));

        let late = LinkError::Late { endpoint: "a:1".to_owned() };
        let lost = Health::after(&Err(late.clone()));
        assert_eq!(
            lost.verdict(before),
            Some(Err(late)),
            "those who waited for the attempt share its outcome"
        );
        assert_eq!(lost.verdict(Instant::now() + SOONER), None, "later requests try again");
        assert!(!lost.is_due(EVERY, SOONER));
        assert!(lost.is_due(EVERY, Duration::ZERO));
        assert!(Health::after(&Ok(())).is_due(Duration::ZERO, SOONER));
    }
}
