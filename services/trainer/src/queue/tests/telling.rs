//! What jobs tell, and how they are found.

use futures::future::join_all;

use super::*;

async fn all(queue: &Queue, id: &Identifier, after: i64) -> Vec<v1::WatchPruningJobResponse> {
    let mut follower = queue.follow(id, after).await.unwrap();
    let mut events = Vec::new();
    while let Some(page) = follower.next().await.unwrap() {
        events.extend(page);
    }
    events
}

pub(super) async fn events_are_followed_from_any_number(place: Place) {
    let pair = Pair::on(&place).await;
    let leased = pair.leased().await;
    let id = leased.job.id.clone();
    let following = all(&pair.other, &id, 0);
    let working = async {
        for done in 1..=5 {
            let last = pair.one.take_report(&leased.token, vec![progress("rank", done)], &[]).await.unwrap();
            assert_eq!(last, 2 + done);
        }
        pair.one.complete(&leased.token, v1::PruningJob::default()).await.unwrap();
    };
    let (events, ()) = tokio::join!(following, working);
    let numbers: Vec<i64> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(numbers, (1..=8).collect::<Vec<_>>(), "none is missed, none comes twice");
    assert_eq!(events[0].state(), State::Queued);
    assert_eq!(events[3].progress.as_ref().unwrap().done, 2);
    assert_eq!(events[7].state(), State::Succeeded);
    assert!(events.iter().all(|event| event.time.is_some()));
    assert_eq!(all(&pair.one, &id, 6).await, events[6..]);
    assert!(all(&pair.one, &id, 8).await.is_empty(), "an ended job ends the stream");
    assert!(all(&pair.one, &id, 800).await.is_empty());
    let job = pair.one.get(&id).await.unwrap();
    assert_eq!((job.stage.as_str(), job.done, job.total), ("rank", 5, 9));

    // Of many events the last ones are kept.
    let leased = pair.leased().await;
    for _ in 0..10 {
        let many = (0..30).map(|done| progress("prune", done)).collect();
        pair.one.take_report(&leased.token, many, &[]).await.unwrap();
    }
    pair.one.complete(&leased.token, v1::PruningJob::default()).await.unwrap();
    let kept = all(&pair.one, &leased.job.id, 0).await;
    assert!((100..=164).contains(&kept.len()), "{} are kept", kept.len());
    assert_eq!(kept.last().unwrap().sequence, 303);
}

pub(super) async fn logs_keep_their_end(place: Place) {
    let pair = Pair::on(&place).await;
    let leased = pair.leased().await;
    let id = &leased.job.id;
    let lines = |from: usize, to: usize| (from..to).map(|line| format!("line {line}")).collect::<Vec<_>>();
    pair.one.take_report(&leased.token, Vec::new(), &lines(0, 4)).await.unwrap();
    let tail = pair.other.log_tail(id, 100).await.unwrap();
    assert_eq!(tail, LogTail { lines: lines(0, 4), truncated: false });
    assert_eq!(pair.other.log_tail(id, 1).await.unwrap(), LogTail { lines: lines(3, 4), truncated: true });
    pair.one.log(id, &lines(4, 8)).await.unwrap();
    pair.one.log(id, &lines(8, 40)).await.unwrap();
    let tail = pair.other.log_tail(id, 100).await.unwrap();
    assert_eq!(tail, LogTail { lines: lines(30, 40), truncated: true });
    pair.one.log(id, &["with\0zero and \x1b[31mcolour".to_owned()]).await.unwrap();
    let tail = pair.other.log_tail(id, 1).await.unwrap();
    assert_eq!(tail.lines, ["withzero and [31mcolour"]);
}

pub(super) async fn jobs_are_listed_in_pages(place: Place) {
    let pair = Pair::on(&place).await;
    let mut newest_first = Vec::new();
    for index in 0..7 {
        let model = if index % 2 == 0 { "lab3" } else { "other" }.parse().unwrap();
        let job = pair.one.create(NewJob { model, ..new_job("", 0) }).await.unwrap().into_job();
        newest_first.insert(0, job.id.to_string());
        pair.pass(Duration::from_millis(5));
    }
    pair.one.cancel(&newest_first[0].parse().unwrap()).await.unwrap();
    let list = async |model: Option<&str>, states: Vec<State>, size: i32| {
        let (mut pages, mut token) = (Vec::new(), String::new());
        loop {
            let model = model.map(|model| model.parse().unwrap());
            let listing = Listing::new(model, states.clone(), size, &token).unwrap();
            let (jobs, next) = pair.other.list(&listing).await.unwrap();
            pages.push(jobs.iter().map(|job| job.id.to_string()).collect::<Vec<_>>());
            token = next;
            if token.is_empty() {
                return pages;
            }
        }
    };
    let pages = list(None, Vec::new(), 3).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
    assert_eq!(pages.concat(), newest_first);
    assert_eq!(list(Some("other"), Vec::new(), 0).await.concat().len(), 3);
    assert_eq!(list(None, vec![State::Cancelled], 0).await.concat(), newest_first[..1]);
    assert_eq!(list(None, vec![State::Queued, State::Cancelled], 2).await.concat(), newest_first);
    assert_eq!(pair.one.ahead(0).await.unwrap(), 6);

    let listing = Listing::new(None, Vec::new(), 2, "").unwrap();
    let (_, token) = pair.one.list(&listing).await.unwrap();
    let other = Listing::new(Some("lab3".parse().unwrap()), Vec::new(), 2, &token).unwrap_err();
    assert_eq!(other.code(), ErrorCode::InvalidPageToken);
    for token in ["x", "00.00", &token[1..]] {
        assert!(Listing::new(None, Vec::new(), 2, token).is_err(), "{token:?} must be refused");
    }
    assert!(Listing::new(None, Vec::new(), -1, "").is_err());
}

pub(super) async fn tables_are_made_once(place: Place) {
    let opened = join_all((0..4).map(|_| place.open())).await;
    let queue = Queue::new(opened.into_iter().next().unwrap(), settings());
    let job = queue.create(new_job("", 0)).await.unwrap().into_job();
    let again = Queue::new(place.open().await, settings());
    assert_eq!(again.get(&job.id).await.unwrap(), job, "what is stored reads back");
}
