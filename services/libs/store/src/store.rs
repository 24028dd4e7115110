//! The store: opened once by its address, shared by all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use url::Url;

use crate::artefacts::{Artefacts, Contents};
use crate::blocking;
use crate::bucket;
use crate::cache::Cache;
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
    /// Opens the store at this address: a path, `file:///PATH`, or `s3://BUCKET/PREFIX` with credentials in the
    /// environment. A directory is made when it is missing; a bucket is asked whether it answers.
    ///
    /// # Errors
    /// [`StoreError::Address`] for an address of no such kind, [`StoreError::Unavailable`] where a bucket does not answer.
    pub async fn open(address: &str) -> Result<Self> {
        match Address::parse(address)? {
            Address::Directory(folder) => {
                let opened = folder.clone();
                let store = blocking::run(move || directory::open(&opened)).await?;
                Ok(Self { objects: Objects::new(Arc::new(store)), directory: Some(folder) })
            }
            Address::Bucket(url) => Ok(Self::on(Arc::new(bucket::open(&url, &redacted(address)).await?))),
        }
    }

    /// The same store, of whose files copies are kept in this folder, so many bytes of them together. A directory needs
    /// none, and keeps none.
    ///
    /// # Errors
    /// [`StoreError::LocalFile`] where the folder cannot be made.
    pub async fn with_cache(self, folder: Option<PathBuf>, bytes: u64) -> Result<Self> {
        let Some(folder) = folder.filter(|_| self.directory.is_none()) else { return Ok(self) };
        let cache = blocking::run(move || Cache::open(folder, bytes)).await?;
        Ok(Self { objects: self.objects.with_cache(cache), ..self })
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

/// What an address stands for.
#[derive(Debug, PartialEq, Eq)]
enum Address {
    Directory(PathBuf),
    Bucket(Url),
}

impl Address {
    fn parse(address: &str) -> Result<Self> {
        let refused =
            |reason: &str| StoreError::Address { url: redacted(address), reason: reason.to_owned() };
        if address.is_empty() {
            return Err(refused("give a path, file:///PATH or s3://BUCKET/PREFIX"));
        }
        if !address.contains("://") && !address.starts_with("file:") {
            return Ok(Self::Directory(Path::new(address).to_owned()));
        }
        let url = Url::parse(address).map_err(|error| refused(&error.to_string()))?;
        match url.scheme() {
            bucket::SCHEME => return Ok(Self::Bucket(url)),
            "file" => {}
            _ => {
                return Err(refused(
                    "give a path, file:///PATH or s3://BUCKET/PREFIX; other stores are not part of this build",
                ));
            }
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refused("write '?' as %3F and '#' as %23, or give a plain path"));
        }
        let folder =
            url.to_file_path().map_err(|()| refused("a file URL has three slashes: file:///PATH"))?;
        Ok(Self::Directory(folder))
    }
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
            assert_eq!(Address::parse(address).unwrap(), Address::Directory(folder.into()), "{address}");
        }
        assert!(matches!(Address::parse("s3://bucket/path").unwrap(), Address::Bucket(_)));
        for address in ["", "gs://bucket/path", "file://host/srv", "file:///srv?x=1", "memory:///", "://"] {
            assert!(matches!(Address::parse(address), Err(StoreError::Address { .. })), "{address:?}");
        }
    }

    #[tokio::test]
    async fn what_is_no_bucket_is_refused_without_its_secrets() {
        for address in ["s3://key:secret@bucket/path", "s3://bucket/path?token=secret", "s3:///path"] {
            let message = Store::open(address).await.unwrap_err().to_string();
            assert!(!message.contains("secret@") && !message.contains("token=secret"), "{message}");
        }
    }

    #[test]
    fn messages_hide_credentials() {
        let message = Address::parse("gs://key:secret@bucket/path?token=secret").unwrap_err().to_string();
        assert!(message.contains("gs://...@bucket/path") && !message.contains("secret"), "{message}");
    }
}
