//! Follows the Jobs and Pods of the trainers: listed once, then watched; when that breaks off, listed again.

use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::TryStreamExt;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, WatchParams};
use kube::core::WatchEvent;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::error::{Call, KubernetesError};
use super::names::SELECTOR;
use super::picture::Picture;

/// How long one watch lasts at most, in seconds; the next one goes on where it ended.
const WATCH: u32 = 60;
/// A watch that says nothing for longer than it may last is dead.
const SILENCE: Duration = Duration::from_secs(WATCH as u64 + 15);
/// Pauses before Jobs are listed again: the first, and the longest.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Objects that are followed.
pub(super) trait Followed:
    Clone + Debug + DeserializeOwned + Resource + Send + Sync + 'static
{
    /// What roles call them.
    const RESOURCE: &'static str;

    fn replace(picture: &mut Picture, all: Vec<Self>);
    fn put(self, picture: &mut Picture);
    fn remove(self, picture: &mut Picture);
    fn is_followed(picture: &mut Picture) -> &mut bool;
}

impl Followed for Job {
    const RESOURCE: &'static str = "jobs.batch";

    fn replace(picture: &mut Picture, all: Vec<Self>) {
        picture.replace_jobs(all);
    }

    fn put(self, picture: &mut Picture) {
        picture.put_job(self);
    }

    fn remove(self, picture: &mut Picture) {
        picture.remove_job(self.metadata.name.as_deref().unwrap_or_default());
    }

    fn is_followed(picture: &mut Picture) -> &mut bool {
        &mut picture.jobs_followed
    }
}

impl Followed for Pod {
    const RESOURCE: &'static str = "pods";

    fn replace(picture: &mut Picture, all: Vec<Self>) {
        picture.replace_pods(all);
    }

    fn put(self, picture: &mut Picture) {
        picture.put_pod(self);
    }

    fn remove(self, picture: &mut Picture) {
        picture.remove_pod(self);
    }

    fn is_followed(picture: &mut Picture) -> &mut bool {
        &mut picture.pods_followed
    }
}

/// The picture, for a moment.
pub(super) fn locked(picture: &Mutex<Picture>) -> MutexGuard<'_, Picture> {
    picture.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the picture of one kind of object until it is stopped.
pub(super) async fn follow<K: Followed>(
    api: Api<K>,
    namespace: String,
    picture: Arc<Mutex<Picture>>,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let mut pause = PAUSE;
    let mut told = false;
    loop {
        let broken = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            broken = listen(&api, &namespace, &picture) => broken,
        };
        let was_followed = std::mem::replace(K::is_followed(&mut locked(&picture)), false);
        if was_followed {
            (pause, told) = (PAUSE, false);
        }
        // One that is refused for being too old breaks off, too, and is no trouble.
        if let Some(error) = broken
            && !told
        {
            tracing::warn!(resource = K::RESOURCE, %error, "cluster not followed, trying again");
            told = true;
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Lists and then watches, until that breaks off; the error is told where it is one for a person.
async fn listen<K: Followed>(
    api: &Api<K>,
    namespace: &str,
    picture: &Mutex<Picture>,
) -> Option<KubernetesError> {
    let list = Call::within(namespace, "list", K::RESOURCE);
    let selected = ListParams::default().labels(SELECTOR);
    let all = match list.make(api.list(&selected)).await {
        Ok(all) => all,
        Err(error) => return Some(error),
    };
    let mut version = all.metadata.resource_version.unwrap_or_default();
    {
        let mut picture = locked(picture);
        K::replace(&mut picture, all.items);
        *K::is_followed(&mut picture) = true;
    }
    let watch = Call::within(namespace, "watch", K::RESOURCE);
    loop {
        let parameters = WatchParams::default().labels(SELECTOR).timeout(WATCH);
        let events = match watch.make(api.watch(&parameters, &version)).await {
            Ok(events) => events,
            Err(error) => return Some(error),
        };
        let mut events = std::pin::pin!(events);
        loop {
            let event = match tokio::time::timeout(SILENCE, events.try_next()).await {
                Ok(Ok(Some(event))) => event,
                Ok(Ok(None)) => break,
                Ok(Err(error)) => return Some(watch.failed(error)),
                Err(_) => return Some(KubernetesError::Unreachable("a watch fell silent".to_owned())),
            };
            match take(picture, event) {
                Taken::Version(newer) => version = newer,
                Taken::Nothing => {}
                Taken::Outdated => return None,
            }
        }
        // Servers that end watches at once are not asked without a pause.
        tokio::time::sleep(PAUSE).await;
    }
}

/// What an event says about the watch itself.
enum Taken {
    /// It has come this far.
    Version(String),
    /// Nothing.
    Nothing,
    /// It cannot go on.
    Outdated,
}

fn take<K: Followed>(picture: &Mutex<Picture>, event: WatchEvent<K>) -> Taken {
    let version = |object: &K| object.meta().resource_version.clone().map_or(Taken::Nothing, Taken::Version);
    match event {
        WatchEvent::Added(object) | WatchEvent::Modified(object) => {
            let version = version(&object);
            object.put(&mut locked(picture));
            version
        }
        WatchEvent::Deleted(object) => {
            let version = version(&object);
            object.remove(&mut locked(picture));
            version
        }
        WatchEvent::Bookmark(bookmark) => Taken::Version(bookmark.metadata.resource_version),
        WatchEvent::Error(_) => Taken::Outdated,
    }
}
