//! A cluster of prepared answers.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

/// What was asked, and what is answered to it: method and path with the status and the body.
type Prepared = Vec<(&'static str, u16, Value)>;

/// Answers prepared calls, each as often as it is made; whatever else is asked answers 500. What was asked is noted.
#[derive(Debug, Clone, Default)]
pub(super) struct Answers {
    prepared: Arc<Mutex<Prepared>>,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Answers {
    /// These calls, each `METHOD /path`.
    pub(super) fn to(prepared: Prepared) -> Self {
        Self { prepared: Arc::new(Mutex::new(prepared)), asked: Arc::default() }
    }

    /// Other answers from now on.
    pub(super) fn change(&self, prepared: Prepared) {
        *self.prepared.lock().unwrap() = prepared;
    }

    /// The calls that were made, with their bodies.
    pub(super) fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }

    /// A client of this cluster.
    pub(super) fn client(&self) -> Client {
        let answers = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let answers = answers.clone();
            async move { Ok::<_, Infallible>(answers.answer(request).await) }
        });
        Client::new(service, "lab")
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let call = format!("{} {}", request.method(), request.uri().path());
        let sent = request.into_body().collect_bytes().await.unwrap();
        let sent = serde_json::from_slice(&sent).unwrap_or_default();
        let found = self.prepared.lock().unwrap().iter().find(|(path, ..)| *path == call).cloned();
        let unprepared = ("", 500, json!({"message": format!("nothing is prepared for {call}")}));
        let (_, code, body) = found.unwrap_or(unprepared);
        self.asked.lock().unwrap().push((call, sent));
        let body = match &body {
            Value::String(text) => text.clone().into_bytes(),
            Value::Object(fields) if code >= 400 => {
                let mut status = json!({"kind": "Status", "status": "Failure", "code": code});
                status.as_object_mut().unwrap().extend(fields.clone());
                status.to_string().into_bytes()
            }
            other => other.to_string().into_bytes(),
        };
        Response::builder().status(code).body(Body::from(body)).unwrap()
    }
}
