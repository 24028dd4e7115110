//! Streams of pictures and the answers to them, in the order of the files.

use std::future::Future;
use std::path::{Path, PathBuf};

use gifthorse_api::v1;
use tokio::sync::mpsc;
use tonic::{Response, Status, Streaming};

use crate::client::Gateway;
use crate::commands::Outcome;
use crate::error::CommandError;
use crate::output::Output;
use crate::output::reply::{FileReply, JsonReply, Reply};
use crate::output::report::{ErrorLine, ErrorObject};
use crate::upload::MessageStream;

/// Pictures that may be sent and not yet answered: enough to fill the service's batches.
const WINDOW: usize = 64;
/// Pictures that may wait in memory for the network.
const QUEUE: usize = 2;

/// What became of one file.
#[derive(Debug)]
pub(super) enum Answer<R> {
    /// The answer.
    Given(Box<R>),
    /// The service refused this picture.
    Refused(ErrorObject),
    /// The file was not sent.
    Unreadable(ErrorObject),
}

impl<R: Reply> Answer<R> {
    /// Prints the answer as a line of JSON.
    pub(super) fn print(&self, file: &str, output: &mut Output) -> Result<(), CommandError> {
        match self {
            Self::Given(reply) => output.object(&FileReply { file, reply: JsonReply::of(reply.as_ref())? }),
            Self::Refused(error) | Self::Unreadable(error) => {
                output.object(&ErrorLine { file: Some(file), error })
            }
        }
    }

    /// What it makes of the whole command.
    pub(super) const fn outcome(&self) -> Outcome {
        match self {
            Self::Given(_) => Outcome::Done,
            Self::Refused(_) => Outcome::ItemsRefused,
            Self::Unreadable(_) => Outcome::ItemsUnreadable,
        }
    }
}

/// One message of a stream of answers.
pub(super) struct Item<R> {
    id: String,
    outcome: Option<Result<R, v1::ItemError>>,
}

impl From<v1::ClassifyStreamResponse> for Item<v1::ClassifyResponse> {
    fn from(message: v1::ClassifyStreamResponse) -> Self {
        use v1::classify_stream_response::Outcome;
        let outcome = message.outcome.map(|outcome| match outcome {
            Outcome::Response(response) => Ok(response),
            Outcome::Error(error) => Err(error),
        });
        Self { id: message.id, outcome }
    }
}

impl From<v1::ScanStreamResponse> for Item<v1::ScanResponse> {
    fn from(message: v1::ScanStreamResponse) -> Self {
        use v1::scan_stream_response::Outcome;
        let outcome = message.outcome.map(|outcome| match outcome {
            Outcome::Response(response) => Ok(response),
            Outcome::Error(error) => Err(error),
        });
        Self { id: message.id, outcome }
    }
}

/// What the sending side has done with a file.
enum Sent<'files> {
    Away { id: String, path: &'files Path },
    Unreadable(&'files Path, ErrorObject),
}

/// Makes a message of every file (by `read`, which is given the id to put in it), sends them through `call`,
/// and hands every answer, with the file as it was typed, to `take`.
pub(super) async fn each<Request, Message, R, Calling>(
    gateway: &Gateway,
    files: &[PathBuf],
    read: impl AsyncFn(&Path, String) -> Result<Request, ErrorObject>,
    call: impl FnOnce(MessageStream<Request>) -> Calling,
    take: impl FnMut(&str, Answer<R>) -> Result<(), CommandError>,
) -> Result<(), CommandError>
where
    Request: Send + 'static,
    Message: Into<Item<R>>,
    Calling: Future<Output = Result<Response<Streaming<Message>>, Status>>,
{
    let (away, expected) = mpsc::channel(WINDOW);
    let (requests, stream) = mpsc::channel(QUEUE);
    let messages = futures::stream::unfold(stream, |mut stream| async move {
        let message = stream.recv().await?;
        Some((message, stream))
    });
    // The sending side ends by itself when the receiving side, which owns the other ends, has failed.
    let receiving = receive(gateway, call(Box::pin(messages)), expected, take);
    let ((), received) = tokio::join!(send(files, read, away, requests), receiving);
    received
}

async fn send<'files, Request>(
    files: &'files [PathBuf],
    read: impl AsyncFn(&Path, String) -> Result<Request, ErrorObject>,
    away: mpsc::Sender<Sent<'files>>,
    requests: mpsc::Sender<Request>,
) {
    for (index, path) in files.iter().enumerate() {
        let id = index.to_string();
        let sent = match read(path, id.clone()).await {
            Err(error) => away.send(Sent::Unreadable(path, error)).await.is_ok(),
            Ok(message) => {
                away.send(Sent::Away { id, path }).await.is_ok() && requests.send(message).await.is_ok()
            }
        };
        if !sent {
            return;
        }
    }
}

async fn receive<Message: Into<Item<R>>, R>(
    gateway: &Gateway,
    call: impl Future<Output = Result<Response<Streaming<Message>>, Status>>,
    mut expected: mpsc::Receiver<Sent<'_>>,
    mut take: impl FnMut(&str, Answer<R>) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let mut answers = call.await.map_err(|status| gateway.refused(status))?.into_inner();
    while let Some(sent) = expected.recv().await {
        let (path, answer) = match sent {
            Sent::Unreadable(path, error) => (path, Answer::Unreadable(error)),
            Sent::Away { id, path } => {
                let message = answers.message().await.map_err(|status| gateway.refused(status))?;
                (path, answer(&id, message.map(Into::into))?)
            }
        };
        take(&path.to_string_lossy(), answer)?;
    }
    Ok(())
}

fn answer<R>(id: &str, item: Option<Item<R>>) -> Result<Answer<R>, CommandError> {
    let item = item.ok_or(CommandError::Stream { detail: "it ended before every picture was answered" })?;
    if item.id != id {
        return Err(CommandError::Stream { detail: "its answers are not in the order of the pictures" });
    }
    match item.outcome {
        Some(Ok(reply)) => Ok(Answer::Given(Box::new(reply))),
        Some(Err(error)) => Ok(Answer::Refused(ErrorObject::from(&error))),
        None => Err(CommandError::Stream { detail: "an answer is neither a finding nor an error" }),
    }
}
