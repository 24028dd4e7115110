//! Page tokens that were not made for the listing they are used for.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_api::v1::datasets_client::DatasetsClient;
use gifthorse_api::v1::models_client::ModelsClient;

use crate::networks;
use crate::refusal::assert_refused;
use crate::uploads::import;
use crate::vigil::{SOUND, Vigil};

#[tokio::test]
async fn are_refused_by_every_listing() {
    let mut vigil = Vigil::start().await;
    import(&vigil.gateway, "another", networks::keras()).await.unwrap();
    let mut models = ModelsClient::new(vigil.gateway.clone());
    let mut datasets = DatasetsClient::new(vigil.gateway.clone());
    let first = v1::ListModelsRequest { page_size: 1, ..Default::default() };
    let token = models.list_models(first.clone()).await.unwrap().into_inner().next_page_token;
    assert!(!token.is_empty());
    let next = v1::ListModelsRequest { page_token: token.clone(), ..first };
    assert_eq!(
        models.list_models(next).await.unwrap().into_inner().models[0].name,
        format!("models/{SOUND}")
    );

    let (code, parent) = (ErrorCode::InvalidPageToken, format!("models/{SOUND}"));
    let truncated = token[..token.len() - 1].to_owned();
    for page_token in ["nonsense", "../../x", ".", &truncated, &token.to_uppercase()] {
        let page_token = page_token.to_owned();
        let request = v1::ListModelsRequest { page_token: page_token.clone(), ..Default::default() };
        assert_refused("ListModels", models.list_models(request).await, code, "");
    }
    for page_token in ["nonsense", &token] {
        let (page_token, parent) = (page_token.to_owned(), parent.clone());
        let request = v1::ListDatasetsRequest { page_token: page_token.clone(), ..Default::default() };
        assert_refused("ListDatasets", datasets.list_datasets(request).await, code, "");
        let request = v1::ListModelVersionsRequest { parent, page_token, ..Default::default() };
        assert_refused("ListModelVersions", models.list_model_versions(request).await, code, "");
    }
    let request = v1::ListModelsRequest { page_size: -1, ..Default::default() };
    assert_refused(
        "a negative page",
        models.list_models(request).await,
        ErrorCode::InvalidField,
        "page_size",
    );
    vigil.assert_unharmed().await;
}
