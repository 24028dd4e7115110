//! Workers that wait for a node: their job stays with them, and what they wait for is shown.

use super::*;

fn insufficient() -> Fault {
    Fault::waits(Kind::Unschedulable, "0/1 nodes are available")
}

/// Claims the job there is and notes that its worker was launched.
async fn launched(pair: &Pair, within: Duration) -> Due {
    let due = soon(async || pair.one.claim_launch(within, str::to_owned).await.unwrap()).await;
    pair.one.launched(&due.job.id, &due.name, "handle").await.unwrap();
    due
}

pub(super) async fn a_job_stays_with_a_worker_that_waits(place: Place) {
    let pair = Pair::on(&place).await;
    let (id, within) = (pair.queued().await.id, Duration::from_mins(1));
    launched(&pair, within).await;
    for _ in 0..3 {
        pair.pass(Duration::from_secs(50));
        pair.one.awaited(&id, "handle", within, Some(insufficient())).await.unwrap();
        assert!(!pair.other.is_any_due().await.unwrap(), "it is looked after");
    }
    let job = pair.other.get(&id).await.unwrap();
    assert_eq!((job.state, job.attempts, job.failures), (State::Queued, 0, 0));
    assert_eq!(job.fault, Some(insufficient()));
    assert_eq!(job.last_sequence, 2, "the reason is told once");
    pair.one.awaited(&id, "another", within, None).await.unwrap();
    assert_eq!(pair.other.get(&id).await.unwrap(), job, "another attempt has no say");

    // As soon as it runs there is nothing to wait for.
    pair.one.awaited(&id, "handle", within, None).await.unwrap();
    assert_eq!(pair.other.get(&id).await.unwrap().fault, None);
    pair.one.awaited(&id, "handle", within, Some(insufficient())).await.unwrap();
    let request = WorkerRequest { worker: "w".to_owned(), job: Some(id.clone()), environment: [].into() };
    let leased = soon(async || pair.one.acquire(&request).await.unwrap()).await;
    assert_eq!((leased.job.state, leased.job.fault), (State::Running, None));
    assert_eq!(pair.one.standing(&id, "handle").await.unwrap(), Standing::Leased);
}

pub(super) async fn a_launch_that_cannot_be_made_now_is_put_off(place: Place) {
    let pair = Pair::on(&place).await;
    let id = pair.queued().await.id;
    let silent = || Fault::waits(Kind::Launch, "the API server does not answer");
    for _ in 0..2 {
        let due =
            soon(async || pair.one.claim_launch(Duration::from_mins(1), str::to_owned).await.unwrap()).await;
        assert_eq!(due.name, format!("{id}-1"));
        pair.one.postponed(&id, silent()).await.unwrap();
        assert!(!pair.other.is_any_due().await.unwrap(), "a pause first");
        pair.pass(Duration::from_secs(3));
        assert!(pair.other.is_any_due().await.unwrap());
    }
    let job = pair.other.get(&id).await.unwrap();
    assert_eq!((job.attempts, job.failures, job.fault), (0, 0, Some(silent())));
    assert_eq!(job.last_sequence, 2, "told once");
    pair.one.cancel(&id).await.unwrap();
    pair.one.postponed(&id, silent()).await.unwrap();
    assert_eq!(pair.state(&id).await, State::Cancelled, "what is over stays so");
}

pub(super) async fn a_worker_of_a_job_that_is_over_is_still_looked_for(place: Place) {
    let pair = Pair::on(&place).await;
    let id = pair.queued().await.id;
    launched(&pair, Duration::from_mins(1)).await;
    pair.one.cancel(&id).await.unwrap();
    assert!(pair.other.launches(Ended::Left).await.unwrap().is_empty());
    let left = [Launched { job: id.clone(), handle: "handle".to_owned() }];
    assert_eq!(pair.other.launches(Ended::Included).await.unwrap(), left);
    assert_eq!(pair.other.standing(&id, "handle").await.unwrap(), Standing::Unwanted);
    pair.other.forget_launch(&id, "another").await.unwrap();
    assert_eq!(pair.other.launches(Ended::Included).await.unwrap(), left);
    let lost = fault(Kind::WorkerLost, ErrorCode::WorkerLost);
    assert_eq!(pair.one.attempt_ended(&id, "handle", lost).await.unwrap(), None);
    assert!(pair.other.launches(Ended::Included).await.unwrap().is_empty(), "it is gone");
    assert_eq!(pair.state(&id).await, State::Cancelled);
}

pub(super) async fn an_attempt_that_ends_before_its_lease_counts(place: Place) {
    let pair = Pair::on(&place).await;
    let id = pair.queued().await.id;
    let due = launched(&pair, Duration::from_mins(1)).await;
    let lost = fault(Kind::Launch, ErrorCode::WorkerNotStarted);
    let job = pair.one.attempt_ended(&id, "handle", lost.clone()).await.unwrap().unwrap();
    assert_eq!((job.state, job.attempts, job.failures), (State::Queued, 1, 1));
    assert_eq!(pair.other.attempt_ended(&id, "handle", lost).await.unwrap(), None, "it ends once");
    pair.pass(Duration::from_secs(3));
    let next =
        soon(async || pair.one.claim_launch(Duration::from_mins(1), str::to_owned).await.unwrap()).await;
    assert_ne!(next.name, due.name, "the next one has a name of its own");
}
