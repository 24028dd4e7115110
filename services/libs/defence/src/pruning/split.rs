//! Dividing clean images into those that rank and train and those that judge.

use std::collections::{BTreeMap, BTreeSet};

use gifthorse_api::catalogue::{Coded, ErrorCode};
use serde::{Deserialize, Serialize};

use crate::draw::Chance;
use crate::level::Level;

/// Why clean images cannot be divided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// A part would be empty.
    #[error(
        "{images} images in {units} {unit} leave nothing {part}: give more images, or rank and score on all \
         of them"
    )]
    EmptyPart {
        /// Images there are.
        images: usize,
        /// Independent units among them.
        units: usize,
        /// What the units are: `groups` or `pieces`.
        unit: &'static str,
        /// Which part: `to rank by` or `to score on`.
        part: &'static str,
    },
    /// There is not one group number an image.
    #[error("{labels} images have {groups} group numbers: each needs one")]
    Groups {
        /// Images.
        labels: usize,
        /// Group numbers.
        groups: usize,
    },
    /// Keeping classes unseen takes several of them.
    #[error("the images are of {classes} classes: none can be kept unseen unless there are two")]
    TooFewClasses {
        /// Classes among the images.
        classes: usize,
    },
}

impl Coded for SplitError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::EmptyPart { .. } | Self::TooFewClasses { .. } => ErrorCode::DatasetInvalid,
            Self::Groups { .. } => ErrorCode::Internal,
        }
    }
}

/// How clean images are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitRequest {
    /// The part of each class, or of the groups, that scores.
    pub scoring: Level,
    /// The part of the classes of which no image ranks or trains. Asked for where the images do not cover all
    /// classes: what repairs do to classes they never saw shows only there.
    pub unseen_classes: Option<Level>,
    /// Seed of the draw.
    pub seed: u64,
}

/// Rows of a clean set by what they serve for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanSplit {
    /// Rows that rank channels and train, ascending.
    pub ranking: Vec<usize>,
    /// Rows that judge, ascending.
    pub scoring: Vec<usize>,
    /// Those of the scoring rows whose class has no ranking row, ascending.
    pub unseen: Vec<usize>,
}

impl CleanSplit {
    /// Every row ranks and scores, to reproduce what others did. Nothing is held out.
    pub fn all(images: usize) -> Self {
        let rows: Vec<usize> = (0..images).collect();
        Self { ranking: rows.clone(), scoring: rows, unseen: Vec::new() }
    }

    /// Divides each class by the share, to within one image; who gets the odd one is drawn. Where images come
    /// in groups (frames of a video, pictures of one person) no group is in both parts: whole groups are
    /// dealt, class by class of their first image.
    ///
    /// # Errors
    /// [`SplitError`] when a part is empty or classes are too few.
    pub fn draw(labels: &[i64], groups: Option<&[i64]>, request: SplitRequest) -> Result<Self, SplitError> {
        if let Some(groups) = groups.filter(|groups| groups.len() != labels.len()) {
            return Err(SplitError::Groups { labels: labels.len(), groups: groups.len() });
        }
        let mut chance = Chance::new(request.seed);
        let hidden = match request.unseen_classes {
            Some(share) => hidden_classes(labels, share, &mut chance)?,
            None => BTreeSet::new(),
        };
        let units = units(labels, groups);
        let unit_count = units.len();
        let (mut ranking, mut scoring) = (Vec::new(), Vec::new());
        let mut classes: BTreeMap<i64, Vec<Vec<usize>>> = BTreeMap::new();
        for rows in units {
            if rows.iter().any(|row| hidden.contains(&labels[*row])) {
                scoring.extend(rows);
            } else if let Some(first) = rows.first() {
                classes.entry(labels[*first]).or_default().push(rows);
            }
        }
        let (numerator, denominator) = request.scoring.share().ratio();
        for mut units in classes.into_values() {
            chance.shuffle(&mut units);
            let whole = u128::from(numerator) * units.len() as u128;
            let odd = u128::from(chance.below(denominator));
            let scoring_units = ((whole + odd) / u128::from(denominator)) as usize;
            for (place, rows) in units.into_iter().enumerate() {
                if place < scoring_units { scoring.extend(rows) } else { ranking.extend(rows) }
            }
        }
        for (rows, part) in [(&ranking, "to rank by"), (&scoring, "to score on")] {
            if rows.is_empty() {
                let unit = if groups.is_some() { "groups" } else { "pieces" };
                return Err(SplitError::EmptyPart { images: labels.len(), units: unit_count, unit, part });
            }
        }
        ranking.sort_unstable();
        scoring.sort_unstable();
        let seen: BTreeSet<i64> = ranking.iter().map(|row| labels[*row]).collect();
        let unseen = scoring.iter().copied().filter(|row| !seen.contains(&labels[*row])).collect();
        Ok(Self { ranking, scoring, unseen })
    }

    /// Whether the parts have nothing in common.
    pub fn is_disjoint(&self) -> bool {
        let ranking: BTreeSet<usize> = self.ranking.iter().copied().collect();
        self.scoring.iter().all(|row| !ranking.contains(row))
    }
}

/// Rows that stay together, each unit ascending: the groups, or each row alone.
fn units(labels: &[i64], groups: Option<&[i64]>) -> Vec<Vec<usize>> {
    let Some(groups) = groups else { return (0..labels.len()).map(|row| vec![row]).collect() };
    let mut units: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (row, group) in groups.iter().enumerate() {
        units.entry(*group).or_default().push(row);
    }
    units.into_values().collect()
}

/// Draws this part of the classes, rounded half up; at least one is hidden and at least one is not.
fn hidden_classes(labels: &[i64], share: Level, chance: &mut Chance) -> Result<BTreeSet<i64>, SplitError> {
    let classes: BTreeSet<i64> = labels.iter().copied().collect();
    let mut classes: Vec<i64> = classes.into_iter().collect();
    if classes.len() < 2 {
        return Err(SplitError::TooFewClasses { classes: classes.len() });
    }
    chance.shuffle(&mut classes);
    let (numerator, denominator) = share.share().ratio();
    let twice = 2 * u128::from(numerator) * classes.len() as u128 + u128::from(denominator);
    let count = (twice / (2 * u128::from(denominator))) as usize;
    classes.truncate(count.clamp(1, classes.len() - 1));
    Ok(classes.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(scoring: &str, unseen: Option<&str>, seed: u64) -> SplitRequest {
        let unseen_classes = unseen.map(|unseen| unseen.parse().unwrap());
        SplitRequest { scoring: scoring.parse().unwrap(), unseen_classes, seed }
    }

    fn classes(labels: &[i64], rows: &[usize]) -> BTreeSet<i64> {
        rows.iter().map(|row| labels[*row]).collect()
    }

    #[test]
    fn classes_are_divided_by_the_share() {
        let labels: Vec<i64> = (0..149).map(|row| row % 37).collect();
        let split = CleanSplit::draw(&labels, None, request("0.5", None, 7)).unwrap();
        assert_eq!(split, CleanSplit::draw(&labels, None, request("0.5", None, 7)).unwrap());
        assert_ne!(split, CleanSplit::draw(&labels, None, request("0.5", None, 8)).unwrap());
        assert!(split.is_disjoint());
        for class in 0..37 {
            let of = |rows: &[usize]| rows.iter().filter(|row| labels[**row] == class).count();
            assert!(of(&split.ranking).abs_diff(of(&split.scoring)) <= 1, "class {class}");
        }
        assert!(split.unseen.is_empty());
    }

    #[test]
    fn whole_classes_stay_unseen_when_asked() {
        let labels: Vec<i64> = (0..149).map(|row| row % 37).collect();
        let split = CleanSplit::draw(&labels, None, request("0.2", Some("0.5"), 3)).unwrap();
        let unseen = classes(&labels, &split.unseen);
        assert_eq!(unseen.len(), 19, "half of 37, rounded up");
        assert!(unseen.is_disjoint(&classes(&labels, &split.ranking)));
        let everyone = labels.iter().filter(|label| unseen.contains(label)).count();
        assert_eq!(split.unseen.len(), everyone);
        assert!(split.scoring.len() > split.unseen.len(), "seen classes are scored too");
    }

    #[test]
    fn everything_twice_when_others_are_reproduced() {
        let split = CleanSplit::all(3);
        assert_eq!((split.ranking.as_slice(), split.scoring.as_slice()), (&[0, 1, 2][..], &[0, 1, 2][..]));
        assert!(!split.is_disjoint());
    }

    #[test]
    fn what_cannot_be_divided_is_refused() {
        let refused = |labels: &[i64], groups: Option<&[i64]>, request| {
            CleanSplit::draw(labels, groups, request).unwrap_err()
        };
        let one_group = refused(&[0, 1, 2], Some(&[4, 4, 4]), request("0.5", None, 0));
        assert!(matches!(one_group, SplitError::EmptyPart { units: 1, unit: "groups", .. }), "{one_group}");
        let none = refused(&[], None, request("0.5", None, 0));
        assert!(matches!(none, SplitError::EmptyPart { .. }));
        let one_class = refused(&[3, 3, 3], None, request("0.5", Some("0.5"), 0));
        assert_eq!(one_class, SplitError::TooFewClasses { classes: 1 });
        let ragged = refused(&[3, 3, 3], Some(&[1]), request("0.5", None, 0));
        assert_eq!(ragged, SplitError::Groups { labels: 3, groups: 1 });
    }

    proptest! {
        #[test]
        fn no_row_no_group_and_no_hidden_class_is_in_both_parts(
            rows in prop::collection::vec((0_i64..6, 0_i64..12), 1..90),
            grouped: bool,
            hide: bool,
            seed: u64,
        ) {
            let (labels, groups): (Vec<i64>, Vec<i64>) = rows.into_iter().unzip();
            let groups = grouped.then_some(groups);
            let request = request("0.4", hide.then_some("0.3"), seed);
            if let Ok(split) = CleanSplit::draw(&labels, groups.as_deref(), request) {
                prop_assert!(split.is_disjoint());
                prop_assert_eq!(split.ranking.len() + split.scoring.len(), labels.len());
                prop_assert!(!split.ranking.is_empty() && !split.scoring.is_empty());
                let seen = classes(&labels, &split.ranking);
                prop_assert!(classes(&labels, &split.unseen).is_disjoint(&seen));
                prop_assert!(!hide || !split.unseen.is_empty());
                if let Some(groups) = groups {
                    let of = |rows: &[usize]| classes(&groups, rows);
                    prop_assert!(of(&split.ranking).is_disjoint(&of(&split.scoring)));
                }
            }
        }
    }
}
