//! The detectors that are measured, and their settings.

use gifthorse_api::v1;

use crate::detection::{Blend, CHANNEL_DROPOUT, FUSED, RegionShape, STRIP_ENTROPY};
use crate::usage::UsageError;

/// What older tools decide by.
pub(super) const LEGACY: [&str; 1] = [STRIP_ENTROPY];

/// The detectors and their settings. A setting is of the detectors that know it: passes and blend of the
/// STRIP family (passes of the channel dropout, where that family was not asked for), looks of its entropy,
/// hosts and shape of the region pastes, the layer of those that look inside, the repaired version of those that ask
/// a second network.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Detectors")]
pub(super) struct Settings {
    /// Measure this detector and let it decide; give it again for further ones. There are `strip_entropy`,
    /// `strip_margin`, `region_paste`, `region_paste_guided`, `region_paste_layer`, `channel_dropout`,
    /// `activation_shift`, `noise_consistency`, and beside a repaired version `disagreement` and `expert`
    /// [default: all that the network allows; the fused score of `strip_margin`, `region_paste` and
    /// `channel_dropout` decides]
    #[arg(long = "detector", value_name = "NAME")]
    detectors: Vec<String>,
    /// Forward passes an input [default: as many as there are overlays, and at most that]
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(i32).range(1..))]
    passes: Option<i32>,
    /// How overlays and inputs are blended: add, add-clamp or convex:A [default: add]
    #[arg(long, value_name = "BLEND")]
    blend: Option<Blend>,
    /// Passes after which STRIP's entropy may decide early, ascending [default: the service's choice]
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', value_parser = clap::value_parser!(i32).range(1..))]
    looks: Vec<i32>,
    /// Hosts that regions are pasted onto
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    hosts: Option<i32>,
    /// Shape of the regions that are pasted
    #[arg(long, value_name = "SHAPE")]
    region_shape: Option<RegionShape>,
    /// Layer of the detectors that look inside [default: the last one that the output cannot bypass]
    #[arg(long, value_name = "LAYER")]
    layer: Option<String>,
    /// The repaired version, of the same model, that is asked beside the one that is watched [default: the one
    /// promoted over it]
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(u32).range(1..))]
    repaired: Option<u32>,
}

/// Which detectors know a setting.
#[derive(Clone, Copy)]
enum Family {
    Strip,
    Entropy,
    Paste,
    Inside,
    Beside,
}

impl Family {
    fn holds(self, detector: &str) -> bool {
        match self {
            Self::Strip => detector.starts_with("strip_"),
            Self::Entropy => detector == STRIP_ENTROPY,
            Self::Paste => detector.starts_with("region_paste"),
            Self::Inside => matches!(
                detector,
                "region_paste_layer" | CHANNEL_DROPOUT | "activation_shift" | "noise_consistency"
            ),
            Self::Beside => matches!(detector, "disagreement" | "expert"),
        }
    }

    const fn example(self) -> &'static str {
        match self {
            Self::Strip => "strip_margin",
            Self::Entropy => STRIP_ENTROPY,
            Self::Paste => "region_paste",
            Self::Inside => CHANNEL_DROPOUT,
            Self::Beside => "disagreement",
        }
    }
}

impl Settings {
    /// The detectors that were named.
    pub(super) fn named(&self) -> &[String] {
        &self.detectors
    }

    /// What to measure with; nothing leaves the choice to the service.
    pub(super) fn messages(&self, legacy: bool) -> Result<Vec<v1::DetectorSettings>, UsageError> {
        let names: Vec<String> = match (self.detectors.is_empty(), legacy) {
            (true, true) => LEGACY.map(str::to_owned).to_vec(),
            (true, false) if self.is_silent() => return Ok(Vec::new()),
            (true, false) => [STRIP_ENTROPY].into_iter().chain(FUSED).map(str::to_owned).collect(),
            (false, true) if !self.detectors.iter().any(|name| name == STRIP_ENTROPY) => {
                return Err(UsageError::LegacyDetector);
            }
            (false, _) => self.detectors.clone(),
        };
        self.check(&names)?;
        let masks = passes_are_masks(&names);
        Ok(names.iter().map(|name| self.message(name, masks)).collect())
    }

    /// Whether the default detectors are named only to carry settings.
    pub(super) fn fills_in_defaults(&self, legacy: bool) -> bool {
        self.detectors.is_empty() && !legacy && !self.is_silent() && self.layer.is_none()
    }

    fn is_silent(&self) -> bool {
        self.given().iter().all(|(_, _, given)| !given)
    }

    fn given(&self) -> [(&'static str, Family, bool); 7] {
        [
            ("--passes", Family::Strip, self.passes.is_some()),
            ("--looks", Family::Entropy, !self.looks.is_empty()),
            ("--blend", Family::Strip, self.blend.is_some()),
            ("--hosts", Family::Paste, self.hosts.is_some()),
            ("--region-shape", Family::Paste, self.region_shape.is_some()),
            ("--layer", Family::Inside, self.layer.is_some()),
            ("--repaired", Family::Beside, self.repaired.is_some()),
        ]
    }

    /// Refuses a setting that none of the detectors would be told.
    fn check(&self, names: &[String]) -> Result<(), UsageError> {
        let masks = passes_are_masks(names);
        let lost = self.given().into_iter().find(|(flag, family, given)| {
            let own = masks && *flag == "--passes";
            *given && !own && !names.iter().any(|name| family.holds(name))
        });
        match lost {
            None => Ok(()),
            Some((flag, family, _)) => {
                Err(UsageError::Inapplicable { flag, detectors: names.join(", "), example: family.example() })
            }
        }
    }

    fn message(&self, name: &str, masks: bool) -> v1::DetectorSettings {
        let families = [Family::Strip, Family::Entropy, Family::Paste, Family::Inside, Family::Beside];
        let [strip, entropy, paste, inside, beside] = families.map(|family| family.holds(name));
        let passes = strip || (masks && name == CHANNEL_DROPOUT);
        v1::DetectorSettings {
            detector: name.to_owned(),
            passes: self.passes.filter(|_| passes).unwrap_or_default(),
            looks: if entropy { self.looks.clone() } else { Vec::new() },
            blend: self.blend.filter(|_| strip).map(Into::into),
            hosts: self.hosts.filter(|_| paste).unwrap_or_default(),
            region_shape: self
                .region_shape
                .filter(|_| paste)
                .map(|shape| shape.to_string())
                .unwrap_or_default(),
            layer: self.layer.clone().filter(|_| inside).unwrap_or_default(),
            parameters: self
                .repaired
                .filter(|_| beside)
                .map(|version| ("repaired".to_owned(), f64::from(version)))
                .into_iter()
                .collect(),
        }
    }
}

/// Whether passes can only mean the masks of the channel dropout.
fn passes_are_masks(names: &[String]) -> bool {
    names.iter().any(|name| name == CHANNEL_DROPOUT) && !names.iter().any(|name| Family::Strip.holds(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(detectors: &[&str]) -> Settings {
        Settings {
            detectors: detectors.iter().map(|name| (*name).to_owned()).collect(),
            ..Settings::default()
        }
    }

    #[test]
    fn the_service_chooses_where_nothing_is_said() {
        assert_eq!(Settings::default().messages(false).unwrap(), []);
        let legacy = Settings::default().messages(true).unwrap();
        assert_eq!(legacy.len(), 1);
        assert_eq!(legacy[0].detector, STRIP_ENTROPY);
        assert_eq!(named(&["strip_margin"]).messages(true), Err(UsageError::LegacyDetector));
    }

    #[test]
    fn every_setting_reaches_the_detectors_that_know_it() {
        let settings = Settings {
            passes: Some(25),
            hosts: Some(5),
            region_shape: Some(RegionShape::Blocks),
            layer: Some("pool_3".to_owned()),
            looks: vec![4, 8],
            blend: Some("add".parse().unwrap()),
            ..Settings::default()
        };
        let messages = settings.messages(false).unwrap();
        let told = |name: &str| messages.iter().find(|one| one.detector == name).unwrap();
        assert_eq!(messages.len(), 4);
        let (margin, paste, dropout) = (told("strip_margin"), told("region_paste"), told("channel_dropout"));
        assert_eq!((margin.passes, margin.looks.as_slice(), margin.hosts), (25, [].as_slice(), 0));
        assert_eq!(told("strip_entropy").looks, [4, 8]);
        assert!(margin.blend.is_some() && margin.layer.is_empty());
        assert_eq!((paste.passes, paste.hosts, paste.region_shape.as_str()), (0, 5, "blocks"));
        assert_eq!((dropout.passes, dropout.layer.as_str()), (0, "pool_3"));
    }

    #[test]
    fn the_repaired_version_reaches_those_that_ask_it() {
        let settings = Settings { repaired: Some(2), ..named(&["disagreement", "activation_shift"]) };
        let messages = settings.messages(false).unwrap();
        assert_eq!(messages[0].parameters, [("repaired".to_owned(), 2.0)].into());
        assert!(messages[1].parameters.is_empty());
        let settings = Settings { repaired: Some(2), ..named(&["strip_margin"]) };
        assert!(settings.messages(false).is_err());
    }

    #[test]
    fn a_setting_that_reaches_nobody_is_refused() {
        let settings = Settings { hosts: Some(5), ..named(&["strip_margin"]) };
        let error = settings.messages(false).unwrap_err();
        assert!(matches!(error, UsageError::Inapplicable { flag: "--hosts", .. }), "{error}");
        let settings = Settings { passes: Some(10), ..named(&["channel_dropout"]) };
        assert_eq!(settings.messages(false).unwrap()[0].passes, 10, "without STRIP the passes are its own");
        let settings = Settings { passes: Some(10), ..named(&["region_paste"]) };
        assert!(settings.messages(false).is_err());
        let settings = Settings { looks: vec![4], ..named(&["strip_margin"]) };
        assert!(settings.messages(false).is_err());
    }
}
