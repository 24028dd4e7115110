//! Where the pictures come from.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use gifthorse_dataset::ImageSize;

use crate::error::LabError;
use crate::faces::{self, FaceSettings};
use crate::pictures::Pictures;
use crate::reading;

/// The word for drawn faces where a file may stand.
const FACES: &str = "faces";

/// Where the pictures come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Drawn faces.
    Faces,
    /// An HDF5 or NPZ file, or a tar of an image folder.
    File(PathBuf),
}

impl From<&std::ffi::OsStr> for Source {
    fn from(given: &std::ffi::OsStr) -> Self {
        if given == FACES { Self::Faces } else { Self::File(given.into()) }
    }
}

impl From<std::ffi::OsString> for Source {
    fn from(given: std::ffi::OsString) -> Self {
        Self::from(given.as_os_str())
    }
}

impl Source {
    /// All pictures; `settings` say how faces are drawn.
    pub fn pictures(&self, settings: &FaceSettings) -> Result<Pictures, LabError> {
        match self {
            Self::Faces => drawn(settings),
            Self::File(path) => reading::pictures(path),
        }
    }

    /// What the manifest says: a file's name without its folders, or the settings of the faces.
    pub fn described(&self, settings: &FaceSettings) -> String {
        match self {
            Self::Faces => format!(
                "{} faces of {} identities, drawn with seed {}",
                u64::from(settings.identities) * u64::from(settings.images_each),
                settings.identities,
                settings.seed
            ),
            Self::File(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }
}

/// A set of drawn faces, identity by identity.
pub fn drawn(settings: &FaceSettings) -> Result<Pictures, LabError> {
    settings.check()?;
    let size = ImageSize { height: settings.height.into(), width: settings.width.into(), channels: 3 };
    let identities: Vec<u32> = (0..settings.identities).collect();
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let each = identities.len().div_ceil(threads);
    let draw = |identities: &[u32]| -> Vec<u8> {
        let faces = identities.iter().flat_map(|one| (0..settings.images_each).map(|image| (*one, image)));
        faces.flat_map(|(identity, image)| faces::draw(settings, identity, image)).collect()
    };
    let levels = std::thread::scope(|scope| {
        let parts: Vec<_> = identities.chunks(each).map(|part| scope.spawn(move || draw(part))).collect();
        let joined = parts.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined.collect::<Result<Vec<_>, _>>()
    });
    let levels =
        levels.map_err(|_| LabError::Data { fault: "a thread that drew faces broke off".to_owned() })?;
    let labels = identities.iter().flat_map(|one| (0..settings.images_each).map(|_| i64::from(*one)));
    Pictures::new(size, levels.concat(), labels.collect())
}
