//! `ModelInfer` and `ModelStreamInfer`.

use std::time::Duration;

use futures::TryStreamExt;
use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::inference::infer_parameter::ParameterChoice;
use gifthorse_api::inference::model_infer_request::InferRequestedOutputTensor;
use gifthorse_api::inference::{
    InferParameter, InferTensorContents, ModelInferRequest, ModelStatisticsRequest,
};
use gifthorse_tests::house::{House, connect};
use tonic::{Code, Request};

use crate::support::calls::{
    Protocol, assert_close, assert_refused, classify, floats, import_plain, infer_request, picture,
};
use crate::support::network::{CLASSES, Ending, Linear, VALUES};
use crate::support::pictures::{levels, png, prepared};

/// A house with one model, and the protocol at both of its doors.
async fn furnished(network: &Linear) -> (House, [Protocol; 2]) {
    let house = House::start().await;
    import_plain(&mut house.models().await, "faces", &network.onnx(Ending::Softmax)).await;
    let doors = [Protocol::new(connect(&house.serving).await), Protocol::new(house.channel().await)];
    (house, doors)
}

fn typed(values: &[f32]) -> ModelInferRequest {
    let mut request = infer_request("faces", "", "pixels", values);
    request.raw_input_contents.clear();
    request.inputs[0].contents =
        Some(InferTensorContents { fp32_contents: values.to_vec(), ..Default::default() });
    request
}

fn doubles(values: Vec<f32>) -> Vec<f64> {
    values.into_iter().map(f64::from).collect()
}

#[tokio::test]
async fn requests_are_answered_in_the_form_they_came_in() {
    let network = Linear::new(1);
    let (_house, doors) = furnished(&network).await;
    let rows = [prepared(&levels(1), 255.0), prepared(&levels(2), 255.0)];
    let expected: Vec<f64> = rows.iter().flat_map(|row| network.answers(row)).collect();
    let values = rows.concat();
    for mut protocol in doors {
        let mut request = infer_request("faces", "1", "pixels", &values);
        request.id = "request 7".to_owned();
        let raw = protocol.model_infer(request).await.unwrap().into_inner();
        assert_eq!(
            (raw.id.as_str(), raw.model_name.as_str(), raw.model_version.as_str()),
            ("request 7", "faces", "1")
        );
        let [output] = raw.outputs.as_slice() else { panic!("{raw:?}") };
        assert_eq!((output.name.as_str(), output.datatype.as_str()), ("probabilities", "FP32"));
        assert_eq!(output.shape, [2, CLASSES as i64]);
        assert_eq!(output.contents, None);
        let answered = floats(&raw.raw_output_contents[0]);
        assert_close(&doubles(answered.clone()), &expected);

        let typed = protocol.model_infer(typed(&values)).await.unwrap().into_inner();
        assert!(typed.raw_output_contents.is_empty());
        assert_eq!(typed.outputs[0].contents.as_ref().unwrap().fp32_contents, answered);
        assert_eq!(typed.model_version, "1", "the promoted version says which it is");
    }
}

#[tokio::test]
async fn outputs_are_chosen_by_name() {
    let (_house, doors) = furnished(&Linear::new(1)).await;
    let asking = |name: &str| {
        let mut request = infer_request("faces", "", "pixels", &prepared(&levels(1), 255.0));
        request.outputs = vec![InferRequestedOutputTensor { name: name.to_owned(), ..Default::default() }];
        request
    };
    for mut protocol in doors {
        let answer = protocol.model_infer(asking("probabilities")).await.unwrap().into_inner();
        assert_eq!(answer.outputs.len(), 1);
        let unknown = protocol.model_infer(asking("logits")).await;
        let refused = assert_refused(unknown, ErrorCode::UnknownTensor, "probabilities");
        assert_eq!(refused.code(), Code::InvalidArgument);
        let mut sorted = asking("probabilities");
        let three = InferParameter { parameter_choice: Some(ParameterChoice::Int64Param(3)) };
        sorted.outputs[0].parameters.insert("classification".to_owned(), three);
        assert_refused(protocol.model_infer(sorted).await, ErrorCode::InvalidField, "classification");
    }
}

#[tokio::test]
async fn a_stream_answers_in_order_and_goes_on_after_errors() {
    let network = Linear::new(1);
    let (_house, doors) = furnished(&network).await;
    for mut protocol in doors {
        let requests: Vec<_> = (0..40)
            .map(|index| {
                let model = if index % 7 == 3 { "nobody" } else { "faces" };
                let mut request = infer_request(model, "", "pixels", &prepared(&levels(index), 255.0));
                request.id = index.to_string();
                request
            })
            .collect();
        let answers = protocol.model_stream_infer(futures::stream::iter(requests)).await.unwrap();
        let answers: Vec<_> = answers.into_inner().try_collect().await.unwrap();
        assert_eq!(answers.len(), 40);
        for (index, answer) in answers.into_iter().enumerate() {
            let response = answer.infer_response.unwrap();
            assert_eq!(response.id, index.to_string());
            if index % 7 == 3 {
                assert!(answer.error_message.contains("nobody"), "{}", answer.error_message);
                assert!(response.outputs.is_empty());
            } else {
                assert_eq!(answer.error_message, "");
                let found = doubles(floats(&response.raw_output_contents[0]));
                assert_close(&found, &network.answers(&prepared(&levels(index), 255.0)));
            }
        }
    }
}

#[tokio::test]
async fn a_request_out_of_time_is_not_run() {
    let (house, [mut serving, mut gateway]) = furnished(&Linear::new(1)).await;
    let within = |choice: ParameterChoice| {
        let mut request = infer_request("faces", "1", "pixels", &prepared(&levels(1), 255.0));
        let parameter = InferParameter { parameter_choice: Some(choice) };
        request.parameters.insert("timeout".to_owned(), parameter);
        request
    };
    for protocol in [&mut serving, &mut gateway] {
        // A microsecond is over before the request is in the queue.
        let late = protocol.model_infer(within(ParameterChoice::Int64Param(1))).await;
        assert_eq!(assert_refused(late, ErrorCode::DeadlineExceeded, "").code(), Code::DeadlineExceeded);
        let unsound = protocol.model_infer(within(ParameterChoice::StringParam("1s".to_owned()))).await;
        assert_refused(unsound, ErrorCode::InvalidField, "microseconds");
    }
    let request = ModelStatisticsRequest { name: "faces".to_owned(), version: "1".to_owned() };
    let counted = serving.model_statistics(request).await.unwrap().into_inner().model_stats.remove(0);
    assert_eq!(counted.execution_count, 0, "nobody waits for these answers");
    assert_eq!(counted.response_stats["0"].cancel.unwrap().count, 2);
    for unlimited in [0, 60_000_000] {
        serving.model_infer(within(ParameterChoice::Int64Param(unlimited))).await.unwrap();
    }

    // The caller's own deadline ends the wait for a service that hangs, at every door.
    house.serving.signal("STOP");
    let mut guard = house.guard().await;
    let mut request = Request::new(picture("models/faces", png(&levels(1))));
    request.set_timeout(Duration::from_millis(200));
    let late = tokio::time::timeout(Duration::from_secs(10), guard.classify(request)).await;
    house.serving.signal("CONT");
    let late = late.expect("the deadline is honoured").unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late:?}");
    classify(&mut guard, picture("models/faces", png(&levels(1)))).await.unwrap();
}

#[tokio::test]
async fn wrong_tensors_are_refused_as_triton_does() {
    let (_house, doors) = furnished(&Linear::new(1)).await;
    let values = prepared(&levels(1), 255.0);
    let sound = || infer_request("faces", "", "pixels", &values);
    let changed = |change: &dyn Fn(&mut ModelInferRequest)| {
        let mut request = sound();
        change(&mut request);
        request
    };
    for mut protocol in doors {
        for (request, code) in [
            (changed(&|request| request.inputs[0].shape[1] = 7), ErrorCode::TensorShape),
            (changed(&|request| request.inputs[0].shape = vec![1, VALUES as i64]), ErrorCode::TensorShape),
            (changed(&|request| request.inputs[0].shape[0] = -1), ErrorCode::TensorShape),
            (changed(&|request| request.inputs[0].datatype = "UINT8".to_owned()), ErrorCode::TensorType),
            (changed(&|request| request.inputs[0].datatype = "FP33".to_owned()), ErrorCode::TensorType),
            (changed(&|request| request.raw_input_contents[0] = vec![0; 8].into()), ErrorCode::TensorLength),
            (changed(&|request| request.inputs[0].name = "image".to_owned()), ErrorCode::UnknownTensor),
            (changed(&|request| request.inputs.clear()), ErrorCode::InvalidField),
            (
                changed(&|request| {
                    request.inputs.clear();
                    request.raw_input_contents.clear();
                }),
                ErrorCode::UnknownTensor,
            ),
        ] {
            let shown = format!("{:?}", request.inputs);
            let refused = protocol.model_infer(request).await.expect_err(&shown);
            assert_eq!(gifthorse_api::status::code_of(&refused), Some(code), "{shown}: {refused:?}");
            assert_eq!(refused.code(), Code::InvalidArgument);
        }
        protocol.model_infer(sound()).await.unwrap();
    }
}
