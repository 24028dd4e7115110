//! `gifthorse model import NAME FILE`

use std::path::{Path, PathBuf};

use gifthorse_api::v1;
use gifthorse_api::v1::import_model_request::Content;

use super::record::Record;
use super::{Session, class_names};
use crate::error::CommandError;
use crate::progress::Progress;
use crate::reference::{WholeModel, short};
use crate::upload::{self, Source};

/// What is imported, and what the file does not say of itself.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The model to make a version of
    name: WholeModel,
    /// A Keras .h5 file (full, or weights with --architecture) or an ONNX file
    file: PathBuf,
    /// For files that hold weights only: the name of a built-in architecture (deepid) or a Keras JSON file
    #[arg(long, value_name = "NAME|FILE.json")]
    architecture: Option<String>,
    #[command(flatten)]
    record: Record,
    /// Names of the classes: a file with one name a line, or a JSON list
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
    /// Let the new version answer at once, even when the model exists already
    #[arg(long)]
    promote: bool,
    /// Makes a repeated import harmless: the same id and content answer the version made first
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
}

impl Arguments {
    /// The specification as far as the command line alone says it: neither the file, nor the class names,
    /// nor the architecture, which may be files.
    pub fn specification_without_files(&self) -> v1::ImportModelSpecification {
        v1::ImportModelSpecification {
            model: self.name.resource(),
            preprocessing: self.preprocessing(),
            promote: self.promote,
            request_id: self.request_id.clone().unwrap_or_default(),
            ..Default::default()
        }
    }

    fn preprocessing(&self) -> Option<v1::Preprocessing> {
        let given = self.record.message();
        (given != v1::Preprocessing::default()).then_some(given)
    }
}

pub(super) async fn run(session: &mut Session, arguments: Arguments) -> Result<(), CommandError> {
    let source = Source::file(&arguments.file)?;
    let mut specification = arguments.specification_without_files();
    specification.file_name = source.file_name();
    match arguments.architecture.as_deref().map(Architecture::of) {
        Some(Architecture::BuiltIn(name)) => name.clone_into(&mut specification.architecture),
        Some(Architecture::File(path)) => {
            specification.architecture_json = std::fs::read_to_string(path)
                .map_err(|source| CommandError::LocalFile { path: path.to_owned(), source })?;
        }
        None => {}
    }
    if let Some(path) = &arguments.classes {
        specification.class_names = class_names::read(path)?;
    }
    let gateway = session.connect().await?;
    let mut client = gateway.models();
    let progress = Progress::bytes(format!("sending {}", source.file_name()), source.size());
    let importing = async {
        // The service holds what arrives against it: a file that was cut on the way is not taken for whole.
        let (source, digest) = tokio::task::spawn_blocking(move || {
            let digest = source.sha256();
            (source, digest)
        })
        .await?;
        specification.expected_sha256 = digest?.unwrap_or_default();
        upload::send(
            &gateway,
            source,
            v1::ImportModelRequest { content: Some(Content::Specification(specification)) },
            |chunk| v1::ImportModelRequest { content: Some(Content::Chunk(chunk)) },
            &progress,
            |messages| client.import_model(messages),
        )
        .await
    };
    let version = progress.during(importing).await?;
    session.output.reply(&version, summary)
}

/// What `--architecture` names.
#[derive(Debug, PartialEq, Eq)]
enum Architecture<'text> {
    BuiltIn(&'text str),
    File(&'text Path),
}

impl<'text> Architecture<'text> {
    fn of(text: &'text str) -> Self {
        let path = Path::new(text);
        let json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        // A built-in name holds no separator.
        if json || text.contains('/') { Self::File(path) } else { Self::BuiltIn(text) }
    }
}

fn summary(version: &v1::ModelVersion) -> String {
    let input = version.preprocessing.as_ref().map_or_else(String::new, |input| {
        format!(", pictures of {} x {} x {}", input.height, input.width, input.channels)
    });
    let promoted = if version.promoted { "promoted" } else { "not promoted" };
    let softmax = version.provenance.as_ref().is_some_and(|provenance| provenance.softmax_appended);
    format!(
        "{}: {} classes{input}, {} weights, {promoted}{}",
        short(&version.name),
        version.class_count,
        version.parameter_count,
        if softmax { "; it answered logits, so a softmax was appended" } else { "" },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_architecture_is_a_name_or_a_file() {
        assert_eq!(Architecture::of("deepid"), Architecture::BuiltIn("deepid"));
        assert_eq!(Architecture::of("net.JSON"), Architecture::File(Path::new("net.JSON")));
        assert_eq!(Architecture::of("./net"), Architecture::File(Path::new("./net")));
    }
}
