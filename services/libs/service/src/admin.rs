//! The admin listener (HTTP/1): `/live`, `/ready` and `/metrics`.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::connections::Connections;
use crate::metric_names::{CONNECTIONS_OPEN, RPC_IN_FLIGHT};
use crate::overload::Admission;
use crate::readiness::Readiness;

/// What the admin pages show.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) readiness: Readiness,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) admission: Admission,
    pub(crate) connections: Connections,
}

impl Admin {
    /// Answers until `stop` is cancelled: also while the service drains, so that probes see it alive.
    pub(crate) async fn serve(self, listener: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
        let router = Router::new()
            .route("/live", get(live))
            .route("/ready", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self);
        tokio::select! {
            served = async { axum::serve(listener, router).await } => served,
            () = stop.cancelled() => Ok(()),
        }
    }
}

/// Alive is whoever can answer: no model, store or other service counts here, since a restart heals none.
async fn live() -> &'static str {
    "live\n"
}

async fn ready(State(admin): State<Admin>) -> impl IntoResponse {
    let reasons = admin.readiness.state().reasons();
    if reasons.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("not ready\n{}\n", reasons.join("\n")))
    }
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    // Gauges of what is counted anyway are set when somebody looks, not at every request.
    metrics::gauge!(RPC_IN_FLIGHT).set(admin.admission.in_flight() as f64);
    metrics::gauge!(CONNECTIONS_OPEN).set(admin.connections.count() as f64);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], admin.metrics.render())
}
