//! Bytes written by a reading thread, cut into messages and handed to the network.

use std::io::{self, Write};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::source::Source;
use crate::error::CommandError;
use crate::progress::Progress;

/// Bytes of one chunk; the contract allows no more.
pub(super) const CHUNK: usize = 1 << 20;

/// What goes through the queue.
pub(super) enum Piece<Message> {
    /// The next message.
    Message(Message),
    /// The source was read to its end.
    End,
}

/// Collects bytes until they fill a chunk, then waits for room in the queue.
pub(super) struct ChunkWriter<Message> {
    buffer: Vec<u8>,
    sender: mpsc::Sender<Piece<Message>>,
    wrap: fn(Bytes) -> Message,
    progress: Progress,
    hung_up: bool,
}

impl<Message> ChunkWriter<Message> {
    pub(super) fn new(
        sender: mpsc::Sender<Piece<Message>>,
        wrap: fn(Bytes) -> Message,
        progress: Progress,
    ) -> Self {
        Self { buffer: Vec::with_capacity(CHUNK), sender, wrap, progress, hung_up: false }
    }

    /// Sends what is left and the mark of the end.
    pub(super) fn finish(&mut self, source: &Source) -> Result<(), CommandError> {
        let rest = if self.buffer.is_empty() { Ok(()) } else { self.send_buffer() };
        rest.and_then(|()| self.send(Piece::End)).map_err(|error| source.unreadable(error))
    }

    /// Whether writing failed because the call is over: its answer says why.
    pub(super) const fn hung_up(&self) -> bool {
        self.hung_up
    }

    fn send_buffer(&mut self) -> io::Result<()> {
        let chunk = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK));
        let length = chunk.len() as u64;
        self.send(Piece::Message((self.wrap)(chunk.into())))?;
        self.progress.advance(length);
        Ok(())
    }

    fn send(&mut self, piece: Piece<Message>) -> io::Result<()> {
        self.sender.blocking_send(piece).map_err(|_| {
            self.hung_up = true;
            io::ErrorKind::BrokenPipe.into()
        })
    }
}

impl<Message> Write for ChunkWriter<Message> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK - self.buffer.len());
        self.buffer.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if self.buffer.len() == CHUNK {
            self.send_buffer()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_cut_into_full_chunks_and_a_rest() {
        let (sender, mut receiver) = mpsc::channel(8);
        let progress = Progress::bytes("sending", None);
        let mut writer = ChunkWriter::new(sender, |chunk| chunk.len(), progress.clone());
        writer.write_all(&vec![7; CHUNK * 2 + 5]).unwrap();
        writer.finish(&Source::stub()).unwrap();
        let mut lengths = Vec::new();
        while let Some(Piece::Message(length)) = receiver.blocking_recv() {
            lengths.push(length);
        }
        assert_eq!(lengths, [CHUNK, CHUNK, 5]);
        assert_eq!(progress.done(), (CHUNK * 2 + 5) as u64);
    }

    #[test]
    fn a_call_that_ended_is_told_from_a_bad_disk() {
        let (sender, receiver) = mpsc::channel(8);
        drop(receiver);
        let mut writer = ChunkWriter::new(sender, |chunk| chunk.len(), Progress::bytes("sending", None));
        assert!(writer.write_all(&vec![7; CHUNK]).is_err());
        assert!(writer.hung_up());
    }
}
