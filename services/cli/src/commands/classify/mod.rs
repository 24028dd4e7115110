//! `gifthorse classify NAME FILE...`

mod human;

use std::path::PathBuf;

use gifthorse_api::v1;
use gifthorse_api::v1::classify_request::Input;

use super::overrides::Overrides;
use super::{Outcome, Session, in_order, pictures};
use crate::error::CommandError;
use crate::progress::Progress;
use crate::reference::ModelReference;

/// What is classified, by which model.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The model: NAME for the promoted version, or NAME@VERSION
    name: ModelReference,
    /// PNG, JPEG, BMP or WebP files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
    /// List this many classes of each picture, best first
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=100))]
    top: i32,
    /// Let every detector run to its end, so that p-values are exact and not bounds
    #[arg(long)]
    exact: bool,
}

impl Arguments {
    /// The request for one picture, without the picture.
    fn request(&self) -> v1::ClassifyRequest {
        v1::ClassifyRequest {
            model: self.name.resource(),
            preprocessing_override: self.overrides.message(),
            top_k: self.top,
            exact: self.exact,
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
    let mut client = gateway.guard();
    let every = in_order::each(
        &gateway,
        &arguments.files,
        async |path, id| {
            let picture = pictures::read(path).await?;
            let request = v1::ClassifyRequest { input: Some(Input::Image(picture)), ..request.clone() };
            Ok(v1::ClassifyStreamRequest { id, request: Some(request) })
        },
        |messages| client.classify_stream(messages),
        |file, answer| {
            progress.advance(1);
            outcome = outcome.max(answer.outcome());
            if json {
                answer.print(file, output)
            } else {
                table.add(file, &answer);
                Ok(())
            }
        },
    );
    let ended = progress.during(every).await;
    // The connection may break half-way: what was answered until then is shown all the same.
    if !json && !table.is_empty() {
        output.text(&table)?;
    }
    ended.map(|()| outcome)
}
