//! What the first half made of the images, kept for the second.

use std::borrow::Cow;
use std::path::PathBuf;

use super::carried::Carried;
use super::error::SweepError;
use super::spill::{Place, Spill};

/// Where activations are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheOptions {
    /// Bytes that may lie in memory; what goes beyond lies on disk.
    pub memory_bytes: u64,
    /// The folder in which the file is made, once it is needed. It has no name and vanishes with the cache, or
    /// with the process.
    pub folder: PathBuf,
}

#[derive(Debug)]
enum Batch {
    Memory(Carried),
    Disk(Place),
}

/// Batches of crossing tensors, in the order they were made.
#[derive(Debug)]
pub struct ActivationCache {
    options: CacheOptions,
    batches: Vec<Batch>,
    rows: usize,
    memory: u64,
    spill: Option<Spill>,
}

impl ActivationCache {
    /// Nothing kept yet.
    pub const fn new(options: CacheOptions) -> Self {
        Self { options, batches: Vec::new(), rows: 0, memory: 0, spill: None }
    }

    /// Keeps one more batch.
    ///
    /// # Errors
    /// [`SweepError::DiskFull`] and [`SweepError::Spill`]; the batch is not kept then.
    pub fn push(&mut self, carried: Carried) -> Result<(), SweepError> {
        let (rows, bytes) = (carried.rows(), carried.bytes());
        let batch = if self.memory + bytes <= self.options.memory_bytes {
            self.memory += bytes;
            Batch::Memory(carried)
        } else {
            let spill = match &mut self.spill {
                Some(spill) => spill,
                none => none.insert(Spill::create(&self.options.folder)?),
            };
            Batch::Disk(spill.write(&carried)?)
        };
        self.batches.push(batch);
        self.rows += rows;
        Ok(())
    }

    /// Count of images.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes kept in memory.
    pub const fn memory_bytes(&self) -> u64 {
        self.memory
    }

    /// Bytes kept on disk.
    pub fn disk_bytes(&self) -> u64 {
        self.spill.as_ref().map_or(0, Spill::bytes)
    }

    /// The batches in order. One at a time is in memory of those that lie on disk.
    pub fn batches(&self) -> impl Iterator<Item = Result<Cow<'_, Carried>, SweepError>> {
        self.batches.iter().map(|batch| match (batch, &self.spill) {
            (Batch::Memory(carried), _) => Ok(Cow::Borrowed(carried)),
            (Batch::Disk(place), Some(spill)) => spill.read(place).map(Cow::Owned),
            // A batch is on disk only where there is a file.
            (Batch::Disk(_), None) => Ok(Cow::Owned(Carried::default())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_into_memory_lies_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let batch = |number: usize| Carried::new(2, vec![vec![number as f32; 8], vec![0.5; 2]]);
        let mut cache =
            ActivationCache::new(CacheOptions { memory_bytes: 100, folder: folder.path().into() });
        for number in 0..5 {
            cache.push(batch(number)).unwrap();
        }
        assert_eq!((cache.rows(), cache.memory_bytes(), cache.disk_bytes()), (10, 80, 120));
        for (number, found) in cache.batches().enumerate() {
            assert_eq!(*found.unwrap(), batch(number));
        }
    }

    #[test]
    fn no_file_is_made_before_it_is_needed() {
        let folder = PathBuf::from("/no/such/folder");
        let mut cache = ActivationCache::new(CacheOptions { memory_bytes: 8, folder });
        cache.push(Carried::new(1, vec![vec![1.0]])).unwrap();
        cache.push(Carried::new(1, vec![vec![1.0]])).unwrap();
        let refused = cache.push(Carried::new(1, vec![vec![1.0]])).unwrap_err();
        assert!(matches!(refused, SweepError::Spill { action: "make", .. }));
        assert_eq!(cache.rows(), 2);
    }
}
