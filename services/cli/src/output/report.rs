//! Errors, for people and for programs.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_api::v1;
use serde::Serialize;
use tonic::Code;

use crate::error::{CommandError, USAGE};
use crate::grpc_code;

/// An error as `--json` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorObject {
    /// The code of the catalogue.
    pub code: String,
    /// The name of the gRPC status code.
    pub status: &'static str,
    /// What was wrong, with which value, and what to do.
    pub message: String,
}

impl ErrorObject {
    /// The form of an error that this program found itself.
    pub fn of<E: Coded + Display>(error: &E) -> Self {
        let code = error.code();
        Self {
            code: code.to_string(),
            status: grpc_code::name(gifthorse_api::status::grpc_code(code.class())),
            message: error.to_string(),
        }
    }
}

impl From<&CommandError> for ErrorObject {
    fn from(error: &CommandError) -> Self {
        Self {
            code: error.published_code(),
            status: grpc_code::name(error.grpc_code()),
            message: error.to_string(),
        }
    }
}

impl From<&v1::ItemError> for ErrorObject {
    fn from(error: &v1::ItemError) -> Self {
        Self {
            code: error.reason.clone(),
            status: grpc_code::name(Code::from(error.status)),
            message: error.message.clone(),
        }
    }
}

/// A line that carries an error, about one file where there is one.
#[derive(Debug, Serialize)]
pub struct ErrorLine<'error> {
    /// The file as it was typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<&'error str>,
    /// The error.
    pub error: &'error ErrorObject,
}

/// Writes the error that ended a command. A failure to write it is lost: there is nowhere else to say it.
pub fn failure(error: &CommandError, json: bool, terminal: bool, sink: &mut dyn Write) {
    let object = ErrorObject::from(error);
    if json {
        line(&object, sink);
        return;
    }
    let (bold, plain) = if terminal { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    let _ = writeln!(sink, "{bold}error{plain} [{}]: {}", object.code, object.message);
    if let Some(hint) = error.hint() {
        let _ = writeln!(sink, "  {hint}");
    }
}

/// Writes what clap has to say (help and version included) and gives the exit status that belongs to it.
/// With `--json` among the `arguments`, a usage error is an object too.
pub fn usage(
    error: &clap::Error,
    arguments: impl IntoIterator<Item = OsString>,
    sink: &mut dyn Write,
) -> ExitCode {
    if !error.use_stderr() {
        // Help and version go to standard output, where a reader may have gone.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if arguments.into_iter().any(|argument| argument == "--json") {
        let text = error.to_string();
        let first = text.split("\n\n").next().unwrap_or_default();
        let message = first.strip_prefix("error: ").unwrap_or(first).trim_end().to_owned();
        let status = grpc_code::name(Code::InvalidArgument);
        line(&ErrorObject { code: ErrorCode::InvalidField.to_string(), status, message }, sink);
    } else {
        let _ = error.print();
    }
    USAGE.into()
}

fn line(error: &ErrorObject, sink: &mut dyn Write) {
    if let Ok(text) = serde_json::to_string(&ErrorLine { file: None, error }) {
        let _ = writeln!(sink, "{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(error: &CommandError, json: bool, terminal: bool) -> String {
        let mut sink = Vec::new();
        failure(error, json, terminal, &mut sink);
        String::from_utf8(sink).unwrap()
    }

    #[test]
    fn people_and_programs_get_the_same_facts() {
        let gateway = "127.0.0.1:4700".parse().unwrap();
        let error = CommandError::Unreachable { gateway, reason: "connection refused".to_owned() };
        let text = shown(&error, false, false);
        assert!(text.starts_with("error [SERVICE_UNAVAILABLE]: the gateway at 127.0.0.1:4700"), "{text}");
        assert!(text.contains("`gifthorse up`"), "{text}");
        assert!(!text.contains('\x1b'), "no colours off the terminal");
        assert!(shown(&error, false, true).contains('\x1b'));

        let value: serde_json::Value = serde_json::from_str(&shown(&error, true, true)).unwrap();
        assert_eq!(value["error"]["code"], "SERVICE_UNAVAILABLE");
        assert_eq!(value["error"]["status"], "UNAVAILABLE");
        assert!(value["error"]["message"].as_str().unwrap().contains("connection refused"));
    }

    #[test]
    fn items_keep_the_services_words() {
        let item = v1::ItemError { status: 3, reason: "IMAGE_INVALID".to_owned(), message: "no".to_owned() };
        let object = ErrorObject::from(&item);
        let line = serde_json::to_string(&ErrorLine { file: Some("a.png"), error: &object }).unwrap();
        let expected =
            r#"{"file":"a.png","error":{"code":"IMAGE_INVALID","status":"INVALID_ARGUMENT","message":"no"}}"#;
        assert_eq!(line, expected);
    }
}
