//! Numbers for people.

use gifthorse_api::v1;
use gifthorse_api::v1::detector_finding::StopReason;

/// A score, threshold or p-value: four decimals, or two significant digits where those would say nothing.
pub fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.001 { format!("{value:.1e}") } else { format!("{value:.4}") }
}

/// A fraction as a percentage: `98.7 %`; a dash where nothing was measured.
pub fn percent(fraction: f64) -> String {
    if fraction.is_finite() { format!("{:.2} %", fraction * 100.0) } else { "-".to_owned() }
}

/// An estimate with its interval in percent: `98.66 (95.2-99.8) %`; a dash where nothing was measured.
pub fn interval(interval: Option<&v1::Interval>) -> String {
    match interval {
        Some(found) if found.observations > 0 && found.estimate.is_finite() => {
            let [estimate, lower, upper] =
                [found.estimate, found.lower, found.upper].map(|part| part * 100.0);
            format!("{estimate:.2} ({lower:.1}-{upper:.1}) %")
        }
        _ => "-".to_owned(),
    }
}

/// Which way a bound bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The number itself.
    Exact,
    /// The number or more.
    AtLeast,
    /// The number or less.
    AtMost,
}

impl Bound {
    /// What a finding's bounds mean: "clean" was decided because the score could only grow, "trojaned"
    /// because it is low enough already.
    pub fn of_finding(is_bound: bool, reason: StopReason) -> Self {
        match (is_bound, reason) {
            (false, _) => Self::Exact,
            (true, StopReason::RejectedEarly) => Self::AtMost,
            (true, _) => Self::AtLeast,
        }
    }

    /// The same of a verdict.
    pub fn of_verdict(is_bound: bool, verdict: v1::verdict::Kind) -> Self {
        match (is_bound, verdict) {
            (false, _) => Self::Exact,
            (true, v1::verdict::Kind::Trojaned) => Self::AtMost,
            (true, _) => Self::AtLeast,
        }
    }

    /// The number with its mark.
    pub fn mark(self, value: f64) -> String {
        let mark = match self {
            Self::Exact => "",
            Self::AtLeast => ">=",
            Self::AtMost => "<=",
        };
        format!("{mark}{}", number(value))
    }
}

/// Where evidence is: `rows 7-20, columns 0-46`; empty where nobody can tell.
pub fn region(region: Option<&v1::Region>) -> String {
    let last = |first: i32, count: i32| first + count.max(1) - 1;
    region.map_or_else(String::new, |found| {
        let (bottom, right) = (last(found.top, found.height), last(found.left, found.width));
        format!("rows {}-{bottom}, columns {}-{right}", found.top, found.left)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_say_something_at_every_size() {
        assert_eq!([number(0.0), number(0.01), number(-12.34567)], ["0.0000", "0.0100", "-12.3457"]);
        assert_eq!(number(0.000_199), "2.0e-4");
        assert_eq!([percent(0.986_577), percent(f64::NAN)], ["98.66 %", "-"]);
    }

    #[test]
    fn an_interval_without_observations_is_none() {
        let found =
            v1::Interval { estimate: 0.5, lower: 0.25, upper: 0.75, confidence: 0.95, observations: 4 };
        assert_eq!(interval(Some(&found)), "50.00 (25.0-75.0) %");
        assert_eq!(interval(Some(&v1::Interval { observations: 0, ..found })), "-");
        assert_eq!(interval(None), "-");
    }

    #[test]
    fn bounds_are_marked_by_what_decided() {
        assert_eq!(Bound::of_finding(true, StopReason::AcceptedEarly).mark(0.5), ">=0.5000");
        assert_eq!(Bound::of_finding(true, StopReason::RejectedEarly).mark(0.5), "<=0.5000");
        assert_eq!(Bound::of_finding(false, StopReason::RejectedEarly).mark(0.5), "0.5000");
        assert_eq!(Bound::of_verdict(true, v1::verdict::Kind::Trojaned), Bound::AtMost);
        assert_eq!(Bound::of_verdict(true, v1::verdict::Kind::Clean), Bound::AtLeast);
    }

    #[test]
    fn a_region_is_rows_and_columns() {
        let band = v1::Region { top: 7, left: 0, height: 14, width: 47 };
        assert_eq!(region(Some(&band)), "rows 7-20, columns 0-46");
        assert_eq!(region(None), "");
    }
}
