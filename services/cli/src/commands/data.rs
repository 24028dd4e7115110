//! The images of calibrations and evaluations: a stored data set, or a local file that becomes one.
//!
//! A local file is stored once, under a name made of its own name and its content, so that a repeated
//! command finds it there and sends nothing.

use std::path::Path;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_api::name::MAX_IDENTIFIER;
use gifthorse_api::v1;
use sha2::{Digest, Sha256};

use super::dataset::upload::{self, Arrays};
use crate::client::Gateway;
use crate::error::CommandError;
use crate::preprocessing::{ChannelOrder, Layout};
use crate::progress::Progress;
use crate::reference::DatasetReference;
use crate::upload::Source;
use crate::usage::UsageError;

/// Hexadecimal digits of the content in a name: enough that two contents do not meet by chance.
const DIGITS: usize = 16;

/// What local files do not say of themselves; stored data sets know it already.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Reading local files")]
pub(super) struct FileOptions {
    /// Order of the colour channels in the files [default: rgb]
    #[arg(long, value_name = "ORDER")]
    data_channel_order: Option<ChannelOrder>,
    /// Order of the axes of `data` in the files [default: read off their shape]
    #[arg(long, value_name = "LAYOUT")]
    data_layout: Option<Layout>,
    #[command(flatten)]
    arrays: Arrays,
}

/// The data set that a text names, stored now where it is a local file: `datasets/NAME`.
pub(super) async fn resolve(
    gateway: &Gateway,
    text: &str,
    options: &FileOptions,
) -> Result<String, CommandError> {
    if text.starts_with("datasets/") {
        let name: DatasetReference = text.parse().map_err(UsageError::Name)?;
        return Ok(name.resource());
    }
    let path = Path::new(text);
    if path.exists() {
        return store(gateway, path, options).await;
    }
    let missing = || CommandError::from(UsageError::NoData { given: text.to_owned() });
    let name = text.parse::<DatasetReference>().map_err(|_| missing())?.resource();
    if is_stored(gateway, &name).await? { Ok(name) } else { Err(missing()) }
}

async fn is_stored(gateway: &Gateway, name: &str) -> Result<bool, CommandError> {
    let request = v1::GetDatasetRequest { name: name.to_owned() };
    match gateway.datasets().get_dataset(request).await.map_err(|status| gateway.refused(status)) {
        Ok(_) => Ok(true),
        Err(error) if error.code() == ErrorCode::DatasetNotFound => Ok(false),
        Err(error) => Err(error),
    }
}

async fn store(gateway: &Gateway, path: &Path, options: &FileOptions) -> Result<String, CommandError> {
    let source = Source::file_or_folder(path)?;
    let file_name = source.file_name();
    let progress = Progress::bytes(format!("reading {file_name}"), None);
    let reading = tokio::task::spawn_blocking(move || {
        let digest = source.content_sha256();
        (source, digest)
    });
    let (source, digest) = progress.during(reading).await?;
    let digest = digest?.ok_or_else(|| UsageError::Pipe { given: path.display().to_string() })?;
    let read_as = options.arrays.specification(options.data_channel_order, options.data_layout);
    let identifier = identifier(&file_name, &digest, &read_as);
    let dataset = format!("datasets/{identifier}");
    if is_stored(gateway, &dataset).await? {
        return Ok(dataset);
    }
    let specification = v1::UploadDatasetSpecification {
        dataset,
        file_name,
        // Two commands that store the same file at once do not disturb each other.
        request_id: identifier,
        expected_sha256: digest,
        ..read_as
    };
    Ok(upload::send(gateway, source, specification).await?.name)
}

/// A name that is the same for the same file read in the same way, and tells people which file it was.
fn identifier(file_name: &str, digest: &str, read_as: &v1::UploadDatasetSpecification) -> String {
    let mut content = Sha256::new();
    content.update(digest);
    content.update(prost::Message::encode_to_vec(read_as));
    let content = hex::encode(content.finalize());
    let stem = Path::new(file_name).file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '_' { letter } else { '-' };
    let stem: String = stem.chars().map(plain).take(MAX_IDENTIFIER - DIGITS - 1).collect();
    let stem = stem.to_ascii_lowercase();
    // The first character of a name is a letter or digit.
    let stem = stem.trim_start_matches(['-', '_']);
    let stem = if stem.is_empty() { "data" } else { stem };
    format!("{stem}-{}", content.get(..DIGITS).unwrap_or(&content))
}

#[cfg(test)]
mod tests {
    use gifthorse_api::name::Identifier;

    use super::*;

    #[test]
    fn a_name_tells_the_file_and_depends_on_its_content_and_reading() {
        let plain = v1::UploadDatasetSpecification::default();
        let name = identifier("Clean Faces.h5", "00", &plain);
        assert!(name.starts_with("clean-faces-"), "{name}");
        assert_eq!(name, identifier("Clean Faces.h5", "00", &plain));
        assert_ne!(name, identifier("Clean Faces.h5", "01", &plain));
        let scaled = v1::UploadDatasetSpecification { value_range: 1.0, ..Default::default() };
        assert_ne!(name, identifier("Clean Faces.h5", "00", &scaled));
        for file in ["", "..", "_-", "é.npz", &"long".repeat(40)] {
            let name = identifier(file, "00", &plain);
            assert!(name.parse::<Identifier>().is_ok(), "{file:?} became {name:?}");
        }
    }
}
