//! The replicas of another service: which there are, and which of them take requests.
//!
//! Names are looked up again and again, and the health of every address is watched on a connection of its own. A replica
//! that dies, drains or is not ready yet is asked nothing from that moment on, and one that comes gets its share as soon as
//! it says that it serves. Where none does, all are asked: somebody's clear error is better than a request that hangs.
//!
//! Between those that serve, the channel takes the one of two drawn by lot that has fewer requests under way.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use tonic::transport::channel::Change;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::configuration::{ClientConfiguration, endpoint, prepared};

/// News of replicas that may wait.
const WAITING_NEWS: usize = 64;
/// How soon a replica that was lost is tried again, at first and at last.
const AGAIN: Duration = Duration::from_millis(100);
const AGAIN_AT_LAST: Duration = Duration::from_secs(2);

/// A configured address.
#[derive(Debug, Clone)]
pub(super) struct Name {
    host: String,
    port: u16,
    endpoint: Endpoint,
}

impl Name {
    /// None for what is not of the form `http://host:port`.
    pub(super) fn parse(url: &str, configuration: &ClientConfiguration) -> Option<Self> {
        let endpoint = endpoint(url)?;
        let uri = endpoint.uri();
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(80);
        Some(Self { host, port, endpoint: prepared(endpoint, configuration) })
    }
}

/// One address of the service.
#[derive(Debug)]
struct Replica {
    endpoint: Endpoint,
    /// Unknown at first, which counts as serving: nobody waits for the first answer.
    serves: bool,
    watcher: AbortHandle,
}

/// Follows the replicas of one service.
#[derive(Debug)]
pub(super) struct Discovery {
    service: &'static str,
    names: Vec<Name>,
    configuration: ClientConfiguration,
    changes: mpsc::Sender<Change<String, Endpoint>>,
    replicas: BTreeMap<String, Replica>,
    offered: BTreeSet<String>,
    watchers: JoinSet<()>,
}

/// What a watcher saw: the replica, and whether it serves.
type News = (String, bool);

impl Discovery {
    pub(super) fn new(
        service: &'static str,
        names: Vec<Name>,
        configuration: ClientConfiguration,
        changes: mpsc::Sender<Change<String, Endpoint>>,
    ) -> Self {
        let (replicas, offered, watchers) = (BTreeMap::new(), BTreeSet::new(), JoinSet::new());
        Self { service, names, configuration, changes, replicas, offered, watchers }
    }

    /// Works until it is stopped, or until nobody calls the service any more.
    pub(super) async fn run(mut self, stop: CancellationToken) -> Result<(), Infallible> {
        let (news, mut heard) = mpsc::channel(WAITING_NEWS);
        let mut looks = tokio::time::interval(self.configuration.resolve_interval);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.changes.closed() => return Ok(()),
                _ = looks.tick() => self.look_up(&news).await,
                Some((address, serves)) = heard.recv() => self.note(&address, serves),
            }
            if self.offer().await.is_err() {
                return Ok(());
            }
        }
    }

    /// Looks all names up; one that cannot be looked up keeps the addresses it had.
    async fn look_up(&mut self, news: &mpsc::Sender<News>) {
        let mut found = BTreeMap::new();
        for name in &self.names {
            match tokio::net::lookup_host((name.host.as_str(), name.port)).await {
                Ok(addresses) => found.extend(addresses.filter_map(|address| {
                    let address = format!("http://{address}");
                    let endpoint = prepared(endpoint(&address)?, &self.configuration);
                    Some((address, endpoint))
                })),
                Err(error) => {
                    tracing::warn!(service = self.service, host = name.host, %error, "a name cannot be looked up");
                    if self.replicas.is_empty() {
                        // Whoever calls is told the same by the connection that cannot be made.
                        found.insert(name.endpoint.uri().to_string(), name.endpoint.clone());
                    } else {
                        found.extend(
                            self.replicas
                                .iter()
                                .map(|(one, replica)| (one.clone(), replica.endpoint.clone())),
                        );
                    }
                }
            }
        }
        self.replicas.retain(|address, replica| {
            let stays = found.contains_key(address);
            if !stays {
                tracing::info!(service = self.service, address, "replica is gone");
                replica.watcher.abort();
            }
            stays
        });
        for (address, endpoint) in found {
            if !self.replicas.contains_key(&address) {
                let watching = watch(address.clone(), endpoint.clone(), news.clone());
                let watcher = self.watchers.spawn(watching);
                self.replicas.insert(address, Replica { endpoint, serves: true, watcher });
            }
        }
        // Watchers that were stopped leave nothing behind.
        while self.watchers.try_join_next().is_some() {}
    }

    fn note(&mut self, address: &str, serves: bool) {
        if let Some(replica) = self.replicas.get_mut(address)
            && replica.serves != serves
        {
            replica.serves = serves;
            let message =
                if serves { "replica serves" } else { "replica does not serve, it is asked nothing" };
            tracing::info!(service = self.service, address, "{message}");
        }
    }

    /// Tells the channel who is to be asked.
    async fn offer(&mut self) -> Result<(), mpsc::error::SendError<Change<String, Endpoint>>> {
        let any = self.replicas.values().any(|replica| replica.serves);
        let asked = self.replicas.iter().filter(|(_, replica)| replica.serves || !any);
        let asked: BTreeMap<&String, &Endpoint> =
            asked.map(|(one, replica)| (one, &replica.endpoint)).collect();
        for (address, endpoint) in &asked {
            if self.offered.insert((*address).clone()) {
                self.changes.send(Change::Insert((*address).clone(), (*endpoint).clone())).await?;
            }
        }
        let gone: Vec<String> =
            self.offered.iter().filter(|address| !asked.contains_key(address)).cloned().collect();
        for address in gone {
            self.offered.remove(&address);
            self.changes.send(Change::Remove(address)).await?;
        }
        Ok(())
    }
}

/// Tells whenever a replica begins or ceases to serve, for as long as somebody listens.
async fn watch(address: String, endpoint: Endpoint, news: mpsc::Sender<News>) {
    let mut again = AGAIN;
    loop {
        let seen = follow(&address, &endpoint, &news).await;
        // A server without health is one of a foreign make: it serves as long as it is there.
        let serves = seen.as_ref().is_err_and(|status| status.code() == Code::Unimplemented);
        if news.send((address.clone(), serves)).await.is_err() {
            return;
        }
        again = if seen.is_ok() { AGAIN } else { (again * 2).min(AGAIN_AT_LAST) };
        tokio::time::sleep(again).await;
    }
}

async fn follow(address: &str, endpoint: &Endpoint, news: &mpsc::Sender<News>) -> Result<(), Status> {
    let channel = endpoint.connect().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let request = HealthCheckRequest { service: String::new() };
    let mut states = HealthClient::new(channel).watch(request).await?.into_inner();
    while let Some(state) = states.message().await? {
        let serves = state.status() == ServingStatus::Serving;
        if news.send((address.to_owned(), serves)).await.is_err() {
            break;
        }
    }
    Ok(())
}
