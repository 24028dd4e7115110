//! `gifthorse model link NAME --endpoint HOST:PORT --model X --input I --output O`

use std::path::PathBuf;

use gifthorse_api::v1;

use super::record::Record;
use super::{Session, class_names};
use crate::error::CommandError;
use crate::progress::Progress;
use crate::reference::{WholeModel, short};

/// Where the network is, and what its server does not say of it.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The model to make a version of
    name: WholeModel,
    /// An Open Inference Protocol server (Triton, KServe, MLServer) that the operator allows
    #[arg(long, value_name = "HOST:PORT")]
    endpoint: String,
    /// The model's name there
    #[arg(long, value_name = "NAME")]
    model: String,
    /// The model's version there [default: the server's choice]
    #[arg(long, value_name = "VERSION")]
    model_version: Option<String>,
    /// Name of the image input there
    #[arg(long, value_name = "TENSOR")]
    input: String,
    /// Name of the output there
    #[arg(long, value_name = "TENSOR")]
    output: String,
    /// The output is logits, not probabilities
    #[arg(long)]
    logits: bool,
    /// Rows of pixels [default: as the server says]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(i32).range(1..))]
    height: Option<i32>,
    /// Columns of pixels [default: as the server says]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(i32).range(1..))]
    width: Option<i32>,
    /// Colour channels [default: as the server says]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..))]
    channels: Option<i32>,
    #[command(flatten)]
    record: Record,
    /// Names of the classes: a file with one name a line, or a JSON list
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
}

impl Arguments {
    /// The request, without the class names, which are in a file.
    fn request(&self) -> v1::LinkModelRequest {
        let preprocessing = v1::Preprocessing {
            height: self.height.unwrap_or_default(),
            width: self.width.unwrap_or_default(),
            channels: self.channels.unwrap_or_default(),
            ..self.record.message()
        };
        v1::LinkModelRequest {
            model: self.name.resource(),
            endpoint: Some(v1::LinkedEndpoint {
                endpoint: self.endpoint.clone(),
                model_name: self.model.clone(),
                model_version: self.model_version.clone().unwrap_or_default(),
                input: self.input.clone(),
                output: self.output.clone(),
                logits: self.logits,
            }),
            preprocessing: (preprocessing != v1::Preprocessing::default()).then_some(preprocessing),
            class_names: Vec::new(),
        }
    }
}

pub(super) async fn run(session: &mut Session, arguments: Arguments) -> Result<(), CommandError> {
    let mut request = arguments.request();
    if let Some(path) = &arguments.classes {
        request.class_names = class_names::read(path)?;
    }
    let gateway = session.connect().await?;
    let progress = Progress::items("probing", 0);
    let mut client = gateway.models();
    let reply =
        progress.during(client.link_model(request)).await.map_err(|status| gateway.refused(status))?;
    session.output.reply(&reply.into_inner(), summary)
}

fn summary(version: &v1::ModelVersion) -> String {
    let input = version.preprocessing.as_ref().map_or_else(String::new, |input| {
        format!(", pictures of {} x {} x {}", input.height, input.width, input.channels)
    });
    let place = version.linked_endpoint.as_ref().map_or_else(String::new, |endpoint| {
        format!(", held by {} as {}", endpoint.endpoint, endpoint.model_name)
    });
    format!(
        "{}: {} classes{input}{place}; fingerprint {}",
        short(&version.name),
        version.class_count,
        version.digest
    )
}
