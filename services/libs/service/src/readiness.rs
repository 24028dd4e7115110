//! Readiness by latches.
//!
//! Each part a service waits for (its store, its models, the services it calls) holds a named [`Latch`]; the
//! service is ready when all are set and it is not draining. An rpc service may depend on fewer latches than
//! all, so that a missing model does not take model management out of service. Liveness knows nothing of this.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

/// Which latches are set, and whether the service is draining. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Readiness {
    state: Arc<watch::Sender<State>>,
}

/// The state of all latches at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    draining: bool,
    /// Why each latch is not set; `None` when it is.
    latches: BTreeMap<&'static str, Option<String>>,
}

impl State {
    /// Whether all of these latches are set and the service is not draining. A latch that nobody took yet
    /// is not set.
    pub fn is_ready(&self, latches: &[&'static str]) -> bool {
        !self.draining && latches.iter().all(|name| matches!(self.latches.get(name), Some(None)))
    }

    /// Whether every latch is set and the service is not draining.
    pub fn is_all_ready(&self) -> bool {
        !self.draining && self.latches.values().all(Option::is_none)
    }

    /// What keeps the service from being ready, one `name: reason` each; empty when it is ready.
    pub fn reasons(&self) -> Vec<String> {
        let draining = self.draining.then(|| "draining: the service is stopping".to_owned());
        let latches =
            self.latches.iter().filter_map(|(name, reason)| Some(format!("{name}: {}", reason.as_ref()?)));
        draining.into_iter().chain(latches).collect()
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Readiness {
    /// A service without latches: ready at once.
    pub fn new() -> Self {
        Self { state: Arc::new(watch::Sender::new(State::default())) }
    }

    /// A latch of this name, not set. Taking the same name twice gives the same latch without changing it.
    pub fn latch(&self, name: &'static str) -> Latch {
        self.state.send_if_modified(|state| {
            let new = !state.latches.contains_key(name);
            state.latches.entry(name).or_insert_with(|| Some("not started yet".to_owned()));
            new
        });
        Latch { name, state: Arc::clone(&self.state) }
    }

    /// Withdraws readiness for good: the service is stopping.
    pub fn drain(&self) {
        self.state.send_if_modified(|state| !std::mem::replace(&mut state.draining, true));
    }

    /// The state now.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// A receiver that sees every later change.
    pub fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }
}

/// One thing the service waits for.
#[derive(Debug, Clone)]
pub struct Latch {
    name: &'static str,
    state: Arc<watch::Sender<State>>,
}

impl Latch {
    /// The part is there.
    pub fn set(&self) {
        self.put(None);
    }

    /// The part is not there (any more); `reason` is shown at `/ready`.
    pub fn clear(&self, reason: impl Into<String>) {
        self.put(Some(reason.into()));
    }

    fn put(&self, reason: Option<String>) {
        self.state.send_if_modified(|state| {
            let changed = state.latches.get(self.name) != Some(&reason);
            state.latches.insert(self.name, reason);
            changed
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_every_latch_is_set() {
        let readiness = Readiness::new();
        assert!(readiness.state().is_all_ready());

        let store = readiness.latch("store");
        let models = readiness.latch("models");
        assert_eq!(readiness.state().reasons(), ["models: not started yet", "store: not started yet"]);

        store.set();
        assert!(readiness.state().is_ready(&["store"]));
        assert!(!readiness.state().is_ready(&["store", "models"]));
        assert!(!readiness.state().is_all_ready());

        models.set();
        assert!(readiness.state().is_all_ready());

        models.clear("models/lab3 failed to load");
        assert_eq!(readiness.state().reasons(), ["models: models/lab3 failed to load"]);
        assert!(!readiness.state().is_ready(&["not taken"]));
    }

    #[test]
    fn draining_is_final() {
        let readiness = Readiness::new();
        let latch = readiness.latch("store");
        latch.set();
        readiness.drain();
        latch.set();
        assert!(!readiness.state().is_all_ready());
        assert!(!readiness.state().is_ready(&["store"]));
    }

    #[test]
    fn only_changes_wake_watchers() {
        let readiness = Readiness::new();
        let latch = readiness.latch("store");
        let mut watcher = readiness.watch();
        latch.set();
        assert!(watcher.has_changed().unwrap());
        watcher.mark_unchanged();
        latch.set();
        assert_eq!(readiness.latch("store").name, "store");
        assert!(!watcher.has_changed().unwrap());
    }
}
