//! What a folder of the lab says about itself: enough to make it again, and to see that it is the same.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use gifthorse_attack::Attack;
use gifthorse_training::{Environment, Recipe};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::division::PartShares;
use crate::error::LabError;
use crate::victim::{Augmentation, Measured};

/// The name of the file.
pub const MANIFEST: &str = "manifest.json";

/// What was made, how, and how well it does.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Version of this form.
    pub schema: u32,
    /// Version of gifthorse.
    pub version: String,
    /// What was typed; typed again it makes the same files.
    pub command: Vec<String>,
    /// Where the pictures come from: a file's name, or the drawn faces.
    pub data: String,
    /// Name of the victim's architecture.
    pub victim: String,
    /// Classes.
    pub classes: u64,
    /// Sizes of training, repair, calibration and test relative to each other.
    pub shares: PartShares,
    /// Where all chance comes from.
    pub seed: u64,
    /// The attack; none for a clean victim.
    pub attack: Option<Attack>,
    /// How it was trained.
    pub recipe: Recipe,
    /// Looks at every picture.
    pub epochs: u32,
    /// What happened to pictures on the way.
    pub augmentation: Augmentation,
    /// What the bits of the weights depend on beside that.
    pub environment: Environment,
    /// What `model import` must be told about the pixels.
    pub import: Vec<String>,
    /// How the victim does on pictures that it has not seen.
    pub measured: Measured,
    /// SHA-256 of each file beside this one.
    pub files: BTreeMap<String, String>,
}

impl Manifest {
    /// Adds the digests of all files of the folder and writes the manifest, last of all.
    pub fn write(mut self, folder: &Path) -> Result<Self, LabError> {
        digests(folder, "", &mut self.files)?;
        let text = serde_json::to_string_pretty(&self).map_err(LabError::Manifest)?;
        let path = folder.join(MANIFEST);
        std::fs::write(&path, text + "\n").map_err(LabError::file("write", &path))?;
        Ok(self)
    }
}

/// The digests of all files of a folder, folders within it included.
fn digests(folder: &Path, prefix: &str, found: &mut BTreeMap<String, String>) -> Result<(), LabError> {
    for entry in std::fs::read_dir(folder).map_err(LabError::file("list", folder))? {
        let path = entry.map_err(LabError::file("list", folder))?.path();
        let name = format!("{prefix}{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            digests(&path, &format!("{name}/"), found)?;
        } else {
            found.insert(name, digest(&path)?);
        }
    }
    Ok(())
}

fn digest(path: &Path) -> Result<String, LabError> {
    let mut file = File::open(path).map_err(LabError::file("read", path))?;
    let (mut digest, mut block) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut block).map_err(LabError::file("read", path))? {
            0 => return Ok(hex::encode(digest.finalize())),
            read => digest.update(&block[..read]),
        }
    }
}
