//! Which models are guarded: for a while, the policy of every model that was asked for.
//!
//! A policy takes effect here within `models.promotion_age`. When the detector, which keeps the policies, cannot
//! be reached, the last known state of a model goes on; a model of which nothing is known is refused, because
//! nobody knows whether it is guarded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_api::name::Identifier;
use gifthorse_api::status::{code_of, status_of};
use gifthorse_api::v1;
use gifthorse_api::v1::policies_client::PoliciesClient;
use gifthorse_service::Deadline;
use gifthorse_service::client::{ClientError, Peer};
use gifthorse_service::request::Caller;
use tonic::{Code, Status};

use crate::configuration::ModelsConfiguration;

/// How long the detector may take to tell a policy, waiting for another request's question included.
const PATIENCE: Duration = Duration::from_secs(1);

/// The policy of a model; none for a model that nothing guards.
pub(crate) type Guarding = Option<Arc<v1::Policy>>;

/// Why a model's policy is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "whether model {model} is guarded is not known, because the detector service does not say so ({cause}): \
     nothing is answered for it until the detector runs and answers"
)]
struct PolicyUnknown {
    /// The model.
    model: Identifier,
    /// What became of the question.
    cause: String,
}

impl Coded for PolicyUnknown {
    fn code(&self) -> ErrorCode {
        ErrorCode::DetectorUnavailable
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        vec![("service", "detector".to_owned()), ("model", self.model.to_string())]
    }
}

/// Asks the detector for what it does not remember, once for all requests that wait for the same model.
#[derive(Debug)]
pub(crate) struct Policies {
    detector: Peer,
    age: Duration,
    capacity: usize,
    slots: Mutex<HashMap<Identifier, Arc<Slot>>>,
}

/// What is remembered of one model.
#[derive(Debug, Default)]
struct Slot {
    /// Held by the request that asks.
    turn: tokio::sync::Mutex<()>,
    known: Mutex<Option<Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    policy: Guarding,
    at: Instant,
}

impl Policies {
    pub(crate) fn new(detector: Peer, configuration: &ModelsConfiguration) -> Self {
        Self {
            detector,
            age: configuration.promotion_age,
            capacity: configuration.records.get(),
            slots: Mutex::default(),
        }
    }

    /// The policy in force for this model.
    pub(crate) async fn find(&self, model: &Identifier, caller: &Caller) -> Result<Guarding, Status> {
        let slot = self.slot(model);
        if let Some(policy) = slot.recent(self.age) {
            return Ok(policy);
        }
        // Half of the caller's time: the other half is for going on with what is remembered.
        let half = caller.deadline.map(|deadline| deadline.remaining() / 2);
        let patience = half.map_or(PATIENCE, |half| PATIENCE.min(half));
        let asking = async {
            let _turn = slot.turn.lock().await;
            if let Some(policy) = slot.recent(self.age) {
                return Ok(policy);
            }
            let policy = self.ask(model, caller, patience).await?;
            slot.keep(policy.clone());
            Ok(policy)
        };
        let failed = match tokio::time::timeout(patience, asking).await {
            Ok(Ok(policy)) => return Ok(policy),
            Ok(Err(failed)) => failed,
            Err(_) => status_of(&ClientError::Late { service: self.detector.service() }),
        };
        let cause = failed.message().to_owned();
        match slot.last() {
            // A policy stays in force whatever is wrong; that there is none is believed only while the detector
            // is away, not when it says that it cannot read what it has.
            Some(policy) if policy.is_some() || is_away(&failed) => {
                tracing::warn!(%model, %cause, "policy cannot be looked up, the last one known goes on");
                // A hurried caller proves nothing about the detector, so the next one asks again at once.
                if patience == PATIENCE {
                    slot.keep(policy.clone());
                }
                Ok(policy)
            }
            _ => Err(status_of(&PolicyUnknown { model: model.clone(), cause })),
        }
    }

    async fn ask(&self, model: &Identifier, caller: &Caller, patience: Duration) -> Result<Guarding, Status> {
        let mut asking = caller.clone();
        asking.deadline = Some(Deadline::after(patience));
        let request = asking.request(v1::GetPolicyRequest { name: format!("policies/{model}") });
        let answer = PoliciesClient::new(self.detector.channel())
            .max_decoding_message_size(self.detector.message_bytes())
            .get_policy(request)
            .await;
        match answer {
            Ok(policy) => Ok(Some(Arc::new(policy.into_inner()))),
            Err(failed) => match code_of(&failed) {
                Some(ErrorCode::ResourceNotFound | ErrorCode::ModelNotFound) => Ok(None),
                _ => Err(self.detector.explain(failed)),
            },
        }
    }

    fn slot(&self, model: &Identifier) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(model) {
            return Arc::clone(slot);
        }
        if slots.len() >= self.capacity {
            // Names of models that are unguarded, or not there at all, can be made up without end. They must
            // not push out what is known of guarded ones.
            slots.retain(|_, slot| slot.last().flatten().is_some());
            if slots.len() >= self.capacity {
                slots.clear();
            }
        }
        Arc::clone(slots.entry(model.clone()).or_default())
    }
}

impl Slot {
    fn recent(&self, age: Duration) -> Option<Guarding> {
        self.known().as_ref().filter(|known| known.at.elapsed() < age).map(|known| known.policy.clone())
    }

    fn last(&self) -> Option<Guarding> {
        self.known().as_ref().map(|known| known.policy.clone())
    }

    fn keep(&self, policy: Guarding) {
        *self.known() = Some(Known { policy, at: Instant::now() });
    }

    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a question failed because nobody was there to answer it.
fn is_away(failed: &Status) -> bool {
    matches!(
        failed.code(),
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Cancelled
    )
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use gifthorse_service::client::ClientConfiguration;
    use gifthorse_service::{Shutdown, Tasks};

    use super::*;

    /// Nobody listens there.
    fn policies(records: usize) -> Policies {
        let urls = vec!["http://127.0.0.1:1".to_owned()];
        let configuration = ClientConfiguration { urls, ..ClientConfiguration::default() };
        let peer = Peer::new("detector", &configuration, &Tasks::new(Shutdown::new()));
        let records = NonZeroUsize::new(records).unwrap();
        Policies::new(peer.unwrap(), &ModelsConfiguration { promotion_age: Duration::ZERO, records })
    }

    fn name(text: &str) -> Identifier {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn nothing_known_is_refused_and_what_is_known_goes_on() {
        let policies = policies(8);
        let refused = policies.find(&name("a"), &Caller::default()).await.unwrap_err();
        assert_eq!(code_of(&refused), Some(ErrorCode::DetectorUnavailable));
        assert_eq!(refused.code(), Code::Unavailable);
        assert!(refused.message().contains("the detector service"), "{}", refused.message());

        policies.slot(&name("a")).keep(None);
        assert_eq!(policies.find(&name("a"), &Caller::default()).await.unwrap(), None);
        policies.slot(&name("a")).keep(Some(Arc::default()));
        assert!(policies.find(&name("a"), &Caller::default()).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn made_up_names_do_not_push_out_guarded_models() {
        let policies = policies(2);
        policies.slot(&name("guarded")).keep(Some(Arc::default()));
        for index in 0..5 {
            policies.slot(&name(&format!("made-up-{index}"))).keep(None);
        }
        assert!(policies.slot(&name("guarded")).last().flatten().is_some());
        assert!(policies.slots.lock().unwrap().len() <= 2);
    }
}
