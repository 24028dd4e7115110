//! Keeps nothing: answers the policy that was set as version 3, and two versions on two pages. A policy with
//! `calibrations/small` is refused.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::status::status;
use gifthorse_api::v1;
use tonic::{Request, Response, Status};

use super::{Memory, Seen};

pub(super) struct Policies(pub(super) Memory);

type Answer<T> = Result<Response<T>, Status>;

fn policy(name: &str) -> v1::Policy {
    v1::Policy {
        name: name.to_owned(),
        model: "models/lab3".to_owned(),
        combination: v1::policy::Combination::Fused.into(),
        alpha: 0.01,
        detectors: vec![v1::PolicyDetector {
            detector: "region_paste".to_owned(),
            calibration: "calibrations/c-1".to_owned(),
            weight: 1.0,
            threshold: -2.5,
            early_rejection: false,
        }],
        create_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
        ..Default::default()
    }
}

#[tonic::async_trait]
impl v1::policies_server::Policies for Policies {
    async fn set_policy(&self, request: Request<v1::SetPolicyRequest>) -> Answer<v1::Policy> {
        let request = request.into_inner();
        self.0.note(Seen::SetPolicy(request.clone()));
        let mut policy = request.policy.ok_or_else(|| Status::invalid_argument("no policy"))?;
        if policy.detectors.iter().any(|detector| detector.calibration == "calibrations/small") {
            let text = "alpha 0.01 needs 99 calibration images, and there are 20: use alpha 0.05";
            return Err(status(ErrorCode::CalibrationTooSmall, text));
        }
        policy.name = format!("{}/versions/3", policy.model.replacen("models/", "policies/", 1));
        for detector in &mut policy.detectors {
            detector.threshold = -2.5;
        }
        Ok(Response::new(policy))
    }

    async fn get_policy(&self, request: Request<v1::GetPolicyRequest>) -> Answer<v1::Policy> {
        let name = request.into_inner().name;
        if name == "policies/none" {
            return Err(status(ErrorCode::ResourceNotFound, "models/none has no policy"));
        }
        let version = if name.contains("/versions/") { name } else { format!("{name}/versions/2") };
        Ok(Response::new(policy(&version)))
    }

    async fn list_policy_versions(
        &self,
        request: Request<v1::ListPolicyVersionsRequest>,
    ) -> Answer<v1::ListPolicyVersionsResponse> {
        let v1::ListPolicyVersionsRequest { parent, page_token, .. } = request.into_inner();
        let (number, next) = if page_token.is_empty() { (2, "second") } else { (1, "") };
        Ok(Response::new(v1::ListPolicyVersionsResponse {
            policies: vec![policy(&format!("{parent}/versions/{number}"))],
            next_page_token: next.to_owned(),
        }))
    }

    async fn clear_policy(
        &self,
        request: Request<v1::ClearPolicyRequest>,
    ) -> Answer<v1::ClearPolicyResponse> {
        self.0.note(Seen::Delete(request.into_inner().name));
        Ok(Response::new(v1::ClearPolicyResponse {}))
    }
}
