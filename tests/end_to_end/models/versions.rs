//! Versions side by side, and how they are found.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_tests::house::House;

use crate::support::calls::{
    assert_close, assert_refused, classify, import, import_plain, picture, probabilities, specification,
};
use crate::support::network::{Ending, Linear};
use crate::support::pictures::{levels, png, prepared};

#[tokio::test]
async fn versions_answer_side_by_side() {
    let house = House::start().await;
    let (mut models, mut guard) = (house.models().await, house.guard().await);
    let networks = [1, 2, 3].map(Linear::new);
    let levels = levels(1);
    let expected = networks.each_ref().map(|network| network.answers(&prepared(&levels, 255.0)));
    assert!((expected[0][0] - expected[1][0]).abs() > 1e-3, "the networks differ");

    import_plain(&mut models, "faces", &networks[0].onnx(Ending::Softmax)).await;
    let second = import(&mut models, specification("faces"), &networks[1].keras()).await.unwrap();
    assert_eq!((second.name.as_str(), second.promoted), ("models/faces/versions/2", false));
    let answers = async |guard: &mut _, name: &str| {
        let answer = classify(guard, picture(name, png(&levels))).await.unwrap();
        (answer.model_version.clone(), probabilities(&answer))
    };
    for (name, version, network) in
        [("models/faces", 1, 0), ("models/faces/versions/1", 1, 0), ("models/faces/versions/2", 2, 1)]
    {
        let (answered, probabilities) = answers(&mut guard, name).await;
        assert_eq!(answered, format!("models/faces/versions/{version}"));
        assert_close(&probabilities, &expected[network]);
    }

    let asked = v1::ImportModelSpecification { promote: true, ..specification("faces") };
    let third = import(&mut models, asked, &networks[2].onnx(Ending::Logits)).await.unwrap();
    assert!(third.promoted, "it was asked to be");
    let (_, probabilities) = answers(&mut guard, "models/faces/versions/3").await;
    assert_close(&probabilities, &expected[2]);
    let model = models.get_model(v1::GetModelRequest { name: "models/faces".to_owned() }).await.unwrap();
    assert_eq!(model.into_inner().promoted_version, third.name);

    // What is not there says which of the two it is.
    let missing = classify(&mut guard, picture("models/faces/versions/9", png(&levels))).await;
    assert_refused(missing, ErrorCode::ModelVersionNotFound, "9");
    let missing = classify(&mut guard, picture("models/nobody", png(&levels))).await;
    assert_refused(missing, ErrorCode::ModelNotFound, "nobody");
    let unsound = classify(&mut guard, picture("models/../faces", png(&levels))).await;
    assert_refused(unsound, ErrorCode::InvalidName, "..");
}

#[tokio::test]
async fn models_and_versions_are_found_by_name() {
    let house = House::start().await;
    let mut models = house.models().await;
    let file = Linear::new(1).onnx(Ending::Softmax);
    let first = import_plain(&mut models, "alpha", &file).await;
    let second = import_plain(&mut models, "alpha", &file).await;
    let get = async |models: &mut gifthorse_api::v1::models_client::ModelsClient<_>, name: &str| {
        let request = v1::GetModelVersionRequest { name: name.to_owned() };
        models.get_model_version(request).await.map(tonic::Response::into_inner)
    };
    let promoted = get(&mut models, "models/alpha").await.unwrap();
    assert_eq!((promoted.name.as_str(), promoted.promoted), (first.as_str(), true));
    let later = get(&mut models, &second).await.unwrap();
    assert_eq!((later.name.as_str(), later.promoted), (second.as_str(), false));
    assert_refused(get(&mut models, "models/beta").await, ErrorCode::ModelNotFound, "beta");
    assert_refused(get(&mut models, "models/beta/versions/1").await, ErrorCode::ModelNotFound, "beta");
    assert_refused(get(&mut models, "models/alpha/versions/3").await, ErrorCode::ModelVersionNotFound, "3");
    assert_refused(get(&mut models, "alpha").await, ErrorCode::InvalidName, "models/NAME");
    let whole = models.get_model(v1::GetModelRequest { name: second }).await;
    assert_refused(whole, ErrorCode::InvalidField, "give models/NAME");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let house = House::start().await;
    let mut models = house.models().await;
    let file = Linear::new(1).onnx(Ending::Softmax);
    for name in ["c", "a", "b", "a", "a"] {
        import_plain(&mut models, name, &file).await;
    }
    let mut names = Vec::new();
    let mut page_token = String::new();
    let mut pages = 0;
    loop {
        let request = v1::ListModelsRequest { page_size: 2, page_token };
        let page = models.list_models(request).await.unwrap().into_inner();
        names.extend(page.models.into_iter().map(|model| (model.name, model.version_count)));
        pages += 1;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let expected = [("models/a", 3), ("models/b", 1), ("models/c", 1)];
    assert_eq!(names, expected.map(|(name, count)| (name.to_owned(), count)));
    assert_eq!(pages, 2);

    let list = |page_size, page_token: &str| v1::ListModelVersionsRequest {
        parent: "models/a".to_owned(),
        page_size,
        page_token: page_token.to_owned(),
    };
    let first = models.list_model_versions(list(2, "")).await.unwrap().into_inner();
    let rest = models.list_model_versions(list(2, &first.next_page_token)).await.unwrap().into_inner();
    let versions: Vec<_> = first
        .model_versions
        .iter()
        .chain(&rest.model_versions)
        .map(|version| version.name.as_str())
        .collect();
    assert_eq!(versions, [3, 2, 1].map(|number| format!("models/a/versions/{number}")), "newest first");
    assert_eq!(rest.next_page_token, "");
    let foreign =
        models.list_models(v1::ListModelsRequest { page_size: 2, page_token: "x".to_owned() }).await;
    assert_refused(foreign, ErrorCode::InvalidPageToken, "page token");
    let of_another =
        models.list_models(v1::ListModelsRequest { page_size: 2, page_token: first.next_page_token });
    assert_refused(of_another.await, ErrorCode::InvalidPageToken, "page token");
    let negative = models.list_model_versions(list(-1, "")).await;
    assert_refused(negative, ErrorCode::InvalidField, "page_size");
}
