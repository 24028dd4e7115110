//! The outputs of a guarded model.
//!
//! * the network's own name: FP32 `[N, M + 1]`, the network's probabilities with 0 at index M; a trojaned row has
//!   1 at index M and 0 elsewhere;
//! * `guard_verdict`: INT32 `[N]`, the numbers of `gifthorse.v1.Verdict.Kind` (2 clean, 3 trojaned, 4 undecided);
//! * `guard_p_value`: FP64 `[N]`, the combined p-value; NaN where there is no verdict;
//! * `network_probabilities`: FP32 `[N, M]`, what the network itself said.
//!
//! Other outputs of the network are not answered: they would tell its label past the guard.

use bytes::Bytes;
use gifthorse_api::inference::model_infer_request::InferRequestedOutputTensor;
use gifthorse_api::inference::model_infer_response::InferOutputTensor;
use gifthorse_api::inference::{DataType, InferTensorContents};

use super::error::ProtocolError;
use super::rows::shortened;
use crate::directory::KnownVersion;
use crate::verdict::Judgement;

/// One output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// Probabilities with index M.
    Guarded,
    /// Numbers of the verdicts.
    Verdict,
    /// p-values.
    PValue,
    /// Probabilities of the network itself.
    Network,
}

impl Output {
    /// The order in which a request that names none gets them.
    const ALL: [Self; 4] = [Self::Guarded, Self::Verdict, Self::PValue, Self::Network];

    pub(super) fn name(self, version: &KnownVersion) -> &str {
        match self {
            Self::Guarded => &version.output,
            Self::Verdict => "guard_verdict",
            Self::PValue => "guard_p_value",
            Self::Network => "network_probabilities",
        }
    }

    pub(super) const fn data_type(self) -> DataType {
        match self {
            Self::Guarded | Self::Network => DataType::TypeFp32,
            Self::Verdict => DataType::TypeInt32,
            Self::PValue => DataType::TypeFp64,
        }
    }

    /// The protocol's name of the data type.
    pub(super) const fn datatype(self) -> &'static str {
        match self {
            Self::Guarded | Self::Network => "FP32",
            Self::Verdict => "INT32",
            Self::PValue => "FP64",
        }
    }

    /// The axes after the batch axis, of which there is one or none.
    pub(super) fn row_shape(self, version: &KnownVersion) -> Vec<i64> {
        match self {
            Self::Guarded => vec![version.class_count as i64 + 1],
            Self::Network => vec![version.class_count as i64],
            Self::Verdict | Self::PValue => Vec::new(),
        }
    }

    /// All of a version. A network whose own output has one of our names keeps it, and ours is not to be had.
    pub(super) fn all(version: &KnownVersion) -> Vec<Self> {
        let free = |output: &Self| *output == Self::Guarded || output.name(version) != version.output;
        Self::ALL.into_iter().filter(free).collect()
    }
}

/// The outputs that a request asks for, in its order; all when it names none.
pub(super) fn wanted(
    requested: &[InferRequestedOutputTensor],
    version: &KnownVersion,
) -> Result<Vec<Output>, ProtocolError> {
    let all = Output::all(version);
    if requested.is_empty() {
        return Ok(all);
    }
    let mut wanted = Vec::with_capacity(all.len());
    for (index, asked) in requested.iter().enumerate() {
        if let Some(parameter) = asked.parameters.keys().next() {
            return Err(ProtocolError::Parameter { parameter: shortened(parameter) });
        }
        let found = all.iter().copied().find(|output| output.name(version) == asked.name);
        let Some(output) = found else {
            let expected: Vec<&str> = all.iter().map(|output| output.name(version)).collect();
            return Err(ProtocolError::UnknownOutput {
                model: version.model.to_string(),
                index,
                found: shortened(&asked.name),
                expected: expected.join(", "),
            });
        };
        if wanted.contains(&output) {
            return Err(ProtocolError::RepeatedOutput { index, found: asked.name.clone() });
        }
        wanted.push(output);
    }
    Ok(wanted)
}

/// What was found of a batch.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) version: &'a KnownVersion,
    /// Row after row, M numbers each.
    pub(super) probabilities: &'a [f32],
    /// One a row.
    pub(super) judgements: &'a [Judgement],
}

impl Found<'_> {
    /// The outputs, typed or raw.
    pub(super) fn put(&self, wanted: &[Output], typed: bool) -> (Vec<InferOutputTensor>, Vec<Bytes>) {
        let mut raw = Vec::new();
        let outputs = wanted.iter().map(|output| {
            let contents = self.contents(*output);
            let rows = self.judgements.len() as i64;
            let mut shape = vec![rows];
            shape.extend(output.row_shape(self.version));
            let mut tensor = InferOutputTensor {
                name: output.name(self.version).to_owned(),
                datatype: output.datatype().to_owned(),
                shape,
                ..InferOutputTensor::default()
            };
            if typed {
                tensor.contents = Some(contents);
            } else {
                raw.push(packed(&contents));
            }
            tensor
        });
        let outputs = outputs.collect();
        (outputs, raw)
    }

    fn contents(&self, output: Output) -> InferTensorContents {
        let mut contents = InferTensorContents::default();
        match output {
            Output::Guarded => contents.fp32_contents = self.guarded(),
            Output::Network => contents.fp32_contents = self.probabilities.to_vec(),
            Output::Verdict => {
                contents.int_contents = self.judgements.iter().map(|judged| judged.kind.into()).collect();
            }
            Output::PValue => {
                let p_value = |judged: &Judgement| judged.p_value.unwrap_or(f64::NAN);
                contents.fp64_contents = self.judgements.iter().map(p_value).collect();
            }
        }
        contents
    }

    fn guarded(&self) -> Vec<f32> {
        let classes = self.version.class_count;
        let mut guarded = Vec::with_capacity(self.judgements.len() * (classes + 1));
        for (row, judgement) in self.probabilities.chunks_exact(classes).zip(self.judgements) {
            if judgement.is_trojaned() {
                guarded.extend(std::iter::repeat_n(0.0, classes));
                guarded.push(1.0);
            } else {
                guarded.extend_from_slice(row);
                guarded.push(0.0);
            }
        }
        guarded
    }
}

/// Contents in the raw form. Only one list is filled.
fn packed(contents: &InferTensorContents) -> Bytes {
    let singles = contents.fp32_contents.iter().flat_map(|value| value.to_le_bytes());
    let whole = contents.int_contents.iter().flat_map(|value| value.to_le_bytes());
    let doubles = contents.fp64_contents.iter().flat_map(|value| value.to_le_bytes());
    singles.chain(whole).chain(doubles).collect()
}

#[cfg(test)]
mod tests {
    use gifthorse_api::catalogue::{Coded, ErrorCode};
    use gifthorse_api::inference::InferParameter;
    use gifthorse_api::v1::verdict::Kind;

    use super::super::rows::tests::version;
    use super::*;

    fn judged(kind: Kind, p_value: Option<f64>) -> Judgement {
        let detectors = Vec::new();
        let (p_value_is_bound, suspect_label) = (false, None);
        Judgement { kind, p_value, p_value_is_bound, suspect_label, detectors, policy: String::new() }
    }

    fn asked(names: &[&str]) -> Vec<InferRequestedOutputTensor> {
        let asked =
            |name: &&str| InferRequestedOutputTensor { name: (*name).to_owned(), ..Default::default() };
        names.iter().map(asked).collect()
    }

    #[test]
    fn argmax_of_a_trojaned_row_is_index_m() {
        let version = version();
        let judgements = [
            judged(Kind::Clean, Some(0.5)),
            judged(Kind::Trojaned, Some(0.01)),
            judged(Kind::Undecided, None),
        ];
        let probabilities = [0.125, 0.75, 0.125, 0.0, 1.0, 0.0, 0.25, 0.25, 0.5];
        let found = Found { version: &version, probabilities: &probabilities, judgements: &judgements };
        let (outputs, raw) = found.put(&Output::ALL, true);
        assert!(raw.is_empty());
        let shapes: Vec<_> = outputs.iter().map(|output| output.shape.clone()).collect();
        assert_eq!(shapes, [vec![3, 4], vec![3], vec![3], vec![3, 3]]);
        let contents = |index: usize| outputs[index].contents.clone().unwrap();
        let guarded = [0.125, 0.75, 0.125, 0.0, 0.0, 0.0, 0.0, 1.0, 0.25, 0.25, 0.5, 0.0];
        assert_eq!(contents(0).fp32_contents, guarded);
        assert_eq!(contents(1).int_contents, [2, 3, 4]);
        assert_eq!(contents(2).fp64_contents[..2], [0.5, 0.01]);
        assert!(contents(2).fp64_contents[2].is_nan());
        assert_eq!(contents(3).fp32_contents, probabilities);

        let (outputs, raw) = found.put(&[Output::Verdict, Output::Guarded], false);
        assert!(outputs.iter().all(|output| output.contents.is_none()));
        assert_eq!(raw[0], [2_i32, 3, 4].map(i32::to_le_bytes).concat());
        assert_eq!(raw[1], guarded.map(f32::to_le_bytes).concat());
    }

    #[test]
    fn outputs_come_as_asked_for() {
        let version = version();
        assert_eq!(wanted(&[], &version).unwrap(), Output::ALL);
        let two = wanted(&asked(&["guard_p_value", "probabilities"]), &version).unwrap();
        assert_eq!(two, [Output::PValue, Output::Guarded]);
        let unknown = wanted(&asked(&["logits"]), &version).unwrap_err();
        assert_eq!(unknown.code(), ErrorCode::UnknownTensor);
        assert!(unknown.to_string().contains("network_probabilities"), "{unknown}");
        assert!(wanted(&asked(&["guard_verdict", "guard_verdict"]), &version).is_err());
        let mut classification = asked(&["probabilities"]);
        classification[0].parameters.insert("classification".to_owned(), InferParameter::default());
        let refused = wanted(&classification, &version).unwrap_err();
        assert!(refused.to_string().contains("classification"), "{refused}");
    }

    #[test]
    fn a_network_may_use_one_of_our_names() {
        let version = KnownVersion { output: "network_probabilities".to_owned(), ..version() };
        assert_eq!(Output::all(&version), [Output::Guarded, Output::Verdict, Output::PValue]);
        assert_eq!(wanted(&asked(&["network_probabilities"]), &version).unwrap(), [Output::Guarded]);
    }
}
