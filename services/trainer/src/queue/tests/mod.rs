//! The queue on SQLite and on PostgreSQL: the same cases on both.

mod ends;
mod leader;
mod leases;
mod outages;
mod places;
mod telling;
mod waits;

use std::time::Duration;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_api::v1;
use gifthorse_api::v1::job_fault::Kind;

use super::create::Created;
use super::housekeeping::Housekept;
use super::launches::Launched;
use super::lease::Leased;
use super::log::LogTail;
use super::*;
use crate::error::TrainerError;
use places::{Place, on_postgres, on_sqlite};

/// What every case begins with: two trainers on one database, whose clocks are one.
struct Pair {
    one: Queue,
    other: Queue,
}

fn settings() -> JobsConfiguration {
    JobsConfiguration {
        lease: Duration::from_secs(30),
        queued: std::num::NonZeroUsize::new(50).unwrap(),
        events: std::num::NonZeroUsize::new(100).unwrap(),
        log_lines: std::num::NonZeroUsize::new(10).unwrap(),
        ..JobsConfiguration::default()
    }
}

fn new_job(request_id: &str, priority: i32) -> NewJob {
    NewJob {
        model: "lab3".parse().unwrap(),
        request_id: request_id.to_owned(),
        payload: "payload".to_owned(),
        specification: v1::PruningSpecification {
            model: "models/lab3/versions/1".to_owned(),
            clean_dataset: "datasets/clean".to_owned(),
            priority,
            ..Default::default()
        },
        within: 0,
        keep: 1000,
        max_retries: 2,
    }
}

/// What comes of an attempt as soon as it comes of anything. A refusal leaves a transaction that is rolled back behind
/// its back, and until then those who take rows in turn pass over its row.
async fn soon<T>(mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..500 {
        if let Some(found) = attempt().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing came of it in five seconds");
}

impl Pair {
    async fn on(place: &Place) -> Self {
        let one = Queue::new(place.open().await, settings());
        let mut other = Queue::new(place.open().await, settings());
        other.clock = one.clock.clone();
        Self { one, other }
    }

    /// A queued job.
    async fn queued(&self) -> Job {
        self.one.create(new_job("", 0)).await.unwrap().into_job()
    }

    /// A job that a worker has.
    async fn leased(&self) -> Leased {
        self.queued().await;
        self.acquired(&self.one).await
    }

    /// The job that there is, as soon as its row is free.
    async fn acquired(&self, queue: &Queue) -> Leased {
        soon(async || self.acquire(queue).await).await
    }

    async fn acquire(&self, queue: &Queue) -> Option<Leased> {
        let request = WorkerRequest { worker: "worker-1".to_owned(), job: None, environment: [].into() };
        queue.acquire(&request).await.unwrap()
    }

    async fn state(&self, id: &Identifier) -> State {
        self.other.get(id).await.unwrap().state
    }

    fn pass(&self, time: Duration) {
        self.one.clock.advance(time);
    }
}

fn progress(stage: &str, done: i64) -> v1::WatchPruningJobResponse {
    let progress = v1::Progress { stage: stage.to_owned(), done, total: 9, ..Default::default() };
    v1::WatchPruningJobResponse { progress: Some(progress), ..Default::default() }
}

fn fault(kind: Kind, code: ErrorCode) -> Fault {
    Fault::new(kind, code, "on purpose")
}

#[track_caller]
fn assert_lost<T: std::fmt::Debug>(outcome: Result<T, TrainerError>) {
    let refused = outcome.expect_err("the lease is lost");
    assert_eq!(refused.code(), ErrorCode::LeaseLost, "{refused}");
}

macro_rules! cases {
    ($($module:ident :: $case:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $case() {
                super::on_sqlite(super::$module::$case).await;
            })*
        }

        #[tokio::test]
        async fn all_cases_on_postgres() {
            on_postgres(&[$((stringify!($case), |place| Box::pin($module::$case(place)))),*]).await;
        }
    };
}

cases!(
    leases::a_request_makes_one_job,
    leases::jobs_are_leased_once_and_in_order,
    leases::an_expired_lease_is_lost_and_its_job_goes_on,
    leases::a_worker_that_is_lost_too_often_ends_its_job,
    leases::leases_are_prolonged_when_a_trainer_comes_back,
    leases::a_launch_is_claimed_once,
    ends::a_job_is_completed_once_and_published_once,
    ends::a_job_is_cancelled_in_every_state,
    ends::faults_are_repeated_by_their_class,
    ends::deadlines_and_ages_are_kept,
    ends::a_job_is_handed_back_for_nothing,
    leader::one_trainer_of_several_keeps_house,
    telling::events_are_followed_from_any_number,
    telling::logs_keep_their_end,
    telling::jobs_are_listed_in_pages,
    telling::tables_are_made_once,
    waits::a_job_stays_with_a_worker_that_waits,
    waits::a_launch_that_cannot_be_made_now_is_put_off,
    waits::a_worker_of_a_job_that_is_over_is_still_looked_for,
    waits::an_attempt_that_ends_before_its_lease_counts,
);
