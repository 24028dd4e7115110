//! A linked version's server, asked whether it still holds the network that was linked.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::status::code_of;
use gifthorse_api::v1;
use gifthorse_api::v1::models_client::ModelsClient;
use gifthorse_service::client::Peer;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::run::RunError;

/// A linked version. Its record says which network was linked, and only serving can ask the foreign server
/// whether that is the one it holds now.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(super) serving: Peer,
    /// `models/NAME/versions/VERSION`.
    pub(super) name: String,
}

impl Link {
    /// Has serving ask the probes now; ends early when the caller has gone.
    ///
    /// # Errors
    ///
    /// What serving says, `LINKED_MODEL_CHANGED` when another network answers there; `SERVICE_UNAVAILABLE` when
    /// serving, or the foreign server, cannot be asked.
    pub(crate) async fn confirm(&self, gone: &CancellationToken) -> Result<(), RunError> {
        let mut models = ModelsClient::new(self.serving.channel());
        let request = v1::CheckLinkedModelRequest { name: self.name.clone() };
        tokio::select! {
            biased;
            () = gone.cancelled() => Err(RunError::Cancelled),
            checked = models.check_linked_model(request) => match checked {
                Ok(_version) => Ok(()),
                Err(failed) => Err(refused(&self.serving, failed)),
            },
        }
    }
}

/// What serving refused, or that it does not answer.
pub(super) fn refused(serving: &Peer, failed: Status) -> RunError {
    let failed = serving.explain(failed);
    let code = code_of(&failed).unwrap_or(ErrorCode::ServiceUnavailable);
    RunError::Remote { code, message: failed.message().to_owned() }
}
