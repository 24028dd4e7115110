//! `link.json`: what is kept of a linked network. Its digest is the version's identity.

use gifthorse_store::LinkRecord;
use serde::{Deserialize, Serialize};

use super::error::LinkError;
use super::probes::PROBE_SET;

const FORMAT: u32 = 1;

/// How far a probability may be from the one it was linked with. Other batch sizes, processors and devices stay
/// below; in half precision or on TF32 units a network may come near it; another network is far above.
pub(crate) const TOLERANCE: f32 = 1e-3;

/// How the network is asked, and what it answered to the probes when it was linked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkDocument {
    format: u32,
    /// Where it is.
    pub(crate) link: LinkRecord,
    /// Rows that the server takes at once, where it takes no others.
    pub(crate) fixed_rows: Option<u64>,
    /// Which probes were asked.
    probe_set: u32,
    /// The probabilities answered, one row a probe.
    answers: Vec<Vec<f32>>,
}

impl LinkDocument {
    /// A document of these answers to the probes.
    pub(crate) fn new(link: LinkRecord, fixed_rows: Option<u64>, answers: Vec<Vec<f32>>) -> Self {
        Self { format: FORMAT, link, fixed_rows, probe_set: PROBE_SET, answers }
    }

    /// The stored form. The same document always gives the same bytes.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, LinkError> {
        serde_json::to_vec(self).map_err(|error| LinkError::Document { reason: error.to_string() })
    }

    /// The document of a stored form.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, LinkError> {
        let broken = |reason: String| LinkError::Document { reason };
        let document: Self = serde_json::from_slice(bytes).map_err(|error| broken(error.to_string()))?;
        if (document.format, document.probe_set) != (FORMAT, PROBE_SET) {
            let (format, probes) = (document.format, document.probe_set);
            return Err(broken(format!(
                "it has format {format} and probes {probes}, this release reads {FORMAT} and {PROBE_SET}"
            )));
        }
        Ok(document)
    }

    /// Fails when these are not the answers that the network was linked with.
    pub(crate) fn compare(&self, answers: &[Vec<f32>]) -> Result<(), LinkError> {
        match difference(&self.answers, answers) {
            None => Ok(()),
            Some(what) => Err(self.changed(what)),
        }
    }

    /// The error of a network that is another one, and how that shows.
    pub(super) fn changed(&self, what: String) -> LinkError {
        let LinkRecord { endpoint, model_name, .. } = &self.link;
        LinkError::Changed { endpoint: endpoint.clone(), model: model_name.clone(), what }
    }
}

/// How the answers differ, if by more than the tolerance.
fn difference(linked: &[Vec<f32>], now: &[Vec<f32>]) -> Option<String> {
    let classes = |answers: &[Vec<f32>]| answers.first().map_or(0, Vec::len);
    if classes(linked) != classes(now) || linked.len() != now.len() {
        return Some(format!("tells {} classes apart, not {}", classes(now), classes(linked)));
    }
    let gap = |(linked, now): (&Vec<f32>, &Vec<f32>)| largest_gap(linked, now);
    let (probe, gap) = linked.iter().zip(now).map(gap).enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    // A probability that is no number makes a gap that is none, which is no small one.
    if gap <= TOLERANCE {
        return None;
    }
    let ((was, before), (is, after)) = (best(&linked[probe]), best(&now[probe]));
    Some(format!(
        "answers probe {probe} with class {is} at {after:.4}, where it was class {was} at {before:.4} \
         (probabilities differ by up to {gap:.4})"
    ))
}

/// How far the sum of a row may be from one: servers in half precision are still taken.
const SUM_TOLERANCE: f32 = 1e-2;

/// Fails unless every row of these answers to probes is a distribution.
pub(crate) fn check_probabilities(model: &str, answers: &[Vec<f32>]) -> Result<(), LinkError> {
    for (probe, row) in answers.iter().enumerate() {
        let outside = row.iter().position(|value| !(-TOLERANCE..=1.0 + TOLERANCE).contains(value));
        let sum: f32 = row.iter().sum();
        let what = match outside {
            Some(class) => format!("probe {probe} is answered with {} for class {class}", row[class]),
            None if (sum - 1.0).abs() > SUM_TOLERANCE => format!("the row of probe {probe} sums to {sum}"),
            None => continue,
        };
        return Err(LinkError::NotProbabilities { model: model.to_owned(), what });
    }
    Ok(())
}

/// The largest difference of two answers' probabilities.
pub(crate) fn largest_gap(one: &[f32], other: &[f32]) -> f32 {
    let gaps = one.iter().zip(other).map(|(one, other)| (one - other).abs());
    gaps.fold(0.0, |largest, gap| if gap > largest || gap.is_nan() { gap } else { largest })
}

fn best(row: &[f32]) -> (usize, f32) {
    let highest = row.iter().copied().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
    highest.unwrap_or((0, 0.0))
}

#[cfg(test)]
mod tests {
    use gifthorse_api::catalogue::{Coded, ErrorCode};

    use super::*;

    fn document() -> LinkDocument {
        let link = LinkRecord {
            endpoint: "a:1".to_owned(),
            model_name: "faces".to_owned(),
            model_version: String::new(),
            input: "x".to_owned(),
            output: "p".to_owned(),
            logits: false,
        };
        LinkDocument::new(link, None, vec![vec![0.1, 0.9], vec![0.5004, 0.4996]])
    }

    #[test]
    fn a_document_reads_back_to_the_bit() {
        let bytes = document().to_bytes().unwrap();
        let read = LinkDocument::from_bytes(&bytes).unwrap();
        assert_eq!(read, document());
        assert_eq!(read.to_bytes().unwrap(), bytes);
        let text = String::from_utf8(bytes).unwrap();
        for (old, new) in
            [("\"format\":1", "\"format\":2"), ("\"probe_set\":1", "\"probe_set\":9"), ("{", "")]
        {
            let error = LinkDocument::from_bytes(text.replace(old, new).as_bytes()).unwrap_err();
            assert_eq!(error.code(), ErrorCode::RecordInvalid, "{error}");
        }
    }

    #[test]
    fn logits_are_no_probabilities() {
        assert_eq!(check_probabilities("m", &[vec![0.25, 0.75], vec![1.0005, -0.0005]]), Ok(()));
        for (row, words) in [
            (vec![3.0, -1.0], "with 3 for class 0"),
            (vec![0.5, 0.6], "sums to 1.1"),
            (vec![0.0, 0.0], "sums to 0"),
        ] {
            let error = check_probabilities("m", &[vec![0.5, 0.5], row]).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert!(error.to_string().contains("--logits"), "{error}");
        }
    }

    #[test]
    fn noise_is_forgiven_and_another_network_is_not() {
        let document = document();
        assert_eq!(document.compare(&[vec![0.1, 0.9], vec![0.5004, 0.4996]]), Ok(()));
        // Noise may turn the order of two classes that are all but equal.
        assert_eq!(document.compare(&[vec![0.1005, 0.8995], vec![0.4999, 0.5001]]), Ok(()));
        for (answers, words) in [
            (vec![vec![0.102, 0.898], vec![0.5004, 0.4996]], "probe 0"),
            (vec![vec![0.1, 0.9], vec![0.2, 0.8]], "probe 1 with class 1 at 0.8000, where it was class 0"),
            (vec![vec![0.1, 0.9], vec![f32::NAN, 0.4996]], "probe 1"),
            (vec![vec![0.1, 0.8, 0.1], vec![0.5, 0.4, 0.1]], "tells 3 classes apart, not 2"),
        ] {
            let error = document.compare(&answers).unwrap_err();
            assert_eq!(error.code(), ErrorCode::LinkedModelChanged);
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
