//! Long tasks of a service: a stream of progress whose last message carries what came out.

use tonic::Streaming;

use crate::client::Gateway;
use crate::error::CommandError;
use crate::progress::Progress;
use gifthorse_api::v1;

/// What one message of a task says.
pub(super) enum Step<T> {
    /// How far it is.
    Progress(v1::Progress),
    /// What came out.
    Done(T),
}

impl TryFrom<v1::CalibrateResponse> for Step<v1::Calibration> {
    type Error = CommandError;

    fn try_from(message: v1::CalibrateResponse) -> Result<Self, CommandError> {
        use v1::calibrate_response::Content;
        match message.content {
            Some(Content::Progress(progress)) => Ok(Self::Progress(progress)),
            Some(Content::Calibration(calibration)) => Ok(Self::Done(calibration)),
            None => Err(EMPTY),
        }
    }
}

impl TryFrom<v1::EvaluateResponse> for Step<v1::Evaluation> {
    type Error = CommandError;

    fn try_from(message: v1::EvaluateResponse) -> Result<Self, CommandError> {
        use v1::evaluate_response::Content;
        match message.content {
            Some(Content::Progress(progress)) => Ok(Self::Progress(progress)),
            Some(Content::Evaluation(evaluation)) => Ok(Self::Done(evaluation)),
            None => Err(EMPTY),
        }
    }
}

const EMPTY: CommandError = CommandError::Stream { detail: "a message is neither progress nor a result" };

/// Follows a task to its end and gives what came out.
pub(super) async fn follow<Message, T>(
    gateway: &Gateway,
    mut stream: Streaming<Message>,
    progress: &Progress,
) -> Result<T, CommandError>
where
    Step<T>: TryFrom<Message, Error = CommandError>,
{
    let mut result = None;
    while let Some(message) = stream.message().await.map_err(|status| gateway.refused(status))? {
        match Step::try_from(message)? {
            Step::Progress(report) => progress.report(&report),
            Step::Done(value) => result = Some(value),
        }
    }
    result.ok_or(CommandError::Stream { detail: "the task ended without a result" })
}
