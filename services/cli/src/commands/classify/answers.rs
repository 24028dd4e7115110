//! The stream of pictures and the answers to them, in the order of the files.

use std::path::{Path, PathBuf};

use gifthorse_api::v1;
use gifthorse_api::v1::classify_request::Input;
use gifthorse_api::v1::classify_stream_response::Outcome;
use tokio::sync::mpsc;

use super::pictures;
use crate::client::Gateway;
use crate::error::CommandError;
use crate::output::Output;
use crate::output::reply::{FileReply, JsonReply};
use crate::output::report::{ErrorLine, ErrorObject};

/// Pictures that may be sent and not yet answered: enough to fill the service's batches.
const WINDOW: usize = 64;
/// Pictures that may wait in memory for the network.
const QUEUE: usize = 2;

/// What became of one file.
#[derive(Debug)]
pub(super) enum Answer {
    /// The answer.
    Classified(Box<v1::ClassifyResponse>),
    /// The service refused this picture.
    Refused(ErrorObject),
    /// The file was not sent.
    Unreadable(ErrorObject),
}

impl Answer {
    /// Prints the answer as a line of JSON.
    pub(super) fn print(&self, file: &str, output: &mut Output) -> Result<(), CommandError> {
        match self {
            Self::Classified(response) => {
                output.object(&FileReply { file, reply: JsonReply::of(response.as_ref())? })
            }
            Self::Refused(error) | Self::Unreadable(error) => {
                output.object(&ErrorLine { file: Some(file), error })
            }
        }
    }
}

/// What the sending side has done with a file.
enum Sent<'files> {
    Away { id: String, path: &'files Path },
    Unreadable(&'files Path, ErrorObject),
}

/// Sends every file and hands every answer, with the file as it was typed, to `take`.
pub(super) async fn each(
    gateway: &Gateway,
    request: &v1::ClassifyRequest,
    files: &[PathBuf],
    take: impl FnMut(&str, Answer) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let (away, expected) = mpsc::channel(WINDOW);
    let (requests, stream) = mpsc::channel(QUEUE);
    // The sending side ends by itself when the receiving side, which owns the other ends, has failed.
    let ((), received) =
        tokio::join!(send(request, files, away, requests), receive(gateway, stream, expected, take));
    received
}

async fn send<'files>(
    request: &v1::ClassifyRequest,
    files: &'files [PathBuf],
    away: mpsc::Sender<Sent<'files>>,
    requests: mpsc::Sender<v1::ClassifyStreamRequest>,
) {
    for (index, path) in files.iter().enumerate() {
        let sent = match pictures::read(path).await {
            Err(error) => away.send(Sent::Unreadable(path, error)).await.is_ok(),
            Ok(picture) => {
                let request = v1::ClassifyRequest { input: Some(Input::Image(picture)), ..request.clone() };
                let id = index.to_string();
                let message = v1::ClassifyStreamRequest { id: id.clone(), request: Some(request) };
                away.send(Sent::Away { id, path }).await.is_ok() && requests.send(message).await.is_ok()
            }
        };
        if !sent {
            return;
        }
    }
}

async fn receive(
    gateway: &Gateway,
    stream: mpsc::Receiver<v1::ClassifyStreamRequest>,
    mut expected: mpsc::Receiver<Sent<'_>>,
    mut take: impl FnMut(&str, Answer) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let messages = futures::stream::unfold(stream, |mut stream| async move {
        let message = stream.recv().await?;
        Some((message, stream))
    });
    let mut client = gateway.guard();
    let reply = client.classify_stream(messages).await.map_err(|status| gateway.refused(status))?;
    let mut answers = reply.into_inner();
    while let Some(sent) = expected.recv().await {
        let (path, answer) = match sent {
            Sent::Unreadable(path, error) => (path, Answer::Unreadable(error)),
            Sent::Away { id, path } => {
                let message = answers.message().await.map_err(|status| gateway.refused(status))?;
                (path, answer(&id, message)?)
            }
        };
        take(&path.to_string_lossy(), answer)?;
    }
    Ok(())
}

fn answer(id: &str, message: Option<v1::ClassifyStreamResponse>) -> Result<Answer, CommandError> {
    let message =
        message.ok_or(CommandError::Stream { detail: "it ended before every picture was answered" })?;
    if message.id != id {
        return Err(CommandError::Stream { detail: "its answers are not in the order of the pictures" });
    }
    match message.outcome {
        Some(Outcome::Response(response)) => Ok(Answer::Classified(Box::new(response))),
        Some(Outcome::Error(error)) => Ok(Answer::Refused(ErrorObject::from(&error))),
        None => Err(CommandError::Stream { detail: "an answer is neither a class nor an error" }),
    }
}
