//! A detector that calls images trojaned whose first number is beyond 0.5.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::status::{not_built, status};
use gifthorse_api::v1;
use gifthorse_api::v1::policy::{Failure, ProtocolAnswer};
use gifthorse_api::v1::verdict::Kind;
use prost::Message;
use tokio::sync::Semaphore;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::fake::Answers;

/// What happens to scans.
#[derive(Clone, Default)]
pub enum Mood {
    /// They are answered.
    #[default]
    Willing,
    /// They are refused with this code.
    Refusing(ErrorCode),
    /// They are answered when they are released.
    Holding,
}

/// What it is and what it was asked.
pub struct Detector {
    pub policy: Mutex<Option<v1::Policy>>,
    pub mood: Mutex<Mood>,
    pub scans: Mutex<Vec<v1::ScanRequest>>,
    /// Questions for a policy.
    pub looked_up: AtomicUsize,
    /// Scans that came while holding.
    pub arrived: Semaphore,
    /// Scans that may be answered.
    pub release: Semaphore,
    /// Scans that ended, one way or the other.
    pub ended: Semaphore,
    held: AtomicUsize,
    /// The most scans held at once.
    pub most_held: AtomicUsize,
}

impl Default for Detector {
    fn default() -> Self {
        Self {
            policy: Mutex::default(),
            mood: Mutex::default(),
            scans: Mutex::default(),
            looked_up: AtomicUsize::new(0),
            arrived: Semaphore::new(0),
            release: Semaphore::new(0),
            ended: Semaphore::new(0),
            held: AtomicUsize::new(0),
            most_held: AtomicUsize::new(0),
        }
    }
}

/// Tells that a scan ended when it is dropped.
struct Held<'a>(&'a Detector);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::SeqCst);
        self.0.ended.add_permits(1);
    }
}

impl Detector {
    /// Guards model `m`.
    pub fn guard(&self, failure: Failure, answer: ProtocolAnswer) {
        *self.policy.lock().unwrap() = Some(v1::Policy {
            name: "policies/m/versions/7".to_owned(),
            model: "models/m".to_owned(),
            failure: failure.into(),
            protocol_answer: answer.into(),
            alpha: 0.01,
            ..v1::Policy::default()
        });
    }

    pub fn set_mood(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn policy(&self, message: Bytes) -> Result<v1::Policy, Status> {
        self.looked_up.fetch_add(1, Ordering::SeqCst);
        let request = v1::GetPolicyRequest::decode(message).unwrap();
        let policy = self.policy.lock().unwrap().clone().filter(|_| request.name == "policies/m");
        policy.ok_or_else(|| status(ErrorCode::ResourceNotFound, "the model has no policy"))
    }

    async fn scan(&self, message: Bytes) -> Result<v1::ScanResponse, Status> {
        let request = v1::ScanRequest::decode(message).unwrap();
        self.scans.lock().unwrap().push(request.clone());
        let mood = self.mood.lock().unwrap().clone();
        match mood {
            Mood::Willing => {}
            Mood::Refusing(code) => return Err(status(code, "the detector says no")),
            Mood::Holding => {
                let held = self.held.fetch_add(1, Ordering::SeqCst) + 1;
                self.most_held.fetch_max(held, Ordering::SeqCst);
                let _held = Held(self);
                self.arrived.add_permits(1);
                self.release.acquire().await.unwrap().forget();
            }
        }
        let data = request.tensor.unwrap().data;
        let trojaned = f32::from_le_bytes(*data.first_chunk::<4>().unwrap()) > 0.5;
        let finding = v1::DetectorFinding { detector: "fused".to_owned(), ..v1::DetectorFinding::default() };
        Ok(v1::ScanResponse {
            detectors: vec![finding],
            verdict: if trojaned { Kind::Trojaned } else { Kind::Clean }.into(),
            p_value: if trojaned { 0.01 } else { 0.5 },
            p_value_is_bound: !request.exact,
            policy: "policies/m/versions/8".to_owned(),
            network_label: 1,
            model_version: request.model,
        })
    }
}

impl Answers for Detector {
    async fn answer(self: Arc<Self>, path: String, _: MetadataMap, message: Bytes) -> Result<Bytes, Status> {
        let answer = match path.as_str() {
            "/gifthorse.v1.Policies/GetPolicy" => self.policy(message)?.encode_to_vec(),
            "/gifthorse.v1.Detection/Scan" => self.scan(message).await?.encode_to_vec(),
            other => return Err(not_built(other)),
        };
        Ok(answer.into())
    }
}
