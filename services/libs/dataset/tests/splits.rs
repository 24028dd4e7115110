//! Splits: complete, disjoint, fair, and the same for ever.
#![expect(clippy::unwrap_used, reason = "test helpers fail by panicking")]

use std::collections::BTreeSet;

use gifthorse_dataset::splits::{Shares, SplitError, by_class, by_group};
use proptest::prelude::*;

fn shares(shares: &[u32]) -> Shares {
    Shares::new(shares.to_vec()).unwrap()
}

fn assert_partition(parts: &[Vec<usize>], count: usize) {
    let mut rows = parts.concat();
    rows.sort_unstable();
    assert_eq!(rows, (0..count).collect::<Vec<_>>());
    assert!(parts.iter().all(|part| part.is_sorted()));
}

#[test]
// Drawn once and written down: whoever changes these changes every split ever made.
fn a_seed_means_the_same_rows_for_ever() {
    let labels = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1];
    let expected = [vec![1, 3, 4, 5, 6, 7], vec![0, 2, 8, 9]];
    assert_eq!(by_class(&labels, &shares(&[3, 2]), 7), expected);
    let groups = [5, 5, 9, 9, 2, 2, 7, 7];
    let expected = [vec![4, 5, 6, 7], vec![0, 1, 2, 3]];
    assert_eq!(by_group(&groups, &shares(&[1, 1]), 7).unwrap(), expected);
}

#[test]
fn another_seed_draws_other_rows() {
    let labels = vec![3; 100];
    let drawn: BTreeSet<_> = (0..20).map(|seed| by_class(&labels, &shares(&[1, 1]), seed)).collect();
    assert_eq!(drawn.len(), 20);
}

#[test]
fn what_cannot_be_divided_is_refused() {
    for bad in [vec![], vec![1], vec![1, 0]] {
        assert!(matches!(Shares::new(bad), Err(SplitError::Shares(_))));
    }
    let error = by_group(&[1, 1, 2], &shares(&[1, 1, 1]), 0).unwrap_err();
    assert_eq!(error, SplitError::TooFewGroups { groups: 2, parts: 3 });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_class_gets_its_share(
        labels in prop::collection::vec(0..5_i64, 1..200),
        weights in prop::collection::vec(1..10_u32, 2..5),
        seed in any::<u64>(),
    ) {
        let parts = by_class(&labels, &shares(&weights), seed);
        assert_partition(&parts, labels.len());
        prop_assert_eq!(&parts, &by_class(&labels, &shares(&weights), seed));
        let total: u32 = weights.iter().sum();
        for class in 0..5 {
            let all = labels.iter().filter(|label| **label == class).count();
            for (part, weight) in parts.iter().zip(&weights) {
                let got = part.iter().filter(|row| labels[**row] == class).count();
                let fair = all as f64 * f64::from(*weight) / f64::from(total);
                prop_assert!((got as f64 - fair).abs() < 1.0, "{} of {} for {}/{}", got, all, weight, total);
            }
        }
    }

    #[test]
    fn no_group_is_in_two_parts(
        groups in prop::collection::vec(0..30_i64, 1..200),
        weights in prop::collection::vec(1..10_u32, 2..4),
        seed in any::<u64>(),
    ) {
        let distinct: BTreeSet<i64> = groups.iter().copied().collect();
        let divided = by_group(&groups, &shares(&weights), seed);
        if distinct.len() < weights.len() {
            prop_assert!(divided.is_err());
        } else {
            let parts = divided.unwrap();
            assert_partition(&parts, groups.len());
            prop_assert!(parts.iter().all(|part| !part.is_empty()));
            let sets: Vec<BTreeSet<i64>> =
                parts.iter().map(|part| part.iter().map(|row| groups[*row]).collect()).collect();
            let members: usize = sets.iter().map(BTreeSet::len).sum();
            prop_assert_eq!(members, distinct.len());
        }
    }
}
