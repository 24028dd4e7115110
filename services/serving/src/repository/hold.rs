//! Versions kept loaded whatever the store says of them.

use std::sync::{Arc, Mutex, PoisonError};

use gifthorse_api::name::{Identifier, Version};

/// The versions that somebody is about to promote. Between loading one and the store's record of its
/// promotion another reconciliation may run, which would find nobody who wants it.
#[derive(Debug, Clone, Default)]
pub(super) struct Holds(Arc<Mutex<Vec<(Identifier, Version)>>>);

impl Holds {
    /// Keeps a version loaded until the answer is dropped.
    pub(super) fn hold(&self, model: &Identifier, version: Version) -> Hold {
        let held = (model.clone(), version);
        self.entries().push(held.clone());
        Hold { holds: self.clone(), held }
    }

    /// The versions of a model that are held.
    pub(super) fn of(&self, model: &Identifier) -> Vec<Version> {
        self.entries().iter().filter(|(name, _)| name == model).map(|(_, version)| *version).collect()
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, Vec<(Identifier, Version)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One version that is held.
#[derive(Debug)]
#[must_use = "a version is let go when its hold is dropped"]
pub(crate) struct Hold {
    holds: Holds,
    held: (Identifier, Version),
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut entries = self.holds.entries();
        if let Some(place) = entries.iter().position(|entry| *entry == self.held) {
            entries.swap_remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_held_until_the_last_who_holds_it_lets_go() {
        let holds = Holds::default();
        let model: Identifier = "faces".parse().unwrap();
        let other: Identifier = "digits".parse().unwrap();
        let first = holds.hold(&model, Version::FIRST);
        let second = holds.hold(&model, Version::FIRST);
        let _elsewhere = holds.hold(&other, Version::FIRST.next());
        assert_eq!(holds.of(&model), [Version::FIRST; 2]);
        drop(first);
        assert_eq!(holds.of(&model), [Version::FIRST]);
        drop(second);
        assert!(holds.of(&model).is_empty());
        assert_eq!(holds.of(&other), [Version::FIRST.next()]);
    }
}
