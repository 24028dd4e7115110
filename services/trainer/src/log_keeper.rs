//! Keeps what workers' processes write in the logs of their jobs.

use std::collections::BTreeMap;
use std::convert::Infallible;

use gifthorse_api::name::Identifier;
use tokio::sync::mpsc;

use crate::launcher::Said;
use crate::queue::Queue;

/// Lines that are written in one go.
const AT_ONCE: usize = 200;

/// Writes lines until nobody can say any more. A line that cannot be kept is logged here instead.
pub(crate) async fn keep(queue: Queue, mut lines: mpsc::Receiver<Said>) -> Result<(), Infallible> {
    let mut waiting = Vec::new();
    while lines.recv_many(&mut waiting, AT_ONCE).await > 0 {
        let mut by_job: BTreeMap<Identifier, Vec<String>> = BTreeMap::new();
        for Said { job, line } in waiting.drain(..) {
            by_job.entry(job).or_default().push(line);
        }
        for (job, lines) in by_job {
            if let Err(error) = queue.log(&job, &lines).await {
                tracing::warn!(%job, %error, lines = ?lines, "lines of a worker not kept");
            }
        }
    }
    Ok(())
}
