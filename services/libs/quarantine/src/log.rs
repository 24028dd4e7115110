//! What a reader printed, as far as it is worth keeping.

use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes kept from the end of the log: the last words are the ones that explain a death.
const KEPT: usize = 8 * 1024;

/// The last bytes a reader printed on stderr.
#[derive(Debug, Default)]
pub(crate) struct Log {
    tail: Vec<u8>,
}

impl Log {
    /// Reads to the end, keeping the tail; memory stays bounded however long the log is.
    pub(crate) async fn follow(&mut self, mut source: impl AsyncRead + Unpin) -> std::io::Result<()> {
        let mut block = [0; 4096];
        loop {
            let count = source.read(&mut block).await?;
            if count == 0 {
                return Ok(());
            }
            self.push(&block[..count]);
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        let surplus = self.tail.len().saturating_sub(KEPT);
        self.tail.drain(..surplus);
    }

    /// The kept text, trimmed; bytes that are no UTF-8 are replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.tail).trim().to_owned()
    }

    /// Whether the process died because an allocation failed: Rust's allocator and the C++ runtime both
    /// abort then, and only their last words tell it from any other abort.
    pub(crate) fn tells_of_exhausted_memory(&self) -> bool {
        let text = self.text();
        (text.contains("memory allocation of ") && text.contains(" bytes failed"))
            || text.contains("std::bad_alloc")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_tail_of_a_long_log_is_kept() {
        let mut chatter = vec![b'x'; 10 * KEPT];
        chatter.extend_from_slice(b"\nthe last words\n");
        let mut log = Log::default();
        log.follow(chatter.as_slice()).await.unwrap();
        assert_eq!(log.tail.len(), KEPT);
        assert!(log.text().ends_with("the last words"));
    }

    #[test]
    fn failed_allocations_are_recognised() {
        for (text, exhausted) in [
            ("memory allocation of 1024 bytes failed\n", true),
            (
                "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc",
                true,
            ),
            ("memory allocation of the file is odd", false),
            ("", false),
        ] {
            let mut log = Log::default();
            log.push(text.as_bytes());
            assert_eq!(log.tells_of_exhausted_memory(), exhausted, "{text:?}");
        }
    }
}
