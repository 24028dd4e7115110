//! The folder of one artefact while it is being filled, and when it is removed.

use std::path::Path;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use object_store::path::Path as ObjectPath;

use crate::error::{Result, StoreError};
use crate::file_name::FileName;
use crate::objects::Objects;
use crate::stored_file::{StoredFile, StoredFiles};
use crate::upload;

/// How long an artefact may take from its beginning to its commit.
pub(crate) const COMMIT_WITHIN: SignedDuration = SignedDuration::from_mins(45);
/// Age at which files without a commit mark are taken for the leftovers of a crash. The distance to
/// [`COMMIT_WITHIN`] bounds by how much the clocks of two machines may differ.
pub(crate) const ABANDONED_AFTER: SignedDuration = SignedDuration::from_mins(60);

/// Writes the files of one artefact into a folder that nobody else writes to.
#[derive(Debug)]
pub(crate) struct FolderWriter {
    objects: Objects,
    folder: ObjectPath,
    reserved: &'static [&'static str],
    begun: Timestamp,
    files: StoredFiles,
}

impl FolderWriter {
    /// A writer for this folder, begun at that time; the `reserved` names belong to the store itself.
    pub(crate) fn new(
        objects: Objects,
        folder: ObjectPath,
        reserved: &'static [&'static str],
        begun: Timestamp,
    ) -> Self {
        Self { objects, folder, reserved, begun, files: StoredFiles::new() }
    }

    pub(crate) fn files(&self) -> &StoredFiles {
        &self.files
    }

    pub(crate) async fn put_bytes(&mut self, name: FileName, bytes: Bytes) -> Result<StoredFile> {
        let path = self.path_of_new(&name)?;
        let file = upload::upload_bytes(&self.objects, &path, bytes).await?;
        self.files.insert(name, file);
        Ok(file)
    }

    pub(crate) async fn put_path(&mut self, name: FileName, from: &Path) -> Result<StoredFile> {
        let path = self.path_of_new(&name)?;
        let file = upload::upload_path(&self.objects, &path, from).await?;
        self.files.insert(name, file);
        Ok(file)
    }

    fn path_of_new(&self, name: &FileName) -> Result<ObjectPath> {
        let refused = |rule| Err(StoreError::FileName { value: name.to_string(), rule });
        if self.reserved.contains(&name.as_str()) {
            return refused("the store keeps its own records under this name");
        }
        if self.files.contains_key(name) {
            return refused("the artefact has a file of this name already");
        }
        Ok(self.folder.clone().join(name.as_str()))
    }

    /// Refuses a commit that comes so late that a sweep may be removing the files.
    pub(crate) fn check_age(&self, now: Timestamp) -> Result<()> {
        if now.duration_since(self.begun) <= COMMIT_WITHIN {
            Ok(())
        } else {
            Err(StoreError::TooSlow { artefact: self.folder.to_string(), minutes: COMMIT_WITHIN.as_mins() })
        }
    }

    /// Removes what was written.
    pub(crate) async fn discard(self) -> Result<()> {
        for name in self.files.keys() {
            self.objects.delete(&self.folder.clone().join(name.as_str())).await?;
        }
        Ok(())
    }
}
