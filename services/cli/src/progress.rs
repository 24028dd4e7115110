//! Progress of what takes longer than a second, on standard error, only where that is a terminal.

use std::future::Future;
use std::time::Duration;

use gifthorse_api::v1;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What ends sooner is not worth a bar.
const PATIENCE: Duration = Duration::from_secs(1);
const REDRAW: Duration = Duration::from_millis(100);

const BYTES: &str = "{msg} [{wide_bar}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
const BYTES_OF_UNKNOWN: &str = "{spinner} {msg} {bytes} {bytes_per_sec}";
const ITEMS: &str = "{msg} [{wide_bar}] {pos}/{len} {per_sec} {eta}";
const UNITS: &str = "{msg} [{wide_bar}] {pos}/{len} {eta}";
const STAGE: &str = "{spinner} {msg} {elapsed}";

/// One bar; hidden until its work has taken a second.
#[derive(Debug, Clone)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Bytes sent or received, of `total` where that is known.
    pub fn bytes(what: impl Into<String>, total: Option<u64>) -> Self {
        Self::new(if total.is_some() { BYTES } else { BYTES_OF_UNKNOWN }, what.into(), total)
    }

    /// Items done, of `total`.
    pub fn items(what: impl Into<String>, total: u64) -> Self {
        Self::new(ITEMS, what.into(), Some(total))
    }

    fn new(template: &str, what: String, total: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        bar.set_style(style(template));
        bar.set_message(what);
        Self { bar }
    }

    /// Counts units of work done.
    pub fn advance(&self, units: u64) {
        self.bar.inc(units);
    }

    /// Sets the total once it is known.
    pub fn expect_bytes(&self, total: u64) {
        self.bar.set_length(total);
        self.bar.set_style(style(BYTES));
    }

    /// Units counted so far.
    pub fn done(&self) -> u64 {
        self.bar.position()
    }

    /// From here on the length of the work is unknown: shows what it is.
    pub fn stage(&self, what: impl Into<String>) {
        self.bar.set_style(style(STAGE));
        self.bar.set_message(what.into());
    }

    /// Shows what a service says of its own progress.
    pub fn report(&self, progress: &v1::Progress) {
        let done = u64::try_from(progress.done).unwrap_or(0);
        let total = u64::try_from(progress.total).unwrap_or(0);
        let what = if progress.unit.is_empty() {
            progress.stage.clone()
        } else {
            format!("{}, {}", progress.stage, progress.unit)
        };
        if total == 0 {
            self.stage(what);
        } else {
            self.bar.set_style(style(UNITS));
            self.bar.set_message(what);
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
    }

    /// Says something above the bar, where there is one.
    pub fn say(&self, message: &str) {
        self.bar.println(message);
    }

    /// Does the work, showing the bar while it lasts once it has lasted a second.
    pub async fn during<F: Future>(&self, work: F) -> F::Output {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            output = &mut work => return output,
            () = tokio::time::sleep(PATIENCE) => {}
        }
        self.bar.set_draw_target(ProgressDrawTarget::stderr());
        self.bar.enable_steady_tick(REDRAW);
        let output = work.await;
        self.bar.finish_and_clear();
        output
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_well_formed() {
        for template in [BYTES, BYTES_OF_UNKNOWN, ITEMS, UNITS, STAGE] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[tokio::test]
    async fn work_is_done_once_and_counted() {
        let progress = Progress::bytes("sending", None);
        let answer = progress
            .during(async {
                progress.advance(3);
                progress.advance(4);
                "done"
            })
            .await;
        assert_eq!((answer, progress.done()), ("done", 7));
    }

    #[test]
    fn a_service_says_how_far_it_is() {
        let progress = Progress::items("calibrating", 0);
        progress.report(&v1::Progress { stage: "scores".into(), done: 3, total: 9, ..Default::default() });
        assert_eq!(progress.done(), 3);
        progress.report(&v1::Progress { stage: "storing".into(), ..Default::default() });
        assert_eq!(progress.done(), 0);
    }
}
