//! Jobs come into hands, and out of them.

use std::collections::BTreeSet;

use futures::future::join_all;

use super::*;

pub(super) async fn a_request_makes_one_job(place: Place) {
    let pair = Pair::on(&place).await;
    let queues = [&pair.one, &pair.other];
    let made = join_all((0..8).map(|index| queues[index % 2].create(new_job("r-1", 0)))).await;
    let made: Vec<Created> = made.into_iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(made.iter().filter(|created| matches!(created, Created::New(_))).count(), 1);
    let ids: BTreeSet<String> = made.into_iter().map(|created| created.into_job().id.to_string()).collect();
    assert_eq!(ids.len(), 1);
    let earlier = pair.other.earlier("r-1", "payload").await.unwrap().unwrap();
    assert!(ids.contains(earlier.id.as_str()));

    let refused = pair.one.earlier("r-1", "another payload").await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::RequestIdReused);
    let other = NewJob { payload: "another payload".to_owned(), ..new_job("r-1", 0) };
    assert_eq!(pair.one.create(other).await.unwrap_err().code(), ErrorCode::RequestIdReused);
    assert_eq!(pair.one.earlier("r-2", "payload").await.unwrap(), None);

    for _ in 1..50 {
        pair.queued().await;
    }
    let refused = pair.other.create(new_job("r-2", 0)).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::QueueFull);
    assert_eq!(pair.one.earlier("r-2", "payload").await.unwrap(), None, "nothing was stored");
}

pub(super) async fn jobs_are_leased_once_and_in_order(place: Place) {
    let pair = Pair::on(&place).await;
    let mut expected = Vec::new();
    for index in 0..20 {
        let job = pair.one.create(new_job("", index % 3)).await.unwrap().into_job();
        expected.push((-(index % 3), job.created, job.id.to_string()));
    }
    expected.sort();
    let first = pair.acquired(&pair.other).await;
    assert_eq!(first.job.id.to_string(), expected[0].2, "the highest priority, then the oldest");
    assert_eq!((first.job.state, first.job.attempts), (State::Running, 1));

    // Six workers at two trainers take the rest at once.
    let take = async |queue: &Queue| {
        let mut taken = Vec::new();
        while let Some(leased) = pair.acquire(queue).await {
            taken.push((leased.job.id.to_string(), leased.token.reveal().to_owned()));
        }
        taken
    };
    let queues = [&pair.one, &pair.other];
    let taken = join_all((0..6).map(|index| take(queues[index % 2]))).await.concat();
    let jobs: BTreeSet<&String> = taken.iter().map(|(job, _)| job).collect();
    let tokens: BTreeSet<&String> = taken.iter().map(|(_, token)| token).collect();
    assert_eq!((taken.len(), jobs.len(), tokens.len()), (19, 19, 19), "every job once");

    // Asked for by name it is refused to a second worker.
    let request =
        WorkerRequest { worker: "late".to_owned(), job: Some(first.job.id.clone()), environment: [].into() };
    assert_lost(pair.one.acquire(&request).await);
    assert_lost(pair.one.renew(&LeaseToken::random().unwrap()).await);
    assert_lost(LeaseToken::given("' OR 1 = 1"));
}

pub(super) async fn an_expired_lease_is_lost_and_its_job_goes_on(place: Place) {
    let pair = Pair::on(&place).await;
    let first = pair.leased().await;
    let id = first.job.id.clone();
    let checkpoint = v1::Checkpoint { stage: "prune".to_owned(), done: 4, files: Vec::new() };
    pair.pass(Duration::from_secs(20));
    pair.other.renew(&first.token).await.unwrap();
    pair.one.record_checkpoint(&first.token, checkpoint.clone()).await.unwrap();
    pair.pass(Duration::from_secs(20));
    pair.one.take_report(&first.token, vec![progress("prune", 5)], &[]).await.unwrap();
    pair.pass(Duration::from_secs(11));

    // Late reports are refused before anybody has noticed, and after.
    for noticed in [false, true] {
        if noticed {
            let housekept = pair.other.keep_house().await.unwrap();
            assert_eq!(housekept.lost.len(), 1);
        }
        assert_lost(pair.one.renew(&first.token).await);
        assert_lost(pair.one.take_report(&first.token, vec![progress("prune", 6)], &[]).await);
        assert_lost(pair.one.record_checkpoint(&first.token, checkpoint.clone()).await);
        assert_lost(pair.one.complete(&first.token, v1::PruningJob::default()).await);
        assert_lost(pair.one.fail(&first.token, fault(Kind::Internal, ErrorCode::Internal)).await);
    }
    let job = pair.one.get(&id).await.unwrap();
    assert_eq!((job.state, job.failures), (State::Queued, 1));
    assert_eq!(job.fault.as_ref().unwrap().kind, Kind::WorkerLost);
    assert!(pair.acquire(&pair.one).await.is_none(), "it waits a moment before it is tried again");
    pair.pass(Duration::from_secs(2));
    let second = pair.acquired(&pair.one).await;
    assert_eq!((second.job.id.clone(), second.job.attempts), (id, 2));
    assert_eq!(second.job.checkpoint, Some(checkpoint));
    assert_ne!(second.token, first.token);
    assert_lost(pair.one.renew(&first.token).await);
    pair.one.renew(&second.token).await.unwrap();
}

pub(super) async fn a_worker_that_is_lost_too_often_ends_its_job(place: Place) {
    let pair = Pair::on(&place).await;
    let id = pair.queued().await.id;
    for attempt in 1..=3 {
        pair.pass(Duration::from_secs(200));
        assert!(pair.acquire(&pair.one).await.is_some(), "attempt {attempt}");
        pair.pass(Duration::from_secs(31));
        pair.one.keep_house().await.unwrap();
    }
    let job = pair.one.get(&id).await.unwrap();
    assert_eq!((job.state, job.attempts, job.failures), (State::Failed, 3, 3));
    assert_eq!(job.fault.unwrap().reason, "WORKER_LOST");
}

pub(super) async fn leases_are_prolonged_when_a_trainer_comes_back(place: Place) {
    let pair = Pair::on(&place).await;
    let leased = pair.leased().await;
    pair.pass(Duration::from_mins(5));
    assert_eq!(pair.other.prolong_leases().await.unwrap(), 1);
    assert!(pair.other.keep_house().await.unwrap().lost.is_empty());
    pair.one.renew(&leased.token).await.unwrap();
}

pub(super) async fn a_launch_is_claimed_once(place: Place) {
    let pair = Pair::on(&place).await;
    let id = pair.queued().await.id;
    let within = Duration::from_mins(1);
    let claim = |name: &str| format!("claim of {name}");
    let claims = join_all([&pair.one, &pair.other].map(|queue| queue.claim_launch(within, claim))).await;
    let mut claims: Vec<Due> = claims.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(claims.len(), 1);
    let due = claims.remove(0);
    assert_eq!(due.name, format!("{id}-1"));
    assert!(pair.acquire(&pair.other).await.is_none(), "a worker is being started for it");
    pair.one.launched(&id, &due.name, "handle").await.unwrap();
    assert_eq!(
        pair.other.launches(Ended::Left).await.unwrap(),
        [Launched { job: id.clone(), handle: "handle".to_owned() }]
    );

    // Its worker never comes: another one is started, and the first is unwanted.
    assert_eq!(pair.one.standing(&id, "handle").await.unwrap(), Standing::Awaited);
    pair.pass(Duration::from_secs(61));
    assert!(pair.other.is_any_due().await.unwrap());
    let again = soon(async || pair.other.claim_launch(within, claim).await.unwrap()).await;
    assert_eq!(again.name, due.name, "no attempt was begun");
    assert_eq!(pair.one.standing(&id, "handle").await.unwrap(), Standing::Unwanted);
    pair.other.launched(&id, &again.name, "another").await.unwrap();
    let lost = fault(Kind::WorkerLost, ErrorCode::WorkerLost);
    assert_eq!(pair.one.attempt_ended(&id, "handle", lost.clone()).await.unwrap(), None);

    // The other one takes the lease by name and dies.
    let request = WorkerRequest { worker: "w".to_owned(), job: Some(id.clone()), environment: [].into() };
    let leased = soon(async || pair.one.acquire(&request).await.unwrap()).await;
    let ended = pair.other.attempt_ended(&id, "another", lost).await.unwrap().unwrap();
    assert_eq!((ended.state, ended.failures), (State::Queued, 1));
    assert_lost(pair.one.renew(&leased.token).await);

    pair.pass(Duration::from_secs(10));
    soon(async || pair.one.claim_launch(within, claim).await.unwrap()).await;
    pair.one.not_launched(&id, fault(Kind::Launch, ErrorCode::WorkerNotStarted)).await.unwrap();
    let job = pair.one.get(&id).await.unwrap();
    assert_eq!((job.state, job.attempts, job.failures), (State::Queued, 2, 2));
}
