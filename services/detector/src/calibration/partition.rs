//! Which clean image serves as what: overlay, host, reference or calibration input. Nothing serves twice.

use std::collections::HashSet;

use gifthorse_defence::digest::ContentDigest;
use gifthorse_defence::draw::{one_of_each_group, permutation};

/// The most images that are set aside as overlays unless told otherwise.
const MOST_OVERLAYS: usize = 100;
/// One in so many images is set aside as an overlay unless told otherwise.
const OVERLAY_PART: usize = 5;
/// The most images that serve as reference unless told otherwise.
const MOST_REFERENCE: usize = 30;
/// One in so many of what the bank leaves serves as reference unless told otherwise.
const REFERENCE_PART: usize = 6;

/// What is known of the clean images.
#[derive(Debug)]
pub(super) struct Candidates<'a> {
    pub(super) labels: &'a [usize],
    pub(super) predictions: &'a [usize],
    pub(super) digests: &'a [ContentDigest],
    /// Groups of which one image counts, where that is asked for.
    pub(super) groups: Option<&'a [i64]>,
}

/// How many images shall serve as what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Overlays; zero for the default, none when the overlays come from elsewhere.
    pub(super) overlays: Option<usize>,
    pub(super) hosts: usize,
    /// Reference images; zero for the default, none when no scores are fused.
    pub(super) reference: Option<usize>,
    pub(super) seed: u64,
}

/// Rows of the data set, by what they serve as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Partition {
    /// Overlays, the hosts first.
    pub(super) bank: Vec<usize>,
    /// How many of the first overlays are hosts: of different, correctly predicted classes.
    pub(super) hosts: usize,
    pub(super) reference: Vec<usize>,
    pub(super) calibration: Vec<usize>,
    /// Images left out because another one is equal to them, byte for byte.
    pub(super) repeated: usize,
}

impl Partition {
    /// Divides the images by lot; the fault says what is missing.
    pub(super) fn draw(candidates: &Candidates<'_>, wanted: Wanted) -> Result<Self, String> {
        let rows = candidates.groups.map_or_else(
            || (0..candidates.labels.len()).collect(),
            |groups| one_of_each_group(groups, wanted.seed),
        );
        let mut seen = HashSet::new();
        let (unique, again): (Vec<usize>, Vec<usize>) =
            rows.into_iter().partition(|row| seen.insert(candidates.digests[*row]));
        let order: Vec<usize> =
            permutation(unique.len(), wanted.seed).into_iter().map(|place| unique[place]).collect();

        let overlays = match wanted.overlays {
            None => 0,
            Some(0) => (order.len() / OVERLAY_PART).clamp(1, MOST_OVERLAYS),
            Some(overlays) => overlays,
        };
        let hosts =
            if overlays == 0 { Vec::new() } else { hosts(candidates, &order, wanted.hosts.min(overlays)) };
        let is_host: HashSet<usize> = hosts.iter().copied().collect();
        let others: Vec<usize> = order.into_iter().filter(|row| !is_host.contains(row)).collect();
        let host_count = hosts.len();
        let more = overlays - host_count;
        let left = others.len().saturating_sub(more);
        let reference = match wanted.reference {
            None => 0,
            Some(0) => left.div_ceil(REFERENCE_PART).min(MOST_REFERENCE),
            Some(reference) => reference,
        };
        if more + reference >= others.len() {
            return Err(format!(
                "has {} different images{}, too few for {overlays} overlays, {reference} reference images and \
                 at least one calibration input: give more clean images, or set fewer aside",
                unique.len(),
                if candidates.groups.is_some() { " counting one of each group" } else { "" },
            ));
        }
        let (overlay_rows, rest) = others.split_at(more);
        let (reference_rows, calibration) = rest.split_at(reference);
        Ok(Self {
            bank: [hosts.as_slice(), overlay_rows].concat(),
            hosts: host_count,
            reference: reference_rows.to_vec(),
            calibration: calibration.to_vec(),
            repeated: again.len(),
        })
    }
}

/// In drawn order, images that are predicted correctly and of a class not taken yet.
fn hosts(candidates: &Candidates<'_>, order: &[usize], count: usize) -> Vec<usize> {
    let mut taken = HashSet::new();
    let fits = |row: &&usize| candidates.predictions[**row] == candidates.labels[**row];
    let mut hosts = Vec::new();
    for row in order.iter().filter(fits) {
        if hosts.len() < count && taken.insert(candidates.labels[*row]) {
            hosts.push(*row);
        }
    }
    hosts
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    fn digests(values: &[f32]) -> Vec<ContentDigest> {
        values
            .iter()
            .map(|value| ContentDigest::of_image(Array3::from_elem((1, 1, 1), *value).view()))
            .collect()
    }

    const WANTED: Wanted = Wanted { overlays: Some(0), hosts: 5, reference: Some(0), seed: 7 };

    #[test]
    fn nothing_serves_twice_and_the_draw_is_repeatable() {
        let labels: Vec<usize> = (0..149).map(|row| row % 37).collect();
        let values: Vec<f32> = (0..149).map(|row| row as f32).collect();
        let digests = digests(&values);
        let candidates =
            Candidates { labels: &labels, predictions: &labels, digests: &digests, groups: None };
        let wanted = Wanted { overlays: Some(10), hosts: 10, ..WANTED };
        let partition = Partition::draw(&candidates, wanted).unwrap();
        assert_eq!(partition, Partition::draw(&candidates, wanted).unwrap());
        assert_eq!((partition.bank.len(), partition.hosts), (10, 10));
        assert_eq!((partition.reference.len(), partition.calibration.len()), (24, 115));
        let all = [&partition.bank[..], &partition.reference, &partition.calibration].concat();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 149);
        let classes: HashSet<usize> = partition.bank.iter().map(|row| labels[*row]).collect();
        assert_eq!(classes.len(), 10);
    }

    #[test]
    fn equal_images_count_once_and_too_few_are_refused() {
        let labels = [0; 20];
        let digests = digests(&[1.0; 20]);
        let candidates =
            Candidates { labels: &labels, predictions: &labels, digests: &digests, groups: None };
        let fault = Partition::draw(&candidates, WANTED).unwrap_err();
        assert!(fault.starts_with("has 1 different images"), "{fault}");
    }

    #[test]
    fn one_image_of_each_group_counts() {
        let labels: Vec<usize> = (0..60).map(|row| row / 3).collect();
        let groups: Vec<i64> = (0..60).map(|row| row / 3).collect();
        let values: Vec<f32> = (0..60).map(|row| row as f32).collect();
        let digests = digests(&values);
        let candidates =
            Candidates { labels: &labels, predictions: &labels, digests: &digests, groups: Some(&groups) };
        let partition = Partition::draw(&candidates, WANTED).unwrap();
        let all = [&partition.bank[..], &partition.reference, &partition.calibration].concat();
        assert_eq!(all.len(), 20);
        assert_eq!(all.iter().map(|row| groups[*row]).collect::<HashSet<_>>().len(), 20);
    }
}
