//! Clients that hang up before they are answered.

use futures::StreamExt as _;
use gifthorse_api::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use gifthorse_api::inference::model_infer_request::InferInputTensor;
use gifthorse_api::inference::{InferResponseStatistics, ModelInferRequest, ModelStatisticsRequest};
use gifthorse_api::v1::models_client::ModelsClient;
use gifthorse_tests::house::House;
use gifthorse_tests::program::Program;
use tonic::transport::Channel;

use crate::metrics::{ended, in_flight};
use crate::networks::{self, INPUT};
use crate::patience::{eventually, soon};
use crate::uploads::{chunk, import, specification};
use crate::vigil::{SOUND, Vigil};

/// One image for the sound model.
fn one_row() -> ModelInferRequest {
    ModelInferRequest {
        model_name: SOUND.to_owned(),
        inputs: vec![InferInputTensor {
            name: INPUT.to_owned(),
            datatype: "FP32".to_owned(),
            shape: vec![1, 3, 8, 6],
            ..InferInputTensor::default()
        }],
        raw_input_contents: vec![0.5_f32.to_le_bytes().repeat(3 * 8 * 6).into()],
        ..ModelInferRequest::default()
    }
}

async fn statistics(gateway: &Channel) -> InferResponseStatistics {
    let request = ModelStatisticsRequest { name: SOUND.to_owned(), ..ModelStatisticsRequest::default() };
    let answer = GrpcInferenceServiceClient::new(gateway.clone()).model_statistics(request).await.unwrap();
    answer.into_inner().model_stats[0].response_stats["0"]
}

#[tokio::test]
async fn a_request_in_the_queue_is_not_run_and_is_counted() {
    // A request alone waits for a second one as long as it takes.
    let settings = [("serving", "batching.max_delay", "600s"), ("serving", "batching.max_rows", "2")];
    let house = House::start_with(&settings).await;
    let gateway = house.channel().await;
    import(&gateway, SOUND, networks::onnx()).await.unwrap();
    let infer = || async { GrpcInferenceServiceClient::new(gateway.clone()).model_infer(one_row()).await };

    let waiting = async {
        eventually("a request in flight", async || in_flight(&house.serving).await >= 1.0).await;
        // Whatever is asked later is answered later: by now the request is in its queue.
        for _ in 0..3 {
            statistics(&gateway).await;
        }
    };
    tokio::select! {
        answer = infer() => panic!("nothing has come to keep it company: {answer:?}"),
        () = waiting => {}
    }
    for program in [&house.gateway, &house.serving] {
        eventually("a cancelled request", async || ended(program, "ModelInfer", "CANCELLED").await >= 1.0)
            .await;
    }
    // The one that left does not count as company: two more are needed.
    let (first, second) = soon("two requests", async { tokio::join!(infer(), infer()) }).await;
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    let counted = statistics(&gateway).await;
    assert_eq!(counted.success.unwrap().count, 2);
    assert_eq!(counted.cancel.unwrap().count, 1);
}

#[tokio::test]
async fn an_upload_that_stops_half_way_leaves_nothing() {
    let mut vigil = Vigil::start().await;
    let file = networks::onnx();
    let begun = [specification("half"), chunk(file[..file.len() / 2].to_vec())];
    let endless = futures::stream::iter(begun).chain(futures::stream::pending());
    let mut models = ModelsClient::new(vigil.gateway.clone());
    tokio::select! {
        answer = models.import_model(endless) => panic!("the upload has no end: {answer:?}"),
        () = eventually("a folder for the upload", async || !vigil.temporary().is_empty()) => {}
    }
    assert_left_nothing(&mut vigil, "half").await;
}

/// The readers that `program` has started and that are still there.
fn readers(program: &Program) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    ids.filter(|id| {
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{id}/stat")) else { return false };
        // `id (name) state parent ...`: the name may hold anything but is the last thing in brackets.
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        fields.first() != Some(&"Z") && fields.get(1) == Some(&program.id().to_string().as_str())
    })
    .collect()
}

/// Whether a reader of the heavy file has begun: it has most of it in memory.
fn is_at_work(id: u32) -> bool {
    let pages = std::fs::read_to_string(format!("/proc/{id}/statm"));
    let resident = pages.ok().and_then(|pages| pages.split_whitespace().nth(1)?.parse::<u64>().ok());
    resident.is_some_and(|pages| pages * 4096 > 40 << 20)
}

/// Waits for a reader and stops its clock: it will be in the midst of its work for as long as it lives.
async fn stopped_reader(program: &Program) {
    eventually("a reader at work", async || {
        readers(program).into_iter().filter(|id| is_at_work(*id)).any(|id| {
            let kill = std::process::Command::new("kill").args(["-STOP", &id.to_string()]).status();
            kill.is_ok_and(|status| status.success())
        })
    })
    .await;
}

async fn assert_left_nothing(vigil: &mut Vigil, model: &str) {
    eventually("the reader's end", async || readers(&vigil.house.serving).is_empty()).await;
    vigil.assert_clean().await;
    for program in [&vigil.house.gateway, &vigil.house.serving] {
        eventually("a cancelled import", async || ended(program, "ImportModel", "CANCELLED").await >= 1.0)
            .await;
    }
    assert_eq!(vigil.models().await, [format!("models/{SOUND}")]);
    let imported = import(&vigil.gateway, model, networks::onnx()).await.unwrap().into_inner();
    assert_eq!(imported.name, format!("models/{model}/versions/1"));
    vigil.assert_unharmed().await;
}

#[tokio::test]
async fn a_reader_at_work_is_ended() {
    let mut vigil = Vigil::start().await;
    tokio::select! {
        answer = import(&vigil.gateway, "heavy", networks::heavy_onnx()) => {
            panic!("the file was read too fast to interrupt it: {answer:?}")
        }
        () = stopped_reader(&vigil.house.serving) => {}
    }
    assert_left_nothing(&mut vigil, "heavy").await;
}

#[tokio::test]
async fn a_reader_does_not_outlive_its_service() {
    let mut vigil = Vigil::start().await;
    let importing = import(&vigil.gateway, "heavy", networks::heavy_onnx());
    let killed = async {
        stopped_reader(&vigil.house.serving).await;
        let orphans = readers(&vigil.house.serving);
        vigil.house.serving.signal("KILL");
        let gone = |id: &u32| !std::path::Path::new(&format!("/proc/{id}")).exists() || is_dead(*id);
        eventually("the reader's end", async || orphans.iter().all(gone)).await;
    };
    let (imported, ()) = soon("an import", async { tokio::join!(importing, killed) }).await;
    assert!(imported.is_err(), "{imported:?}");
    assert!(!vigil.house.serving.wait().success());
    assert!(vigil.house.gateway.is_running());
}

/// Dead, though perhaps nobody has taken note of it yet.
fn is_dead(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"));
    stat.is_ok_and(|stat| stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}
