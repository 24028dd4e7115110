//! What a command says on standard output: text for people, or one JSON object a line for programs.

pub mod facts;
pub mod number;
pub mod reply;
pub mod report;
pub mod table;

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

use crate::error::CommandError;
use reply::{JsonReply, Reply};

/// A time for people, to the second: `2023-11-14T22:13:20Z`; empty when it is unknown.
pub fn time(time: Option<&prost_types::Timestamp>) -> String {
    time.map(|time| prost_types::Timestamp { nanos: 0, ..*time }.to_string()).unwrap_or_default()
}

/// Standard output, in the form that was asked for.
pub struct Output {
    json: bool,
    sink: Box<dyn Write + Send>,
}

impl Output {
    /// Writes to `sink`, as JSON lines when `json`.
    pub fn new(json: bool, sink: Box<dyn Write + Send>) -> Self {
        Self { json, sink }
    }

    /// Whether JSON lines were asked for.
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// Writes one reply: its JSON mapping, or what `human` makes of it.
    pub fn reply<R: Reply, H: Display>(
        &mut self,
        reply: &R,
        human: impl FnOnce(&R) -> H,
    ) -> Result<(), CommandError> {
        if self.json { self.object(&JsonReply::of(reply)?) } else { self.text(human(reply)) }
    }

    /// Writes many replies: one JSON object a line, or what `human` makes of them together.
    pub fn replies<R: Reply, H: Display>(
        &mut self,
        replies: &[R],
        human: impl FnOnce(&[R]) -> H,
    ) -> Result<(), CommandError> {
        if !self.json {
            return self.text(human(replies));
        }
        replies.iter().try_for_each(|reply| self.object(&JsonReply::of(reply)?))
    }

    /// Writes one object as a line of JSON.
    pub fn object<S: Serialize>(&mut self, object: &S) -> Result<(), CommandError> {
        let line = serde_json::to_string(object).map_err(|error| CommandError::Json(error.to_string()))?;
        self.line(&line)
    }

    /// Writes text for people, ending the line where it does not.
    pub fn text(&mut self, text: impl Display) -> Result<(), CommandError> {
        let text = text.to_string();
        self.line(text.strip_suffix('\n').unwrap_or(&text))
    }

    // Every line is flushed: a program that reads results as they come shall not wait for a full buffer.
    fn line(&mut self, text: &str) -> Result<(), CommandError> {
        let written: io::Result<()> = writeln!(self.sink, "{text}").and_then(|()| self.sink.flush());
        written.map_err(CommandError::Output)
    }
}
