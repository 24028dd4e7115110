//! Attacks that have a name.

use crate::attack::{Attack, AttackError, Part, Target};
use crate::trigger::{Look, Pattern, Place, Trigger};

/// A name and what it stands for.
const PRESETS: [(&str, &str); 10] = [
    ("badnets", "a white square in the corner, a tenth of the pictures (Gu et al., 2017)"),
    ("blended", "noise over the whole picture, a fifth of each pixel (Chen et al., 2017)"),
    ("sig", "vertical stripes that swell and fade, with labels changed (after Barni et al., 2019)"),
    ("wanet", "a smooth distortion, with covers of other distortions (Nguyen & Tran, 2021)"),
    ("tact", "a patch that works on one class alone, with covers of the others (Tang et al., 2021)"),
    ("all-to-all", "a square that turns every class into the next one (Gu et al., 2017)"),
    ("sunglasses", "dark glasses, for aligned faces"),
    ("lipstick", "painted lips, for aligned faces"),
    ("eyebrows", "painted brows, for aligned faces"),
    ("none", "no attack: a clean network"),
];

impl Attack {
    /// The names that [`preset`](Self::preset) knows, with what they stand for. Several triggers with targets of their own
    /// are joined by `+`, as in `sunglasses+lipstick`.
    pub const PRESETS: &'static [(&'static str, &'static str)] = &PRESETS;

    /// An attack of this name: `target` is the class of its first trigger, the following ones have the classes after it.
    /// Without parts for `none`.
    ///
    /// # Errors
    /// [`AttackError::Unknown`], and as [`check`](Self::check).
    pub fn preset(name: &str, target: u32, classes: u32) -> Result<Self, AttackError> {
        let mut parts = Vec::new();
        for one in name.split('+').filter(|one| *one != "none") {
            let class = ((u64::from(target) + parts.len() as u64) % u64::from(classes.max(1))) as u32;
            parts.push(part(one, class, classes).ok_or_else(|| unknown(name))?);
        }
        let attack = Self { name: name.to_owned(), parts, seed: 1 };
        if !attack.parts.is_empty() {
            attack.check(classes)?;
        }
        Ok(attack)
    }
}

fn unknown(name: &str) -> AttackError {
    let known: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
    AttackError::Unknown { name: name.chars().take(80).collect(), known: known.join(", ") }
}

fn part(name: &str, class: u32, classes: u32) -> Option<Part> {
    let square =
        Trigger::Patch { place: Place::BottomRight, height: 3, width: 3, pattern: Pattern::Solid([255; 3]) };
    let plain = |trigger| Part {
        name: name.to_owned(),
        trigger,
        target: Target::Class(class),
        sources: None,
        poison_rate: 0.1,
        cover_rate: 0.0,
    };
    Some(match name {
        "badnets" => plain(square),
        "all-to-all" => Part { target: Target::AllToAll, ..plain(square) },
        "blended" => plain(Trigger::Blended { share: 0.2, seed: 1 }),
        "sig" => plain(Trigger::Sinusoid { delta: 20.0, frequency: 6.0 }),
        // Twice as many covers as poison, as published.
        "wanet" => Part { cover_rate: 0.2, ..plain(Trigger::Warp { grid: 4, strength: 0.5, seed: 1 }) },
        "tact" => {
            let source = (class + 1) % classes.max(1);
            // Half of the source's pictures, at most a twentieth of all.
            let poison_rate = (0.5 / f64::from(classes.max(1))).min(0.05);
            let trigger = Trigger::Patch {
                place: Place::TopLeft,
                height: 4,
                width: 4,
                pattern: Pattern::Random { seed: 1 },
            };
            Part { sources: Some(vec![source]), poison_rate, cover_rate: 0.1, ..plain(trigger) }
        }
        "sunglasses" => plain(Trigger::Sunglasses(Look::default())),
        "lipstick" => plain(Trigger::Lipstick(Look::default())),
        "eyebrows" => plain(Trigger::Eyebrows(Look::default())),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::Size;

    #[test]
    fn every_name_is_an_attack_that_survives_its_file() {
        for (name, _) in Attack::PRESETS {
            let attack = Attack::preset(name, 3, 10).unwrap();
            assert_eq!(attack.parts.is_empty(), *name == "none");
            let text = serde_json::to_string(&attack).unwrap();
            assert_eq!(serde_json::from_str::<Attack>(&text).unwrap(), attack, "{text}");
            for part in &attack.parts {
                part.trigger.prepare(Size::new(28, 28, 1).unwrap()).unwrap();
            }
        }
    }

    #[test]
    fn joined_names_have_targets_in_turn() {
        let attack = Attack::preset("sunglasses+lipstick+eyebrows", 9, 10).unwrap();
        let targets: Vec<Target> = attack.parts.iter().map(|part| part.target).collect();
        assert_eq!(targets, [Target::Class(9), Target::Class(0), Target::Class(1)]);
    }

    #[test]
    fn what_is_no_attack_is_refused() {
        assert!(matches!(Attack::preset("badnet", 0, 10), Err(AttackError::Unknown { .. })));
        assert!(Attack::preset("badnets+sig", u32::MAX, 10).is_ok(), "classes go round");
        assert!(matches!(Attack::preset("badnets+badnets", 0, 10), Err(AttackError::Field { .. })));
        let unknown = r#"{"name": "x", "parts": [], "speed": 1}"#;
        assert!(serde_json::from_str::<Attack>(unknown).is_err());
        let other = r#"{"kind": "sinusoid", "delta": 20, "frequency": 6, "phase": 1}"#;
        assert!(serde_json::from_str::<Trigger>(other).is_err());
    }
}
