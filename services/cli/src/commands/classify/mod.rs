//! `gifthorse classify NAME FILE...`

mod answers;
mod human;
mod pictures;

use std::path::PathBuf;

use gifthorse_api::v1;

use super::{Outcome, Session};
use crate::error::CommandError;
use crate::preprocessing::{ChannelOrder, Divisor};
use crate::progress::Progress;
use crate::reference::ModelReference;
use answers::Answer;

/// What is classified, by which model.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The model: NAME for the promoted version, or NAME@VERSION
    name: ModelReference,
    /// PNG, JPEG, BMP or WebP files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How the channels of these pictures are ordered [default: as their format says]
    #[arg(long, value_name = "ORDER")]
    channel_order: Option<ChannelOrder>,
    /// Divide pixel values by this instead of the model's own divisor
    #[arg(long, value_name = "DIVISOR")]
    scale: Option<Divisor>,
    /// List this many classes of each picture, best first
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=100))]
    top: i32,
}

impl Arguments {
    /// The request for one picture, without the picture.
    fn request(&self) -> v1::ClassifyRequest {
        let overrides = v1::PreprocessingOverride {
            channel_order: self
                .channel_order
                .map_or(v1::channel_order::Kind::ChannelOrderUnspecified, Into::into)
                .into(),
            scale: self.scale.map_or(0.0, Divisor::value),
            ..Default::default()
        };
        v1::ClassifyRequest {
            model: self.name.resource(),
            preprocessing_override: (overrides != v1::PreprocessingOverride::default()).then_some(overrides),
            top_k: self.top,
            ..Default::default()
        }
    }
}

/// Sends the pictures on one stream and prints the answers in the order of the files. A picture that cannot
/// be read or is refused says so in its place and stops none of the others.
pub async fn run(session: &mut Session, arguments: Arguments) -> Result<Outcome, CommandError> {
    let gateway = session.connect().await?;
    let progress = Progress::items("classifying", arguments.files.len() as u64);
    let json = session.output.is_json();
    let mut outcome = Outcome::Done;
    let mut table = human::Rows::new(arguments.top);
    let request = arguments.request();
    let output = &mut session.output;
    let every = answers::each(&gateway, &request, &arguments.files, |file, answer| {
        progress.advance(1);
        outcome = outcome.max(answer.outcome());
        if json {
            answer.print(file, output)
        } else {
            table.add(file, &answer);
            Ok(())
        }
    });
    let ended = progress.during(every).await;
    // The connection may break half-way: what was answered until then is shown all the same.
    if !json && !table.is_empty() {
        output.text(&table)?;
    }
    ended.map(|()| outcome)
}

impl Answer {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Classified(_) => Outcome::Done,
            Self::Refused(_) => Outcome::ItemsRefused,
            Self::Unreadable(_) => Outcome::ItemsUnreadable,
        }
    }
}
