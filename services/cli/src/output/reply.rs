//! The protobuf JSON mapping of replies, by reflection over the compiled descriptors.

use std::sync::LazyLock;

use gifthorse_api::{FILE_DESCRIPTOR_SET, v1};
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde::{Serialize, Serializer};

use crate::error::CommandError;

static DESCRIPTORS: LazyLock<Result<DescriptorPool, String>> =
    LazyLock::new(|| DescriptorPool::decode(FILE_DESCRIPTOR_SET).map_err(|error| error.to_string()));

/// A message that commands print.
pub trait Reply: prost::Message {
    /// Its full protobuf name.
    const FULL_NAME: &'static str;
}

macro_rules! replies {
    ($($message:ident),* $(,)?) => {
        $(impl Reply for v1::$message {
            const FULL_NAME: &'static str = concat!("gifthorse.v1.", stringify!($message));
        })*

        #[cfg(test)]
        const FULL_NAMES: &[&str] = &[$(<v1::$message as Reply>::FULL_NAME),*];
    };
}

replies!(
    ArtefactFile,
    Calibration,
    ClassifyResponse,
    ClearPolicyResponse,
    Dataset,
    DeleteCalibrationResponse,
    DeleteDatasetResponse,
    DeleteModelResponse,
    DeleteModelVersionResponse,
    Evaluation,
    GetPruningLogResponse,
    Model,
    ModelVersion,
    Policy,
    PruningJob,
    PruningPlan,
    ScanResponse,
    WatchPruningJobResponse,
);

/// A reply in the protobuf JSON mapping. Fields without presence are written even when they hold their
/// default, so that label 0 shows; optional fields that are absent stay absent.
#[derive(Debug, Clone)]
pub struct JsonReply(DynamicMessage);

impl JsonReply {
    /// The mapping of `reply`.
    pub fn of<R: Reply>(reply: &R) -> Result<Self, CommandError> {
        let pool = DESCRIPTORS.as_ref().map_err(|error| CommandError::Json(error.clone()))?;
        let descriptor = pool
            .get_message_by_name(R::FULL_NAME)
            .ok_or_else(|| CommandError::Json(format!("{} is not described", R::FULL_NAME)))?;
        let mut message = DynamicMessage::new(descriptor);
        message.transcode_from(reply).map_err(|error| CommandError::Json(error.to_string()))?;
        Ok(Self(message))
    }
}

impl Serialize for JsonReply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_with_options(serializer, &SerializeOptions::new().skip_default_fields(false))
    }
}

/// A reply about one local file, which is named before the fields of the reply.
#[derive(Debug, Serialize)]
pub struct FileReply<'file> {
    /// The file as it was typed.
    pub file: &'file str,
    /// The reply.
    #[serde(flatten)]
    pub reply: JsonReply,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn mapped<R: Reply>(reply: &R) -> Value {
        serde_json::to_value(JsonReply::of(reply).unwrap()).unwrap()
    }

    #[test]
    fn every_reply_is_described() {
        let pool = DESCRIPTORS.as_ref().unwrap();
        for name in FULL_NAMES {
            assert!(pool.get_message_by_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn defaults_show_and_absent_fields_do_not() {
        let reply = v1::ClassifyResponse {
            verdict: v1::verdict::Kind::Unguarded.into(),
            top: vec![v1::ClassProbability { label: 0, label_name: String::new(), probability: 1.0 }],
            ..Default::default()
        };
        let value = mapped(&reply);
        assert_eq!(value["label"], json!(0));
        assert_eq!(value["networkLabel"], json!(0));
        assert_eq!(value["labelName"], json!(""));
        assert_eq!(value["verdict"], json!("UNGUARDED"));
        assert_eq!(value["detectors"], json!([]));
        assert_eq!(value["top"][0], json!({"label": 0, "labelName": "", "probability": 1.0}));
        for absent in ["pValue", "repairedLabel", "timings"] {
            assert!(value.get(absent).is_none(), "{absent} is absent in the reply");
        }
        let value = mapped(&v1::ClassifyResponse { p_value: Some(0.0), ..Default::default() });
        assert_eq!(value["pValue"], json!(0.0));
    }

    #[test]
    fn times_counts_and_nested_enums_follow_the_mapping() {
        let version = v1::ModelVersion {
            create_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
            parameter_count: 7,
            state: v1::model_version::State::Ready.into(),
            ..Default::default()
        };
        let value = mapped(&version);
        assert_eq!(value["createTime"], json!("2023-11-14T22:13:20Z"));
        assert_eq!(value["parameterCount"], json!("7"), "64-bit numbers are text in the mapping");
        assert_eq!(value["state"], json!("READY"));
    }

    #[test]
    fn the_file_comes_first() {
        let reply = JsonReply::of(&v1::DeleteModelResponse::default()).unwrap();
        let line = serde_json::to_string(&FileReply { file: "a.png", reply }).unwrap();
        assert_eq!(line, r#"{"file":"a.png"}"#);
        let reply = JsonReply::of(&v1::ClassifyResponse::default()).unwrap();
        let line = serde_json::to_string(&FileReply { file: "a.png", reply }).unwrap();
        assert!(line.starts_with(r#"{"file":"a.png","modelVersion":"","label":0,"#), "{line}");
    }
}
