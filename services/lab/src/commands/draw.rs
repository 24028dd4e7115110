//! `gifthorse lab faces`

use std::path::PathBuf;

use crate::error::LabError;
use crate::faces::FaceSettings;
use crate::{npz, source};

/// How faces are drawn.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct FaceArguments {
    /// People that are drawn
    #[arg(long, default_value_t = 40)]
    identities: u32,
    /// Faces of each
    #[arg(long, default_value_t = 60)]
    images_each: u32,
    /// Where the people come from
    #[arg(long, default_value_t = 1)]
    face_seed: u64,
}

impl FaceArguments {
    pub(super) fn settings(&self) -> FaceSettings {
        FaceSettings {
            identities: self.identities,
            images_each: self.images_each,
            seed: self.face_seed,
            ..FaceSettings::default()
        }
    }
}

/// Where the faces go.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    faces: FaceArguments,
    /// The file to write, NPZ
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), LabError> {
    let pictures = source::drawn(&arguments.faces.settings())?;
    npz::write(&arguments.output, &pictures)?;
    super::say(&format!("{} faces are in {}", pictures.count(), arguments.output.display()));
    Ok(())
}
