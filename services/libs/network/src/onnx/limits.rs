//! How large a foreign ONNX file may be, before anything of it is held in memory.

/// Upper bounds; a file above any of them is refused with [`crate::NetworkError::TooLarge`].
///
/// Each bound caps one way in which a small file can ask for much memory or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Nodes of all graphs together.
    pub nodes: u64,
    /// Messages, texts and byte strings of all kinds together: each costs memory even when empty.
    pub parts: u64,
    /// Integers stored one by one; in memory each takes eight bytes, in the file one may do.
    pub integers: u64,
    /// Bytes of one name.
    pub name_bytes: u64,
    /// Graphs inside graphs; a graph without any has depth one.
    pub graph_depth: u64,
    /// Messages inside messages.
    pub message_depth: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 1 << 30,
            nodes: 50_000,
            parts: 1_000_000,
            integers: 1 << 26,
            name_bytes: 4096,
            graph_depth: 4,
            // The decoder itself gives up at 100.
            message_depth: 64,
        }
    }
}
