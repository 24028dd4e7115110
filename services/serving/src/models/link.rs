//! `LinkModel`: from the address of a foreign server to a committed, loaded version.

use bytes::Bytes;
use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::name::{Identifier, ModelName};
use gifthorse_api::status::{invalid_field, status, status_of};
use gifthorse_api::v1;
use gifthorse_dataset::wire;
use gifthorse_store::{
    Classes, Committed, ImportStart, LINK_FILE, LinkRecord, ModelRecord, ModelSource, ModelSpecification,
    Provenance, StoreError, TensorNames,
};
use tonic::Status;

use super::import::Importer;
use crate::configuration::LinkConfiguration;
use crate::linked::{Foreign, ForeignInput, LinkDocument, LinkError, Probes, TOLERANCE, check_probabilities};

/// The longest name of a model or tensor of a foreign server, in bytes.
const MAX_NAME: usize = 256;

/// What linking needs beside what importing does.
#[derive(Debug, Clone)]
pub(crate) struct Linker {
    pub(crate) importer: Importer,
    pub(crate) configuration: LinkConfiguration,
}

impl Linker {
    /// Asks the server what it holds and how it answers the probes, and keeps both as a version. From then on
    /// the link goes on by itself when the caller goes away, as an import does.
    pub(super) async fn link(self, request: v1::LinkModelRequest) -> Result<ModelRecord, Status> {
        let model = named(&request.model)?;
        let link = link_record(request.endpoint.unwrap_or_default())?;
        let asked = request.preprocessing.unwrap_or_default();
        let time = self.configuration.request_timeout;

        let foreign = Foreign::new(link.clone(), &self.configuration).map_err(|error| refused(&error))?;
        let metadata = foreign.metadata(time).await.map_err(|error| refused(&error))?;
        let input = ForeignInput::of(&metadata, &link, &asked).map_err(|error| refused(&error))?;
        let preprocessing = wire::complete(&asked, input.image).map_err(|error| status_of(&error))?;
        let part = self.configuration.part_rows(input.fixed_rows, &preprocessing);
        let probes = Probes::new(preprocessing.clone(), part);
        let answers = probes.ask_twice(&foreign, time, TOLERANCE).await.map_err(|error| refused(&error))?;
        check_probabilities(&link.model_name, &answers).map_err(|error| refused(&error))?;

        let count = answers.first().map_or(0, Vec::len) as u32;
        let classes = Classes::new(count, request.class_names)
            .map_err(|message| invalid_field("class_names", &message))?;
        let document = LinkDocument::new(link.clone(), input.fixed_rows, answers);
        let document = document.to_bytes().map_err(|error| refused(&error))?;
        let specification = ModelSpecification {
            preprocessing,
            classes,
            tensors: TensorNames {
                input: link.input.clone(),
                output: link.output.clone(),
                logits: String::new(),
            },
            layers: Vec::new(),
            parameter_count: 0,
            provenance: Provenance {
                source: ModelSource::Linked,
                file_name: "".into(),
                producer: metadata.platform.chars().take(MAX_NAME).collect(),
                architecture: None,
                softmax_appended: link.logits,
                parent: None,
                pruning_job: None,
            },
            suspect_classes: None,
            repair_gate: None,
            network: serde_json::Value::Null,
            linked: Some(link),
        };
        let importer = self.importer;
        let tasks = importer.tasks.clone();
        let publish = async move {
            let stored = store(&importer, &model, document, specification).await;
            let record = stored.map_err(|error| status_of(&error))?;
            importer.publish(&record, false).await?;
            Ok(record)
        };
        let ended = tasks.start("publish a link", publish).await;
        ended
            .map_err(|_| status(ErrorCode::Internal, "the link ended unexpectedly: see the log of serving"))?
    }
}

async fn store(
    importer: &Importer,
    model: &Identifier,
    document: Vec<u8>,
    specification: ModelSpecification,
) -> Result<ModelRecord, StoreError> {
    let mut import = match importer.models.begin_import(model, None).await? {
        ImportStart::Earlier(record) => return Ok(*record),
        ImportStart::New(import) => import,
    };
    // What a failure leaves behind is removed by a later sweep.
    import.put_bytes(LINK_FILE.parse()?, Bytes::from(document)).await?;
    import.commit(specification).await.map(Committed::into_record)
}

fn named(model: &str) -> Result<Identifier, Status> {
    let name: ModelName = model.parse().map_err(|error| status_of(&error))?;
    if name.version.is_some() {
        return Err(invalid_field("model", "names a version: give models/NAME, the next version is made"));
    }
    Ok(name.model)
}

fn link_record(endpoint: v1::LinkedEndpoint) -> Result<LinkRecord, Status> {
    let v1::LinkedEndpoint { endpoint, model_name, model_version, input, output, logits } = endpoint;
    for (field, text) in [
        ("endpoint.endpoint", &endpoint),
        ("endpoint.model_name", &model_name),
        ("endpoint.input", &input),
        ("endpoint.output", &output),
    ] {
        if text.is_empty() {
            return Err(invalid_field(field, "is empty: give host:port, and the names at that server"));
        }
    }
    for (field, text) in [
        ("endpoint.endpoint", &endpoint),
        ("endpoint.model_name", &model_name),
        ("endpoint.model_version", &model_version),
        ("endpoint.input", &input),
        ("endpoint.output", &output),
    ] {
        if text.len() > MAX_NAME || text.contains(char::is_control) {
            let message = format!("is longer than {MAX_NAME} bytes, or has control characters in it");
            return Err(invalid_field(field, &message));
        }
    }
    Ok(LinkRecord { endpoint, model_name, model_version, input, output, logits })
}

/// While linking, what the server refuses is a fault of the request: it names what is not there.
fn refused(error: &LinkError) -> Status {
    match error {
        LinkError::Refused { passes: false, .. } | LinkError::Answer { .. } => {
            invalid_field("endpoint", &error.to_string())
        }
        _ => status_of(error),
    }
}

#[cfg(test)]
mod tests {
    use gifthorse_api::status::code_of;

    use super::*;

    fn endpoint() -> v1::LinkedEndpoint {
        v1::LinkedEndpoint {
            endpoint: "a:1".to_owned(),
            model_name: "m".to_owned(),
            model_version: String::new(),
            input: "x".to_owned(),
            output: "p".to_owned(),
            logits: true,
        }
    }

    #[test]
    fn a_link_names_what_it_means() {
        assert!(link_record(endpoint()).unwrap().logits);
        let long = "x".repeat(MAX_NAME + 1);
        for (endpoint, field) in [
            (v1::LinkedEndpoint { endpoint: String::new(), ..endpoint() }, "endpoint.endpoint"),
            (v1::LinkedEndpoint { model_name: String::new(), ..endpoint() }, "endpoint.model_name"),
            (v1::LinkedEndpoint { input: long, ..endpoint() }, "endpoint.input"),
            (v1::LinkedEndpoint { output: "a\nb".to_owned(), ..endpoint() }, "endpoint.output"),
        ] {
            let status = link_record(endpoint).unwrap_err();
            assert!(status.message().starts_with(field), "{}", status.message());
            assert_eq!(code_of(&status), Some(ErrorCode::InvalidField));
        }
        assert!(named("models/faces/versions/1").is_err());
    }
}
