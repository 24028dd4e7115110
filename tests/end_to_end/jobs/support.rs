//! A house with a model that can be pruned, and the calls that these tests make.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use gifthorse_api::v1;
use gifthorse_api::v1::models_client::ModelsClient;
use gifthorse_api::v1::pruning_job::State;
use gifthorse_api::v1::pruning_jobs_client::PruningJobsClient;
use gifthorse_network::onnx::{Extent, GraphBuilder, attribute};
use gifthorse_tests::house::House;
use gifthorse_tests::program::path_of;
use ndarray::{Array1, Array4, ArrayD, IxDyn};
use prost::Message;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::support::calls::{import, promote, specification};
use crate::support::network::{CHANNELS, CLASSES, HEIGHT, WIDTH};
use crate::support::pictures::levels;

/// How long a job of the tests may take: much is being done on the machine beside it.
const PATIENCE: Duration = Duration::from_mins(2);

/// Short terms, so that what is lost is soon found.
pub(super) const QUICK: [(&str, &str, &str); 5] = [
    ("trainer", "jobs.lease", "3s"),
    ("trainer", "jobs.housekeeping", "50ms"),
    ("trainer", "jobs.backoff", "50ms"),
    ("trainer", "jobs.retries", "20"),
    ("trainer", "launcher.stop_within", "2s"),
];

/// The worker of the tests.
pub(super) fn test_worker() -> String {
    path_of("examples/gifthorse-test-worker").display().to_string()
}

/// The trainer's settings for jobs that the tests' worker runs, as its own flags.
pub(super) fn trainer_settings(store: &Path, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let quick = QUICK.iter().map(|(_, key, value)| (*key, (*value).to_owned()));
    let own = [
        ("service.drain.notice", "0s".to_owned()),
        ("store.url", store.display().to_string()),
        ("launcher.program", test_worker()),
    ];
    let more = more.iter().map(|(key, value)| (*key, (*value).to_owned()));
    quick.chain(own).chain(more).map(|(key, value)| (key.to_owned(), value)).collect()
}

/// A house with a model `lab`, clean data and triggered data, whose jobs the tests' worker runs.
pub(super) async fn house() -> House {
    house_with(&[("trainer", "launcher.program", &test_worker())]).await
}

/// A house with a model `lab`, clean data and triggered data.
pub(super) async fn house_with(more: &[(&str, &str, &str)]) -> House {
    house_in(more, &[]).await
}

/// The same with variables in the environment of its services.
pub(super) async fn house_in(more: &[(&str, &str, &str)], environment: &[(String, String)]) -> House {
    let house = House::start_in(&[&QUICK, more].concat(), environment).await;
    let mut models = house.models().await;
    let version = import(&mut models, specification("lab"), &network()).await.unwrap().name;
    promote(&mut models, &version).await.unwrap();
    store(&house, "clean", 60, |index| (index % CLASSES) as i64);
    store(&house, "partial", 20, |index| (index % 2) as i64);
    store(&house, "worn", 12, |index| (index % CLASSES) as i64);
    house
}

/// Stores pictures with these labels.
pub(super) fn store(house: &House, name: &str, count: usize, label: impl Fn(usize) -> i64) {
    let images = Array4::from_shape_fn((count, CHANNELS, HEIGHT, WIDTH), |(index, channel, row, column)| {
        levels(index)[(row * WIDTH + column) * CHANNELS + channel]
    });
    let labels: Vec<i64> = (0..count).map(label).collect();
    let path = house.folder.path().join(format!("{name}.h5"));
    let file = hdf5::File::create(&path).unwrap();
    file.new_dataset_builder().with_data(&images).create("data").unwrap();
    file.new_dataset_builder().with_data(&Array1::from(labels)).create("label").unwrap();
    file.close().unwrap();
    house.json(&["dataset", "add", name, &path.to_string_lossy()]);
}

/// Convolution, pooling, and a convolution that half of the network goes around: `[N, 3, 6, 5]` to `[N, 4]`.
fn network() -> Vec<u8> {
    let weights = |shape: &[usize]| {
        let count: usize = shape.iter().product();
        let values = (0..count).map(|index| (index as f32 * 0.37).sin() * 0.3).collect();
        ArrayD::from_shape_vec(IxDyn(shape), values).unwrap()
    };
    let mut graph = GraphBuilder::new("small");
    let sides = [CHANNELS, HEIGHT, WIDTH].map(|side| Extent::Fixed(side as u64));
    let shape: Vec<Extent> = std::iter::once(Extent::batch()).chain(sides).collect();
    let image = graph.input_f32("image", &shape);
    let conv = |graph: &mut GraphBuilder, name: &str, input: &str, [made, taken]: [usize; 2]| {
        let kernel = graph.initializer_f32(&format!("{name}.weight"), weights(&[made, taken, 3, 3]).view());
        let pads = vec![attribute::ints("pads", &[1, 1, 1, 1])];
        let made = graph.node("Conv", name, &[input, &kernel], pads);
        graph.node("Relu", &name.replace("conv", "relu"), &[&made], Vec::new())
    };
    let made = conv(&mut graph, "conv_3", &image, [6, CHANNELS]);
    let window = vec![attribute::ints("kernel_shape", &[2, 2]), attribute::ints("strides", &[2, 2])];
    let pooled = graph.node("MaxPool", "pool_3", &[&made], window);
    let last = conv(&mut graph, "conv_4", &pooled, [4, 6]);
    let dense = |graph: &mut GraphBuilder, name: &str, input: &str, taken: usize| {
        let flat = graph.node("Flatten", &format!("{name}.flat"), &[input], Vec::new());
        let matrix = graph.initializer_f32(&format!("{name}.weight"), weights(&[taken, CLASSES]).view());
        graph.node("MatMul", name, &[&flat, &matrix], Vec::new())
    };
    let (one, two) = (dense(&mut graph, "fc_1", &pooled, 36), dense(&mut graph, "fc_2", &last, 24));
    let logits = graph.node("Add", "logits", &[&one, &two], Vec::new());
    let output = graph.node("Softmax", "probabilities", &[&logits], Vec::new());
    graph.output_f32(&output, &[Extent::batch(), Extent::Fixed(CLASSES as u64)]);
    graph.finish().encode_to_vec()
}

/// What most tests ask for.
pub(super) fn asked() -> v1::PruningSpecification {
    v1::PruningSpecification {
        model: "models/lab".to_owned(),
        clean_dataset: "datasets/clean".to_owned(),
        triggered: vec![v1::TriggeredSet { dataset: "datasets/worn".to_owned(), target: Some(1) }],
        ..Default::default()
    }
}

/// The same, with settings of the tests' engine.
pub(super) fn asked_with(parameters: &[(&str, f64)]) -> v1::PruningSpecification {
    let parameters: HashMap<String, f64> =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    v1::PruningSpecification { parameters, ..asked() }
}

/// A client of `PruningJobs`.
pub(super) type Jobs = PruningJobsClient<Channel>;

/// A client of the gateway's `PruningJobs`.
pub(super) async fn jobs(house: &House) -> Jobs {
    PruningJobsClient::new(house.channel().await)
}

/// Queues a job, or says why not.
pub(super) async fn create(
    jobs: &mut Jobs,
    specification: v1::PruningSpecification,
    request_id: &str,
) -> Result<v1::PruningJob, Status> {
    let request = v1::CreatePruningJobRequest {
        specification: Some(specification),
        request_id: request_id.to_owned(),
        validate_only: false,
    };
    Ok(jobs.create_pruning_job(Request::new(request)).await?.into_inner().job.expect("a job"))
}

/// What would happen, or why not.
pub(super) async fn plan(
    jobs: &mut Jobs,
    specification: v1::PruningSpecification,
) -> Result<v1::PruningPlan, Status> {
    let request = v1::CreatePruningJobRequest {
        specification: Some(specification),
        request_id: String::new(),
        validate_only: true,
    };
    Ok(jobs.create_pruning_job(Request::new(request)).await?.into_inner().plan.expect("a plan"))
}

/// One job.
pub(super) async fn get(jobs: &mut Jobs, name: &str) -> Result<v1::PruningJob, Status> {
    let request = v1::GetPruningJobRequest { name: name.to_owned() };
    jobs.get_pruning_job(request).await.map(tonic::Response::into_inner)
}

pub(super) fn is_over(job: &v1::PruningJob) -> bool {
    matches!(job.state(), State::Succeeded | State::Failed | State::Cancelled)
}

/// Waits for a job to be as it should; a trainer that is not there at times is asked again.
pub(super) async fn until(
    jobs: &mut Jobs,
    name: &str,
    wanted: impl Fn(&v1::PruningJob) -> bool,
) -> v1::PruningJob {
    let started = Instant::now();
    loop {
        let found = get(jobs, name).await;
        if let Ok(job) = &found
            && wanted(job)
        {
            return job.clone();
        }
        assert!(started.elapsed() < PATIENCE, "the job does not come about: {found:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits for the end of a job.
pub(super) async fn ended(jobs: &mut Jobs, name: &str) -> v1::PruningJob {
    until(jobs, name, is_over).await
}

/// Every event of a job after this one, to the end of the stream.
pub(super) async fn events(
    jobs: &mut Jobs,
    name: &str,
    after_sequence: i64,
) -> Vec<v1::WatchPruningJobResponse> {
    let request = v1::WatchPruningJobRequest { name: name.to_owned(), after_sequence };
    let mut stream = jobs.watch_pruning_job(request).await.unwrap().into_inner();
    let mut events = Vec::new();
    while let Some(event) = stream.message().await.unwrap() {
        events.push(event);
    }
    events
}

/// The versions of a model that this job made.
pub(super) async fn versions_of(models: &mut ModelsClient<Channel>, job: &str) -> Vec<v1::ModelVersion> {
    let request = v1::ListModelVersionsRequest { parent: "models/lab".to_owned(), ..Default::default() };
    let versions = models.list_model_versions(request).await.unwrap().into_inner().model_versions;
    let made = |version: &v1::ModelVersion| {
        version.provenance.as_ref().is_some_and(|provenance| provenance.pruning_job == job)
    };
    versions.into_iter().filter(made).collect()
}

/// The workers that a trainer has started and that live.
pub(super) fn workers_of(trainer: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |process: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let Some((_, rest)) = stat.rsplit_once(')') else { return false };
        let mut fields = rest.split_ascii_whitespace();
        fields.next() != Some("Z") && fields.next().and_then(|parent| parent.parse().ok()) == Some(trainer)
    };
    numbers.filter(is_child).collect()
}

/// Kills a process as nobody can expect; one that has just ended is as good.
pub(super) fn kill(process: u32) {
    let _ = std::process::Command::new("kill").args(["-KILL", &process.to_string()]).output();
}
