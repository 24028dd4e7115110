//! What detectors found, in words.

use gifthorse_api::v1;
use gifthorse_api::v1::detector_finding::StopReason;

use crate::output::number::region;

/// Why an answer is what it is: which detectors reject the input and where, or which of them failed. Empty
/// for a clean input.
pub(super) fn evidence(findings: &[v1::DetectorFinding]) -> String {
    let told: Vec<String> = findings.iter().filter_map(one).collect();
    told.join("; ")
}

/// What one finding says beside its numbers.
pub(super) fn one(finding: &v1::DetectorFinding) -> Option<String> {
    let name = &finding.detector;
    match finding.stop_reason() {
        StopReason::Failed if finding.fault.is_empty() => Some(format!("{name} failed")),
        StopReason::Failed => Some(format!("{name} failed: {}", finding.fault)),
        StopReason::Deadline => Some(format!("{name} did not end in time")),
        _ if !finding.rejected => None,
        _ => Some(match region(finding.evidence.as_ref()) {
            place if place.is_empty() => name.clone(),
            place => format!("{name}, {place}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejections_and_failures_are_told_and_acceptances_are_not() {
        let finding = |detector: &str, rejected, reason: StopReason| v1::DetectorFinding {
            detector: detector.to_owned(),
            rejected,
            stop_reason: reason.into(),
            ..Default::default()
        };
        let paste = v1::DetectorFinding {
            evidence: Some(v1::Region { top: 0, left: 0, height: 14, width: 47 }),
            ..finding("region_paste", true, StopReason::Exhausted)
        };
        let late = finding("fused", false, StopReason::Deadline);
        let broken = v1::DetectorFinding {
            fault: "NaN".to_owned(),
            ..finding("channel_dropout", false, StopReason::Failed)
        };
        let clean = finding("strip_margin", false, StopReason::AcceptedEarly);
        assert_eq!(
            evidence(&[paste, clean, late, broken]),
            "region_paste, rows 0-13, columns 0-46; fused did not end in time; channel_dropout failed: NaN"
        );
        assert_eq!(evidence(&[]), "");
    }
}
