//! Removing what interrupted imports and uploads left in the store.

use std::convert::Infallible;
use std::time::Duration;

use gifthorse_store::Store;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// The store keeps an unfinished import for an hour before it counts as left behind.
const EVERY: Duration = Duration::from_hours(1);

/// Sweeps once an hour, the first time at start, until the service stops.
pub(crate) async fn hourly(store: Store, stop: CancellationToken) -> Result<(), Infallible> {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return Ok(()),
        }
        match store.sweep().await {
            Ok(report) if report.removed.is_empty() && report.finished.is_empty() => {}
            Ok(report) => tracing::info!(?report, "swept what interrupted imports had left"),
            Err(error) => tracing::warn!(%error, "the store cannot be swept, trying again in an hour"),
        }
    }
}
