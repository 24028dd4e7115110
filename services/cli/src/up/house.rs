//! The services that run, in the order they were started.

use std::io::Write;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{select_all, try_join_all};

use super::child::{Child, Listening, Setting};
use super::error::UpError;
use super::programs::Programs;
use super::service::Service;
use super::signals::StopSignals;

/// How long one service may take to stop before it is killed; a little more than it gives itself.
const STOP_LIMIT: Duration = Duration::from_secs(12);

/// The running services, those at the back first.
#[derive(Debug)]
pub(super) struct House {
    programs: Programs,
    show_logs: bool,
    children: Vec<Child>,
}

impl House {
    /// A house without services.
    pub(super) const fn new(programs: Programs, show_logs: bool) -> Self {
        Self { programs, show_logs, children: Vec::new() }
    }

    /// Starts services together, each with its settings, and waits until all of them say where they listen.
    pub(super) async fn start<const COUNT: usize>(
        &mut self,
        services: [(Service, Vec<Setting>); COUNT],
    ) -> Result<[Listening; COUNT], UpError> {
        for (service, settings) in services {
            self.children.push(Child::start(service, &self.programs, settings, self.show_logs)?);
        }
        let first = self.children.len() - COUNT;
        let started = self.children.iter_mut().skip(first).map(Child::listening);
        let listening = try_join_all(started).await?;
        #[expect(clippy::expect_used, reason = "COUNT children were started above")]
        Ok(listening.try_into().expect("one answer a child"))
    }

    /// Resolves when the first of the services ends.
    pub(super) async fn first_end(&mut self) -> UpError {
        if self.children.is_empty() {
            return std::future::pending().await;
        }
        let (error, _, _) = select_all(self.children.iter_mut().map(|child| child.ended().boxed())).await;
        error
    }

    /// The error that says what the services said while they were waited for.
    pub(super) fn not_ready(&self, limit: Duration) -> UpError {
        let named = |child: &Child| {
            let service = child.service();
            child.last_words().into_iter().rev().take(3).rev().map(move |line| format!("{service}: {line}"))
        };
        UpError::NotReady {
            seconds: limit.as_secs(),
            last_words: self.children.iter().flat_map(|child| named(child).collect::<Vec<_>>()).collect(),
        }
    }

    /// Stops all services, the gateway first, each within a limit; at another signal all end at once.
    pub(super) async fn stop(mut self, signals: &mut StopSignals) {
        let in_order = async {
            while let Some(mut child) = self.children.pop() {
                if child.terminate(STOP_LIMIT).await.is_none() {
                    notice(&format!(
                        "{} did not stop in {} s: killed",
                        child.service(),
                        STOP_LIMIT.as_secs()
                    ));
                    child.kill().await;
                }
            }
        };
        tokio::select! {
            () = in_order => return,
            () = signals.next() => notice("stopped at once"),
        }
        // The one that was being waited for is killed as it is dropped.
        for mut child in self.children {
            child.kill().await;
        }
    }
}

fn notice(text: &str) {
    // Standard error may be gone with the terminal.
    let _ = writeln!(std::io::stderr(), "gifthorse: {text}");
}
