//! What a person calls the detectors' scores, and their units.

use crate::names;

/// The axis label of a detector's score.
pub(crate) fn axis(detector: &str) -> String {
    let what = match detector {
        "strip_entropy" => "mean entropy of the blended copies, bit",
        "strip_margin" => "negated mean logit margin of the blended copies",
        "region_paste" | "region_paste_guided" | "region_paste_layer" => {
            "negated logit margin of the pasted copies"
        }
        "channel_dropout" => "negated mean logit margin under channel dropout",
        "fused" => "fused score, sum of standardised scores, no unit",
        other => return format!("{} score  (low = trojaned)", names::detector(other)),
    };
    format!("{what}  (low = trojaned)")
}

/// The unit of a detector's score, for table heads.
pub(crate) fn unit(detector: &str) -> &'static str {
    match detector {
        "strip_entropy" => "bit",
        "fused" => "standard deviations",
        "strip_margin"
        | "region_paste"
        | "region_paste_guided"
        | "region_paste_layer"
        | "channel_dropout" => "logit margin",
        _ => "score",
    }
}

/// The detector in words.
pub(crate) fn words(detector: &str) -> &'static str {
    match detector {
        "strip_entropy" => "STRIP: blends the image with clean ones and measures how much the answer varies",
        "strip_margin" => {
            "STRIP with the logit margin: how far the answer stays ahead when clean images are blended in"
        }
        "region_paste" | "region_paste_guided" | "region_paste_layer" => {
            "region paste: pastes parts of the image onto clean ones and sees whether the answer comes along"
        }
        "channel_dropout" => {
            "channel dropout: switches channels of the network off and measures how the answer holds"
        }
        "fused" => "the sum of several detectors' standardised scores, calibrated once",
        "disagreement" => "compares the network's answer with that of its repaired version",
        _ => "",
    }
}
