//! Asking linked networks the probes: on a schedule, and on demand.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use gifthorse_api::name::{Identifier, Version};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{Repository, RepositoryError, Served, VersionState, not_ready};

/// How often it is looked which networks are to be asked.
const LOOK: Duration = Duration::from_secs(1);
/// Networks that are asked at once.
const AT_ONCE: usize = 4;

impl Repository {
    /// Asks each linked network the probes whenever that is due, until the service stops. What comes of it is
    /// kept with the version, which logs it.
    pub(crate) async fn watch_links(self: Arc<Self>, stop: CancellationToken) -> Result<(), Infallible> {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let watch = async {
            loop {
                ticks.tick().await;
                let due = self.loaded().into_iter().filter(|served| {
                    served.runner.linked().is_some_and(|linked| !linked.is_closed() && linked.is_due())
                });
                let asked = stream::iter(due).for_each_concurrent(AT_ONCE, |served| async move {
                    if let Some(linked) = served.runner.linked() {
                        // The version remembers what came of it.
                        let _ = linked.check().await;
                    }
                });
                asked.await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            never = watch => never,
        }
    }

    /// Asks a linked version the probes now, loading it first where it is not loaded.
    pub(crate) async fn check_link(
        self: &Arc<Self>,
        model: &Identifier,
        version: Version,
    ) -> Result<(), RepositoryError> {
        if self.loaded_version(model, version).is_none() {
            self.reconcile_apart(model, &[version]).await?;
        }
        let Some(served) = self.loaded_version(model, version) else {
            return Err(not_ready(model, version, &self.state(model, version)).into());
        };
        match served.runner.linked() {
            Some(linked) => Ok(linked.check().await?),
            None => Ok(()),
        }
    }

    /// A version that is loaded, whether or not it may answer.
    pub(super) fn loaded_version(&self, model: &Identifier, version: Version) -> Option<Arc<Served>> {
        let catalogue = self.catalogue();
        match catalogue.models.get(model.as_str())?.versions.get(&version)? {
            VersionState::Ready(served) => Some(Arc::clone(served)),
            _ => None,
        }
    }
}
