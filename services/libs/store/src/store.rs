//! The store: opened once by its address, shared by all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use url::Url;

use crate::artefacts::{Artefacts, Contents};
use crate::blocking;
use crate::dataset_record::{DatasetContents, Datasets};
use crate::directory;
use crate::error::{Result, StoreError};
use crate::folder::ABANDONED_AFTER;
use crate::model_folder;
use crate::models::Models;
use crate::objects::Objects;
use crate::record_log::{Entry, RecordLogs};
use crate::sweep::SweepReport;

/// All artefacts of one house. Cheap to clone; any number of processes may have the same store open.
#[derive(Debug, Clone)]
pub struct Store {
    objects: Objects,
    directory: Option<PathBuf>,
}

impl Store {
    /// Opens the store at this address: a path, or `file:///PATH`. The directory is made when it is missing.
    pub async fn open(address: &str) -> Result<Self> {
        let folder = directory_of(address)?;
        let opened = folder.clone();
        let store = blocking::run(move || directory::open(&opened)).await?;
        Ok(Self { objects: Objects::new(Arc::new(store)), directory: Some(folder) })
    }

    /// A store on an object store that was opened elsewhere.
    ///
    /// It must create objects only if they are absent, atomically, and list what it has just written.
    pub fn on(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects: Objects::new(objects), directory: None }
    }

    /// The models.
    pub fn models(&self) -> Models {
        Models::new(self.objects.clone())
    }

    /// The data sets.
    pub fn datasets(&self) -> Datasets {
        self.artefacts()
    }

    /// Another collection of immutable artefacts.
    pub fn artefacts<C: Contents>(&self) -> Artefacts<C> {
        Artefacts::new(self.objects.clone())
    }

    /// A collection of logs of which the last entry counts.
    pub fn logs<T: Entry>(&self) -> RecordLogs<T> {
        RecordLogs::new(self.objects.clone())
    }

    /// Clears up what crashed processes left in the models and data sets, once it is an hour old.
    pub async fn sweep(&self) -> Result<SweepReport> {
        let mut report = self.models().sweep().await?;
        report.removed.extend(self.datasets().sweep().await?);
        if let Some(folder) = &self.directory {
            for collection in [model_folder::COLLECTION, DatasetContents::COLLECTION] {
                let (folder, age) = (folder.join(collection), ABANDONED_AFTER.unsigned_abs());
                let half_written = blocking::run(move || directory::remove_half_written(&folder, age));
                report.removed.extend(half_written.await?);
            }
        }
        Ok(report)
    }
}

/// The directory that an address stands for.
fn directory_of(address: &str) -> Result<PathBuf> {
    let refused = |reason: &str| StoreError::Address { url: redacted(address), reason: reason.to_owned() };
    if address.is_empty() {
        return Err(refused("give a path or file:///PATH"));
    }
    if !address.contains("://") && !address.starts_with("file:") {
        return Ok(Path::new(address).to_owned());
    }
    let url = Url::parse(address).map_err(|error| refused(&error.to_string()))?;
    if url.scheme() != "file" {
        return Err(refused("give a path or file:///PATH; other stores are not part of this build"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("write '?' as %3F and '#' as %23, or give a plain path"));
    }
    url.to_file_path().map_err(|()| refused("a file URL has three slashes: file:///PATH"))
}

/// The address without what may be a secret: everything up to the '@', and the query.
fn redacted(address: &str) -> String {
    let address = address.split('?').next().unwrap_or_default();
    match (address.find("://"), address.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}://...{}", &address[..scheme], &address[at..]),
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_decides() {
        for (address, folder) in [
            ("data", "data"),
            ("/srv/gift horse", "/srv/gift horse"),
            ("file:///srv/gift%20horse", "/srv/gift horse"),
            ("file://localhost/srv", "/srv"),
        ] {
            assert_eq!(directory_of(address).unwrap(), Path::new(folder), "{address}");
        }
        for address in ["", "s3://bucket/path", "file://host/srv", "file:///srv?x=1", "memory:///", "://"] {
            assert!(matches!(directory_of(address), Err(StoreError::Address { .. })), "{address:?}");
        }
    }

    #[test]
    fn messages_hide_credentials() {
        let message = directory_of("s3://key:secret@bucket/path?token=secret").unwrap_err().to_string();
        assert!(message.contains("s3://...@bucket/path") && !message.contains("secret"), "{message}");
    }
}
