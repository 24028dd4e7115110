//! The quarantined readers of the real programs, fed without their services in between.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use futures::StreamExt as _;
use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_quarantine::{PrivateFolder, Quarantine, QuarantineError, QuarantineLimits};
use gifthorse_tests::program::path_of;
use serde_json::Value;

use crate::damage::Damage;

/// Readers at once.
const RUNNING: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// Processor time of a reader, far more than any of the small files here takes: who reaches it goes round for
/// ever. Of wall time there is more, for the machine may be busy.
const PROCESSOR_TIME: Duration = Duration::from_secs(4);
const WALL_TIME: Duration = Duration::from_mins(1);

/// The reader of one program, for one task.
pub(crate) struct Readers {
    quarantine: Quarantine,
    task: &'static str,
    request: Value,
}

impl Readers {
    /// The reader of `program` doing `task` with this request.
    pub(crate) fn of(program: &str, task: &'static str, request: Value) -> Self {
        let limits = QuarantineLimits {
            cpu_time: PROCESSOR_TIME,
            wall_time: WALL_TIME,
            ..QuarantineLimits::default()
        };
        let quarantine = Quarantine::new(limits)
            .with_executable(path_of(program))
            .with_concurrency(RUNNING, RUNNING.get());
        Self { quarantine, task, request }
    }

    /// Reads one file.
    pub(crate) async fn read(&self, file: &[u8]) -> Result<Value, QuarantineError> {
        let folder = PrivateFolder::create()?;
        std::fs::write(folder.path().join("source"), file).map_err(QuarantineError::Folder)?;
        self.quarantine.run_in(folder.path(), self.task, &self.request).await
    }

    /// Reads every damaged file and asserts that each is read, or refused with one of the `expected` codes,
    /// and that at most `endless` had to be ended because time ran out.
    pub(crate) async fn assert_handled(
        &self,
        files: Vec<(Vec<Damage>, Vec<u8>)>,
        expected: &[ErrorCode],
        endless: usize,
    ) {
        let count = files.len();
        let reading = futures::stream::iter(files)
            .map(|(damages, file)| async move { (damages, self.read(&file).await) });
        let outcomes: Vec<_> = reading.buffer_unordered(RUNNING.get()).collect().await;
        let mut tally = BTreeMap::<&str, usize>::new();
        let (mut faults, mut ended) = (Vec::new(), 0);
        for (damages, outcome) in outcomes {
            match outcome {
                Ok(_) => *tally.entry("read").or_default() += 1,
                Err(error) => {
                    *tally.entry(error.code().as_str()).or_default() += 1;
                    let is_late =
                        matches!(error, QuarantineError::WallTime { .. } | QuarantineError::CpuTime { .. });
                    ended += usize::from(is_late);
                    if (is_late && ended > endless) || !expected.contains(&error.code()) {
                        faults.push(format!("{} by {damages:?}: {error}", error.code()));
                    }
                }
            }
        }
        println!("{count} damaged files: {tally:?}");
        assert!(
            faults.is_empty(),
            "{} of {count}, {tally:?}:\n{}",
            faults.len(),
            faults[..faults.len().min(8)].join("\n")
        );
        assert_eq!(tally.values().sum::<usize>(), count);
        // Damage that no file survives, or every file does, would show nothing.
        assert!(tally.len() >= 2 && tally.contains_key("read"), "{tally:?}");
    }
}
