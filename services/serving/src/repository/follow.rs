//! Following what other replicas and the command line do to the store.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

use futures::{StreamExt, stream};
use gifthorse_api::name::Identifier;
use gifthorse_service::Latch;
use gifthorse_store::PageRequest;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{Repository, RepositoryError};

/// Models that are brought in step at once: a slow one does not hold up the others.
const AT_ONCE: usize = 4;

impl Repository {
    /// Follows the store until the service stops. `loaded` is set after the first round.
    pub(crate) async fn follow(
        self: Arc<Self>,
        loaded: Latch,
        stop: CancellationToken,
    ) -> Result<(), Infallible> {
        let mut ticks = tokio::time::interval(self.configuration.refresh);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let round = async {
                ticks.tick().await;
                self.follow_once().await
            };
            tokio::select! {
                followed = round => match followed {
                    Ok(()) => loaded.set(),
                    Err(error) => tracing::warn!(%error, "the store cannot be followed, trying again"),
                },
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    async fn follow_once(self: &Arc<Self>) -> Result<(), RepositoryError> {
        let mut names: BTreeSet<Identifier> = BTreeSet::new();
        let mut token = String::new();
        loop {
            let page = self.models.list(&PageRequest::new(PageRequest::MAX_SIZE as i32, token)?).await?;
            names.extend(page.items.into_iter().map(|model| model.name));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        let loaded: Vec<String> = self.catalogue().models.keys().cloned().collect();
        for name in loaded {
            names.insert(name.parse()?);
        }
        let models = stream::iter(names).for_each_concurrent(AT_ONCE, |name| async move {
            if let Err(error) = self.reconcile_apart(&name, &[]).await {
                tracing::warn!(model = %name, %error, "a model cannot be followed, trying again");
            }
        });
        models.await;
        Ok(())
    }
}
