//! What the server and its models say of themselves.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::inference as wire;
use gifthorse_api::inference::model_config::SchedulingChoice;
use gifthorse_tests::house::{House, connect};

use crate::support::calls::{Protocol, assert_refused, import_plain, infer_request, is_ready};
use crate::support::network::{CHANNELS, CLASSES, Ending, HEIGHT, Linear, WIDTH};
use crate::support::pictures::{levels, prepared};

/// The protocol at serving itself and at the gateway: both must answer alike.
async fn doors(house: &House) -> [Protocol; 2] {
    [Protocol::new(connect(&house.serving).await), Protocol::new(house.channel().await)]
}

#[tokio::test]
async fn the_server_describes_itself() {
    let house = House::start().await;
    for mut protocol in doors(&house).await {
        assert!(protocol.server_live(wire::ServerLiveRequest {}).await.unwrap().into_inner().live);
        assert!(protocol.server_ready(wire::ServerReadyRequest {}).await.unwrap().into_inner().ready);
        let server = protocol.server_metadata(wire::ServerMetadataRequest {}).await.unwrap().into_inner();
        assert_eq!(server.name, "gifthorse");
        assert!(!server.version.is_empty());
        for extension in ["model_repository", "model_configuration", "statistics", "binary_tensor_data"] {
            assert!(server.extensions.iter().any(|found| found == extension), "{extension}");
        }
    }
}

#[tokio::test]
async fn models_describe_themselves() {
    let house = House::start().await;
    let mut models = house.models().await;
    for seed in [1, 2] {
        import_plain(&mut models, "faces", &Linear::new(seed).onnx(Ending::Softmax)).await;
    }
    let sides = [HEIGHT, WIDTH, CHANNELS].map(|side| side as i64);
    for mut protocol in doors(&house).await {
        let name = || "faces".to_owned();
        for version in ["", "1", "2"] {
            assert!(is_ready(&mut protocol, "faces", version).await, "{version}");
        }
        let request = wire::ModelMetadataRequest { name: name(), version: String::new() };
        let metadata = protocol.model_metadata(request).await.unwrap().into_inner();
        assert_eq!((metadata.name.as_str(), metadata.platform.as_str()), ("faces", "onnxruntime_onnx"));
        assert_eq!(metadata.versions, ["1", "2"]);
        let [input] = metadata.inputs.as_slice() else { panic!("{metadata:?}") };
        assert_eq!((input.name.as_str(), input.datatype.as_str()), ("pixels", "FP32"));
        assert_eq!(input.shape, [&[-1], sides.as_slice()].concat());
        let [output] = metadata.outputs.as_slice() else { panic!("{metadata:?}") };
        assert_eq!((output.name.as_str(), output.datatype.as_str()), ("probabilities", "FP32"));
        assert_eq!(output.shape, [-1, CLASSES as i64]);

        let request = wire::ModelConfigRequest { name: name(), version: "2".to_owned() };
        let config = protocol.model_config(request).await.unwrap().into_inner().config.unwrap();
        assert_eq!((config.name.as_str(), config.backend.as_str()), ("faces", "onnxruntime"));
        assert!(config.max_batch_size > 1);
        assert_eq!(config.input[0].dims, sides, "without the batch axis");
        assert_eq!(config.input[0].data_type(), wire::DataType::TypeFp32);
        assert_eq!(config.output[0].dims, [CLASSES as i64]);
        assert!(matches!(config.scheduling_choice, Some(SchedulingChoice::DynamicBatching(_))));

        let index =
            protocol.repository_index(wire::RepositoryIndexRequest::default()).await.unwrap().into_inner();
        let lines: Vec<_> =
            index.models.iter().map(|found| (found.version.as_str(), found.state.as_str())).collect();
        assert_eq!(lines, [("1", "READY"), ("2", "READY")]);

        let request = wire::ModelMetadataRequest { name: "nobody".to_owned(), version: String::new() };
        assert_refused(protocol.model_metadata(request).await, ErrorCode::ModelNotFound, "nobody");
        let request = wire::ModelConfigRequest { name: name(), version: "3".to_owned() };
        assert_refused(protocol.model_config(request).await, ErrorCode::ModelVersionNotFound, "3");
        let request = wire::ModelReadyRequest { name: "nobody".to_owned(), version: String::new() };
        assert_refused(protocol.model_ready(request).await, ErrorCode::ModelNotFound, "nobody");
        let request = wire::ModelMetadataRequest::default();
        assert_refused(protocol.model_metadata(request).await, ErrorCode::InvalidName, "model_name");
    }
}

#[tokio::test]
async fn statistics_count_rows_and_runs_of_each_version() {
    let house = House::start().await;
    let mut models = house.models().await;
    for seed in [1, 2] {
        import_plain(&mut models, "faces", &Linear::new(seed).onnx(Ending::Softmax)).await;
    }
    let [mut serving, mut gateway] = doors(&house).await;
    let of = async |protocol: &mut Protocol, name: &str, version: &str| {
        let request = wire::ModelStatisticsRequest { name: name.to_owned(), version: version.to_owned() };
        protocol.model_statistics(request).await.map(|answer| answer.into_inner().model_stats)
    };
    // Warming up is not counted.
    let fresh = of(&mut serving, "faces", "1").await.unwrap().remove(0);
    assert_eq!((fresh.inference_count, fresh.execution_count, fresh.last_inference), (0, 0, 0));
    let three_rows =
        [prepared(&levels(1), 255.0), prepared(&levels(2), 255.0), prepared(&levels(3), 255.0)].concat();
    serving.model_infer(infer_request("faces", "1", "pixels", &three_rows)).await.unwrap();
    gateway.model_infer(infer_request("faces", "", "pixels", &three_rows[..90])).await.unwrap();
    let unsound = infer_request("faces", "1", "nothing", &three_rows);
    assert_refused(gateway.model_infer(unsound).await, ErrorCode::UnknownTensor, "pixels");
    for protocol in [&mut serving, &mut gateway] {
        let counted = of(protocol, "faces", "1").await.unwrap().remove(0);
        assert_eq!((counted.inference_count, counted.execution_count), (4, 2), "{counted:?}");
        assert!(counted.last_inference > 1_600_000_000_000, "milliseconds since 1970");
        let stats = counted.inference_stats.unwrap();
        assert_eq!(stats.success.unwrap().count, 2);
        assert!(stats.compute_infer.unwrap().ns > 0);
        let sizes: Vec<u64> = counted.batch_stats.iter().map(|batch| batch.batch_size).collect();
        assert_eq!(sizes, [1, 3]);
        let untouched = of(protocol, "faces", "2").await.unwrap().remove(0);
        assert_eq!(untouched.inference_count, 0);
        assert_eq!(of(protocol, "faces", "").await.unwrap().len(), 2, "all versions of the model");
        assert_eq!(of(protocol, "", "").await.unwrap().len(), 2, "all models");
        assert_refused(of(protocol, "nobody", "").await, ErrorCode::ModelNotFound, "nobody");
    }
}
