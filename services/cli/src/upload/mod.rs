//! Files and folders streamed to the gateway: a specification, then chunks of at most a mebibyte.
//!
//! A thread reads, the call sends, and a short queue between them is the back-pressure: at no time is more
//! than a few chunks in memory, however large the file is.
//!
//! The end of a request stream means "that was all of it" to the service, and HTTP/2 servers take a stream
//! that its client cancelled for one that ended, too. When reading fails half-way the stream must therefore
//! neither end nor be cancelled: it is left open until the program exits and the connection breaks, which the
//! service cannot mistake.

mod chunks;
mod folder;
mod source;

use std::future::Future;

use bytes::Bytes;
use futures::Stream;
use tokio::sync::mpsc;
use tonic::{Response, Status};

pub use folder::{Folder, FolderError};
pub use source::Source;

use crate::client::Gateway;
use crate::error::CommandError;
use crate::progress::Progress;
use chunks::{ChunkWriter, Piece};

/// Chunks that may wait between the reader and the network.
const QUEUE: usize = 2;

/// Sends `first` and then the bytes of `source`, each chunk made a message by `wrap`, through `call`, and
/// gives the service's reply. After a failure to read the call stays open until the program exits.
pub async fn send<Message, Reply, Calling>(
    gateway: &Gateway,
    source: Source,
    first: Message,
    wrap: fn(Bytes) -> Message,
    progress: &Progress,
    call: impl FnOnce(MessageStream<Message>) -> Calling,
) -> Result<Reply, CommandError>
where
    Message: Send + 'static,
    Calling: Future<Output = Result<Response<Reply>, Status>>,
{
    let (sender, receiver) = mpsc::channel(QUEUE);
    let mut call = Box::pin(call(messages(first, receiver)));
    let counted = progress.clone();
    let mut reading = tokio::task::spawn_blocking(move || {
        let mut writer = ChunkWriter::new(sender, wrap, counted);
        let result = source.write_to(&mut writer).and_then(|()| writer.finish(&source));
        (result, writer.hung_up())
    });

    let read = tokio::select! {
        biased;
        reply = &mut call => return reply.map(Response::into_inner).map_err(|status| gateway.refused(status)),
        read = &mut reading => read,
    };
    match read? {
        (Err(error), false) => {
            // Dropping the call would cancel it: see the note at the top.
            std::mem::forget(call);
            Err(error)
        }
        (Ok(()), _) | (Err(_), true) => {
            progress.stage("sent; the service is checking it");
            call.await.map(Response::into_inner).map_err(|status| gateway.refused(status))
        }
    }
}

/// The messages of one upload.
pub type MessageStream<Message> = std::pin::Pin<Box<dyn Stream<Item = Message> + Send>>;

fn messages<Message: Send + 'static>(
    first: Message,
    receiver: mpsc::Receiver<Piece<Message>>,
) -> MessageStream<Message> {
    Box::pin(futures::stream::unfold((Some(first), receiver), |(first, mut receiver)| async move {
        if let Some(first) = first {
            return Some((first, (None, receiver)));
        }
        match receiver.recv().await {
            Some(Piece::Message(message)) => Some((message, (None, receiver))),
            Some(Piece::End) => None,
            // The reader failed: see the note at the top.
            None => std::future::pending().await,
        }
    }))
}
