//! The house as a cluster has it: artefacts in an S3-like store of a foreign make, jobs in PostgreSQL.

use std::process::Command;

use gifthorse_api::v1::models_client::ModelsClient;
use gifthorse_api::v1::pruning_job::State;
use gifthorse_api::v1::pruning_specification::FineTuning;
use gifthorse_api::v1::{self};
use gifthorse_tests::bucket::Bucket;
use gifthorse_tests::house::{connect, wait_until_serving};
use gifthorse_tests::postgres::Postgres;
use gifthorse_tests::program::{Program, path_of};

use super::support::{asked, create, ended, house_in, jobs, versions_of};
use crate::support::calls::{assert_close, classify, import_plain, picture, probabilities, promote};
use crate::support::network::{Ending, Linear};
use crate::support::pictures::{levels, png, prepared};

const IMPORTS: usize = 4;

#[tokio::test]
async fn a_whole_house_on_a_bucket_and_postgres() {
    let Some(bucket) = Bucket::start("a house on a bucket") else { return };
    let Some(postgres) = Postgres::start("a house on a bucket") else { return };
    let (url, environment) = (bucket.url("house"), bucket.environment());
    let database = postgres.database("jobs");
    let folder = tempfile::tempdir().unwrap();
    let copies = folder.path().join("copies").display().to_string();
    let mut settings = vec![("trainer", "database.url", database.as_str())];
    settings.extend(["serving", "detector", "trainer"].map(|service| (service, "store.url", url.as_str())));
    settings.extend(["serving", "detector"].map(|service| (service, "store.cache", copies.as_str())));
    let house = house_in(&settings, &environment).await;
    assert!(!house.folder.path().join("data").exists(), "nothing is left to a folder");

    // Two replicas import one name at once: so many versions, each of one file.
    let second: Vec<_> = [("store.url", url.as_str()), ("service.drain.notice", "0s")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    let other = Program::start_in("serving", "127.0.0.1:0", &second, &environment, folder.path());
    wait_until_serving(&other).await;
    let mut importing = tokio::task::JoinSet::new();
    for seed in 0..IMPORTS {
        let replica = if seed % 2 == 0 { &house.serving } else { &other };
        let mut models = ModelsClient::new(connect(replica).await);
        importing.spawn(async move {
            let network = Linear::new(seed + 1);
            (import_plain(&mut models, "faces", &network.onnx(Ending::Softmax)).await, seed + 1)
        });
    }
    let mut versions = importing.join_all().await;
    versions.sort();
    versions.dedup_by_key(|(version, _)| version.clone());
    assert_eq!(versions.len(), IMPORTS, "{versions:?}");
    let (mut models, mut guard) = (house.models().await, house.guard().await);
    for (version, seed) in &versions {
        promote(&mut models, version).await.unwrap();
        let answer = classify(&mut guard, picture(version, png(&levels(1)))).await.unwrap();
        let expected = Linear::new(*seed).answers(&prepared(&levels(1), 255.0));
        assert_close(&probabilities(&answer), &expected);
    }

    // A real job, whose worker reads and writes the bucket as well.
    let mut jobs = jobs(&house).await;
    let specification = v1::PruningSpecification {
        fine_tuning: FineTuning::NoFineTuning.into(),
        max_accuracy_drop: 0.5,
        ..asked()
    };
    let name = create(&mut jobs, specification, "").await.unwrap().name;
    let job = ended(&mut jobs, &name).await;
    assert_eq!(job.state(), State::Succeeded, "{job:?}");
    assert_eq!(versions_of(&mut models, &name).await.len(), 1);
    let copies = std::fs::read_dir(&copies).unwrap().count();
    assert!(copies > 0, "what was fetched is kept");
}

#[test]
fn a_wrong_secret_is_told_at_the_start() {
    let Some(bucket) = Bucket::start("a refused secret") else { return };
    let mut command = Command::new(path_of("gifthorse-detector"));
    command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command.args(["--set", &format!("store.url={}", bucket.url("house"))]);
    let secret = "somebody else's";
    command.envs(bucket.environment_with(secret));
    let ended = command.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && said.contains("failed to open"), "{said}");
    assert!(!said.contains(secret), "{said}");
}
