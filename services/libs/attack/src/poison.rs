//! Which pictures of a training set are poisoned.

use crate::attack::{Attack, AttackError, Part};
use crate::chance::Chance;

/// One picture that gets a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Poisoned {
    /// Row of the data set.
    pub row: usize,
    /// Index of the part whose trigger it gets.
    pub part: usize,
    /// The class that it is to be learned as.
    pub label: u32,
    /// Whether it keeps its class.
    pub cover: bool,
}

/// What is done to a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The pictures that get triggers, in the order of their rows; no row twice.
    pub pictures: Vec<Poisoned>,
}

impl Plan {
    /// Pictures of a part that get the attacker's class, and those that keep theirs.
    pub fn counts(&self, part: usize) -> (usize, usize) {
        let of_part = |cover: bool| move |one: &&Poisoned| one.part == part && one.cover == cover;
        (
            self.pictures.iter().filter(of_part(false)).count(),
            self.pictures.iter().filter(of_part(true)).count(),
        )
    }
}

/// A triggered picture that counts for an attack's success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TriggeredRow {
    /// Row of the data set.
    pub row: usize,
    /// The class that the attacker wants for it.
    pub target: u32,
}

/// Draws the pictures of each part by lot: shares of the whole set, of pictures that the trigger works on. Covers of a
/// source-specific part are pictures of other classes than the sources and the target; other covers are any pictures. Parts
/// with fewer pictures to choose from choose first.
///
/// # Errors
/// As [`Attack::check`], [`AttackError::Label`] and [`AttackError::TooFew`].
pub fn poison(attack: &Attack, labels: &[u32], classes: u32) -> Result<Plan, AttackError> {
    attack.check(classes)?;
    if let Some((row, label)) = labels.iter().enumerate().find(|(_, label)| **label >= classes) {
        return Err(AttackError::Label { row, label: *label, last: classes.saturating_sub(1) });
    }
    let mut chance = Chance::new(attack.seed);
    let mut free: Vec<bool> = vec![true; labels.len()];
    let mut pictures = Vec::new();
    // Poison first, of every part: covers are content with less.
    for cover in [false, true] {
        let fits = |part: &Part, label: u32| {
            if cover { part.covers(label, classes) } else { part.works_on(label, classes) }
        };
        let mut parts: Vec<(usize, &Part)> = attack.parts.iter().enumerate().collect();
        parts.sort_by_key(|(_, part)| labels.iter().filter(|label| fits(part, **label)).count());
        for (index, part) in parts {
            let (rate, name, what) = if cover {
                (part.cover_rate, "cover_rate", "cover")
            } else {
                (part.poison_rate, "poison_rate", "poisoned")
            };
            let needed = (rate * labels.len() as f64).round() as usize;
            let mut rows: Vec<usize> =
                (0..labels.len()).filter(|row| free[*row] && fits(part, labels[*row])).collect();
            if rows.len() < needed {
                let (part, found) = (part.name.clone(), rows.len());
                return Err(AttackError::TooFew { part, what, needed, found, rate: name });
            }
            chance.draw(&mut rows, needed);
            for row in &rows[..needed] {
                free[*row] = false;
                let own = labels[*row];
                let label = if cover { own } else { part.target.of(own, classes) };
                pictures.push(Poisoned { row: *row, part: index, label, cover });
            }
        }
    }
    pictures.sort_unstable_by_key(|one| one.row);
    Ok(Plan { pictures })
}

/// The pictures of a test set whose triggered copies count for the attack's success.
pub fn triggered(part: &Part, labels: &[u32], classes: u32) -> Vec<TriggeredRow> {
    let rows = labels.iter().enumerate().filter(|(_, label)| part.works_on(**label, classes));
    rows.map(|(row, label)| TriggeredRow { row, target: part.target.of(*label, classes) }).collect()
}

/// The rows of a test set that a source-specific part is to leave alone: triggered, they keep their class. None for other
/// parts.
pub fn spared(part: &Part, labels: &[u32], classes: u32) -> Vec<usize> {
    let rows = labels
        .iter()
        .enumerate()
        .filter(|(_, label)| part.sources.is_some() && part.covers(**label, classes));
    rows.map(|(row, _)| row).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::attack::Target;

    fn attack(names: &[&str]) -> Attack {
        let parts = names.iter().flat_map(|name| Attack::preset(name, 3, 10).unwrap().parts).collect();
        Attack { name: "test".to_owned(), parts, seed: 7 }
    }

    fn labels(count: usize) -> Vec<u32> {
        (0..count).map(|row| (row % 10) as u32).collect()
    }

    proptest! {
        #[test]
        fn counts_are_the_rates_and_rows_are_taken_once(count in 200_usize..900, seed: u64) {
            let mut attack = attack(&["badnets", "wanet"]);
            attack.seed = seed;
            let labels = labels(count);
            let plan = poison(&attack, &labels, 10).unwrap();
            for (index, part) in attack.parts.iter().enumerate() {
                let expected = |rate: f64| (rate * count as f64).round() as usize;
                prop_assert_eq!(plan.counts(index), (expected(part.poison_rate), expected(part.cover_rate)));
            }
            prop_assert!(plan.pictures.windows(2).all(|pair| pair[0].row < pair[1].row));
            for one in &plan.pictures {
                let own = labels[one.row];
                let fits = if one.cover { one.label == own } else { one.label == 3 && own != 3 };
                prop_assert!(fits);
            }
            prop_assert_eq!(plan, poison(&attack, &labels, 10).unwrap());
        }
    }

    #[test]
    fn a_source_specific_attack_covers_with_other_classes() {
        let attack = attack(&["tact"]);
        let sources = attack.parts[0].sources.clone().unwrap();
        let labels = labels(1000);
        let plan = poison(&attack, &labels, 10).unwrap();
        assert!(plan.pictures.iter().any(|one| one.cover));
        assert!(plan.pictures.iter().all(|one| sources.contains(&labels[one.row]) != one.cover));
        let rows = triggered(&attack.parts[0], &labels, 10);
        assert!(rows.iter().all(|one| sources.contains(&labels[one.row]) && one.target == 3));
        let covers = plan.pictures.iter().filter(|one| one.cover);
        assert!(covers.map(|one| labels[one.row]).all(|own| own != 3), "none of the target");
        let spared = spared(&attack.parts[0], &labels, 10);
        assert_eq!(spared.len(), 800);
        assert!(spared.iter().all(|row| labels[*row] != 3 && !sources.contains(&labels[*row])));
        assert!(super::spared(&Attack::preset("wanet", 3, 10).unwrap().parts[0], &labels, 10).is_empty());
    }

    #[test]
    fn whoever_has_little_choice_chooses_first() {
        let mut attack = attack(&["badnets", "tact"]);
        attack.parts[0].poison_rate = 0.7;
        attack.parts[1].poison_rate = 0.1;
        attack.parts[1].cover_rate = 0.0;
        let plan = poison(&attack, &labels(100), 10).unwrap();
        assert_eq!((plan.counts(0), plan.counts(1)), ((70, 0), (10, 0)));
    }

    #[test]
    fn labels_that_are_no_classes_are_refused_with_their_row() {
        let error = poison(&attack(&["all-to-all"]), &[0, 1, u32::MAX], 10).unwrap_err();
        assert_eq!(error, AttackError::Label { row: 2, label: u32::MAX, last: 9 });
    }

    #[test]
    fn all_to_all_wants_the_next_class() {
        let attack = attack(&["all-to-all"]);
        assert_eq!(attack.parts[0].target, Target::AllToAll);
        let rows = triggered(&attack.parts[0], &[0, 9, 4], 10);
        assert_eq!(rows.iter().map(|one| one.target).collect::<Vec<_>>(), [1, 0, 5]);
    }

    #[test]
    fn more_than_there_is_is_refused() {
        let mut attack = attack(&["tact"]);
        attack.parts[0].poison_rate = 0.5;
        let error = poison(&attack, &labels(100), 10).unwrap_err();
        assert!(matches!(error, AttackError::TooFew { needed: 50, .. }), "{error}");
    }
}
