//! How jobs end.

use std::sync::atomic::{AtomicUsize, Ordering};

use gifthorse_api::v1::repair_gate::Result as Gate;

use super::*;

fn repaired() -> v1::PruningJob {
    v1::PruningJob {
        gate: Some(v1::RepairGate { result: Gate::Repaired.into(), reason: String::new() }),
        version: "models/lab3/versions/2".to_owned(),
        pruned_channels: 45,
        // What is not a worker's to say.
        name: "pruningJobs/another".to_owned(),
        state: State::Failed.into(),
        attempts: 99,
        ..Default::default()
    }
}

pub(super) async fn a_job_is_completed_once_and_published_once(place: Place) {
    let pair = Pair::on(&place).await;
    let mut new = new_job("", 0);
    new.specification.publish = true;
    let id = pair.one.create(new).await.unwrap().into_job().id;
    let leased = pair.acquired(&pair.one).await;
    let job = pair.one.complete(&leased.token, repaired()).await.unwrap();
    let told = job.message();
    assert_eq!((told.state(), told.pruned_channels, told.attempts), (State::Succeeded, 45, 1));
    assert_eq!(told.name, format!("pruningJobs/{id}"));

    // The answer was not heard: the same again is the same, anything else is refused.
    let again = pair.other.complete(&leased.token, repaired()).await.unwrap();
    assert_eq!(again.last_sequence, job.last_sequence, "nothing happened twice");
    let other = v1::PruningJob { pruned_channels: 46, ..repaired() };
    assert_lost(pair.one.complete(&leased.token, other).await);
    assert_lost(pair.one.renew(&leased.token).await);
    assert_lost(pair.one.take_report(&leased.token, Vec::new(), &["late".to_owned()]).await);

    // Two trainers promote at once; the first try fails.
    let promoted = AtomicUsize::new(0);
    let failing = async || {
        let tried = pair.one.publish_next(|_| async { Err(TrainerError::Internal("the store")) }).await;
        tried.unwrap().then_some(())
    };
    soon(failing).await;
    let promote = |job: Job| {
        assert_eq!(job.result.version, "models/lab3/versions/2");
        promoted.fetch_add(1, Ordering::Relaxed);
        async { Ok("promoted".to_owned()) }
    };
    assert!(!pair.other.publish_next(promote).await.unwrap(), "not tried again at once");
    pair.pass(Duration::from_mins(2));
    let (one, other) = tokio::join!(pair.one.publish_next(promote), pair.other.publish_next(promote));
    assert!(one.unwrap() ^ other.unwrap());
    assert!(!pair.one.publish_next(promote).await.unwrap());
    assert_eq!(promoted.load(Ordering::Relaxed), 1);
}

pub(super) async fn a_job_is_cancelled_in_every_state(place: Place) {
    let pair = Pair::on(&place).await;
    let id = pair.queued().await.id;
    assert_eq!(pair.one.cancel(&id).await.unwrap().state, State::Cancelled);
    assert_eq!(pair.other.cancel(&id).await.unwrap().state, State::Cancelled, "asked for again");
    assert!(pair.acquire(&pair.one).await.is_none());

    // Its worker is told, and says that it has stopped.
    let leased = pair.leased().await;
    assert_eq!(pair.other.cancel(&leased.job.id).await.unwrap().state, State::Cancelling);
    assert!(pair.one.renew(&leased.token).await.unwrap().cancel);
    pair.one.take_report(&leased.token, vec![progress("rank", 1)], &[]).await.unwrap();
    assert_lost(pair.one.complete(&leased.token, repaired()).await);
    let stopped = pair.one.fail(&leased.token, fault(Kind::Internal, ErrorCode::Cancelled)).await.unwrap();
    assert_eq!(stopped.state, State::Cancelled);

    // Its worker dies before it hears of it.
    let leased = pair.leased().await;
    pair.one.cancel(&leased.job.id).await.unwrap();
    pair.pass(Duration::from_secs(31));
    pair.one.keep_house().await.unwrap();
    assert_eq!(pair.state(&leased.job.id).await, State::Cancelled);

    let leased = pair.leased().await;
    pair.one.complete(&leased.token, repaired()).await.unwrap();
    let refused = pair.one.cancel(&leased.job.id).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::JobEnded);
    let missing = pair.one.cancel(&"job-0".parse().unwrap()).await.unwrap_err();
    assert_eq!(missing.code(), ErrorCode::ResourceNotFound);
}

pub(super) async fn faults_are_repeated_by_their_class(place: Place) {
    let pair = Pair::on(&place).await;
    for (kind, code) in [
        (Kind::Invalid, ErrorCode::DatasetInvalid),
        (Kind::Numerical, ErrorCode::NumericalFault),
        (Kind::Internal, ErrorCode::NotBuilt),
    ] {
        let leased = pair.leased().await;
        let job = pair.one.fail(&leased.token, fault(kind, code)).await.unwrap();
        assert_eq!((job.state, job.failures), (State::Failed, 1), "{code}");
        let again = pair.one.fail(&leased.token, fault(kind, code)).await.unwrap();
        assert_eq!(again.last_sequence, job.last_sequence, "a repeated report is no second fault");
    }
    let id = pair.queued().await.id;
    for (pause, state) in [(2, State::Queued), (4, State::Queued), (0, State::Failed)] {
        let leased = pair.acquired(&pair.one).await;
        let gone = fault(Kind::Internal, ErrorCode::StoreUnavailable);
        let job = pair.one.fail(&leased.token, gone).await.unwrap();
        assert_eq!(job.state, state);
        if state == State::Queued {
            pair.pass(Duration::from_secs(pause - 1));
            assert!(pair.acquire(&pair.one).await.is_none(), "{pause} s must pass");
            pair.pass(Duration::from_millis(1100));
        }
    }
    assert_eq!(pair.state(&id).await, State::Failed);
}

pub(super) async fn deadlines_and_ages_are_kept(place: Place) {
    let pair = Pair::on(&place).await;
    let within = |seconds: i64| NewJob { within: seconds * 1000, ..new_job("", 0) };
    let waiting = pair.one.create(within(10)).await.unwrap().into_job().id;
    let running = pair.one.create(within(20)).await.unwrap().into_job().id;
    let request =
        WorkerRequest { worker: "w".to_owned(), job: Some(running.clone()), environment: [].into() };
    let leased = soon(async || pair.one.acquire(&request).await.unwrap()).await;
    pair.pass(Duration::from_secs(11));
    assert!(pair.acquire(&pair.one).await.is_none(), "too late to begin");
    assert_eq!(pair.one.keep_house().await.unwrap().late.len(), 1);
    let job = pair.one.get(&waiting).await.unwrap();
    assert_eq!((job.state, job.fault.unwrap().kind), (State::Failed, Kind::Deadline));
    pair.one.renew(&leased.token).await.unwrap();
    pair.pass(Duration::from_secs(10));
    let housekept = pair.other.keep_house().await.unwrap();
    assert_eq!(housekept.late.iter().map(|job| &job.id).collect::<Vec<_>>(), [&running]);
    assert_lost(pair.one.complete(&leased.token, repaired()).await);

    // Kept for a second after their end, with everything that belongs to them.
    assert_eq!(housekept.removed.len(), 1);
    let missing = pair.one.get(&waiting).await.unwrap_err();
    assert_eq!(missing.code(), ErrorCode::ResourceNotFound);
    pair.pass(Duration::from_secs(2));
    assert_eq!(pair.one.keep_house().await.unwrap().removed.len(), 1);
    assert_eq!(pair.one.keep_house().await.unwrap(), Housekept::default());
}

pub(super) async fn a_job_is_handed_back_for_nothing(place: Place) {
    let pair = Pair::on(&place).await;
    let id = pair.queued().await.id;
    let due =
        soon(async || pair.one.claim_launch(Duration::from_mins(1), str::to_owned).await.unwrap()).await;
    pair.one.launched(&id, &due.name, "handle").await.unwrap();
    let request = WorkerRequest { worker: "w".to_owned(), job: Some(id.clone()), environment: [].into() };
    let leased = soon(async || pair.one.acquire(&request).await.unwrap()).await;
    assert!(!pair.one.hand_back(&id, "another").await.unwrap());
    assert!(pair.one.hand_back(&id, "handle").await.unwrap());
    assert_lost(pair.one.renew(&leased.token).await);
    let again = pair.acquired(&pair.other).await;
    assert_eq!((again.job.attempts, again.job.failures), (2, 0));
}
