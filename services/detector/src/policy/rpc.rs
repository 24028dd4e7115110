//! The `Policies` service.

use std::sync::Arc;

use gifthorse_api::name::{Identifier, ModelName, Version};
use gifthorse_api::status::status_of;
use gifthorse_api::v1;
use gifthorse_api::v1::policies_server::Policies;
use gifthorse_store::{LogEntry, PageRequest};
use tonic::{Request, Response, Status};

use super::derive::Deciders;
use super::record::{PolicyEntry, PolicyLogs, PolicyRecord, version_name};
use crate::calibration::Part;
use crate::decision::Decision;
use crate::error::DetectorError;
use crate::network::Networks;
use gifthorse_defence::sequential::StopRule;

/// The most versions a page holds.
const MOST: usize = 1000;
/// Versions of a page unless told otherwise.
const PAGE: usize = 50;

/// Serves `gifthorse.v1.Policies`.
#[derive(Debug, Clone)]
pub(crate) struct PoliciesService {
    pub(crate) policies: PolicyLogs,
    pub(crate) deciders: Arc<Deciders>,
    pub(crate) networks: Arc<Networks>,
}

/// `policies/NAME`, and a version where one is named.
struct PolicyName {
    name: Identifier,
    version: Option<u64>,
}

fn parse(name: &str) -> Result<PolicyName, DetectorError> {
    let wrong = || {
        let message = format!("is {name:?}: use policies/NAME or policies/NAME/versions/VERSION");
        DetectorError::field("name", message)
    };
    let mut parts = name.split('/');
    let (Some("policies"), Some(identifier)) = (parts.next(), parts.next()) else { return Err(wrong()) };
    let version = match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => None,
        (Some("versions"), Some(version), None) => Some(version.parse::<Version>()?.into()),
        _ => return Err(wrong()),
    };
    Ok(PolicyName { name: identifier.parse()?, version })
}

impl PoliciesService {
    async fn set(&self, request: v1::SetPolicyRequest) -> Result<v1::Policy, DetectorError> {
        let message = request
            .policy
            .ok_or_else(|| DetectorError::field("policy", "is missing: say what shall be in force"))?;
        let model: ModelName = message.model.parse()?;
        if model.version.is_some() {
            let text = format!("is {:?}: a policy is for models/NAME", message.model);
            return Err(DetectorError::field("policy.model", text));
        }
        let policy = PolicyRecord::parse(&message)?;
        let record = self.networks.record(&model).await?;
        // Whatever cannot be kept is refused here, not when the first input comes.
        let decision = self.deciders.derive("", &policy, &record).await?;
        if request.validate_only {
            let latest = self.policies.latest(&model.model).await?;
            let number = latest.map_or(1, |latest| latest.number + 1);
            return Ok(annotated(policy.draft(&model.model, number), &decision));
        }
        let wanted = PolicyEntry::Set(policy.clone());
        let entry = self
            .policies
            .append(&model.model, |latest| {
                // The same policy again is no new version.
                (latest.map(|latest| &latest.content) != Some(&wanted)).then(|| wanted.clone())
            })
            .await?
            .ok_or(DetectorError::Internal("storing a policy"))?;
        self.deciders.forget(&model.model);
        Ok(annotated(policy.message(&entry), &decision))
    }

    async fn entry(&self, name: &PolicyName) -> Result<LogEntry<PolicyEntry>, DetectorError> {
        let entry = match name.version {
            None => self.policies.latest(&name.name).await?,
            Some(version) => self.policies.entry(&name.name, version).await?,
        };
        entry.filter(|entry| matches!(entry.content, PolicyEntry::Set(_))).ok_or_else(|| {
            DetectorError::Missing {
                what: name.version.map_or_else(
                    || format!("policies/{}", name.name),
                    |version| version_name(&name.name, version),
                ),
                hint: "the model is unguarded until a policy is set",
            }
        })
    }

    async fn get(&self, request: v1::GetPolicyRequest) -> Result<v1::Policy, DetectorError> {
        let name = parse(&request.name)?;
        let entry = self.entry(&name).await?;
        let PolicyEntry::Set(policy) = &entry.content else {
            return Err(DetectorError::Internal("reading a policy"));
        };
        let message = policy.message(&entry);
        // What is derived is shown where it still can be: an old version's calibrations may be gone.
        let model = ModelName { model: name.name.clone(), version: None };
        let derived = match self.networks.record(&model).await {
            Ok(record) => self.deciders.derive("", policy, &record).await,
            Err(error) => Err(error),
        };
        Ok(match derived {
            Ok(decision) => annotated(message, &decision),
            Err(error) => {
                tracing::warn!(policy = message.name, %error, "a policy cannot be derived");
                message
            }
        })
    }

    async fn list(
        &self,
        request: v1::ListPolicyVersionsRequest,
    ) -> Result<v1::ListPolicyVersionsResponse, DetectorError> {
        let name = parse(&request.parent)?.name;
        PageRequest::new(request.page_size, String::new())?;
        let size = match usize::try_from(request.page_size) {
            Ok(0) | Err(_) => PAGE,
            Ok(size) => size.min(MOST),
        };
        let before: Option<u64> = match request.page_token.as_str() {
            "" => None,
            token => Some(token.parse().map_err(|_| {
                DetectorError::field("page_token", "is not one of this listing: start again without one")
            })?),
        };
        let mut numbers = self.policies.numbers(&name).await?;
        numbers.retain(|number| before.is_none_or(|before| *number < before));
        let mut answer = v1::ListPolicyVersionsResponse::default();
        let more = numbers.len() > size;
        let page: Vec<u64> = numbers.into_iter().rev().take(size).collect();
        for number in &page {
            if let Some(entry) = self.policies.entry(&name, *number).await?
                && let PolicyEntry::Set(policy) = &entry.content
            {
                answer.policies.push(policy.message(&entry));
            }
        }
        if let Some(last) = page.last().filter(|_| more) {
            answer.next_page_token = last.to_string();
        }
        Ok(answer)
    }

    async fn clear(&self, request: v1::ClearPolicyRequest) -> Result<(), DetectorError> {
        let name = parse(&request.name)?.name;
        let latest = self.policies.latest(&name).await?;
        if !latest.is_some_and(|latest| matches!(latest.content, PolicyEntry::Set(_))) {
            return Err(DetectorError::Missing {
                what: format!("policies/{name}"),
                hint: "the model is unguarded already",
            });
        }
        let cleared = |latest: Option<&LogEntry<PolicyEntry>>| {
            latest
                .is_some_and(|latest| matches!(latest.content, PolicyEntry::Set(_)))
                .then_some(PolicyEntry::Cleared)
        };
        self.policies.append(&name, cleared).await?;
        self.deciders.forget(&name);
        Ok(())
    }
}

/// Adds what follows from the calibrations: thresholds, and where scans may stop early.
fn annotated(mut message: v1::Policy, decision: &Decision) -> v1::Policy {
    let early = |part: &Part| matches!(part.rule, Some(StopRule::EarlyRejection(_)));
    if let [(part, _)] = decision.parts.as_slice() {
        for detector in &mut message.detectors {
            detector.threshold = part.threshold.value();
            detector.early_rejection = early(part);
        }
    } else {
        for (detector, (part, _)) in message.detectors.iter_mut().zip(&decision.parts) {
            detector.threshold = part.threshold.value();
            detector.early_rejection = early(part);
        }
    }
    message
}

fn answer<T>(outcome: Result<T, DetectorError>) -> Result<Response<T>, Status> {
    outcome.map(Response::new).map_err(|error| status_of(&error))
}

#[tonic::async_trait]
impl Policies for PoliciesService {
    async fn set_policy(
        &self,
        request: Request<v1::SetPolicyRequest>,
    ) -> Result<Response<v1::Policy>, Status> {
        answer(self.set(request.into_inner()).await)
    }

    async fn get_policy(
        &self,
        request: Request<v1::GetPolicyRequest>,
    ) -> Result<Response<v1::Policy>, Status> {
        answer(self.get(request.into_inner()).await)
    }

    async fn list_policy_versions(
        &self,
        request: Request<v1::ListPolicyVersionsRequest>,
    ) -> Result<Response<v1::ListPolicyVersionsResponse>, Status> {
        answer(self.list(request.into_inner()).await)
    }

    async fn clear_policy(
        &self,
        request: Request<v1::ClearPolicyRequest>,
    ) -> Result<Response<v1::ClearPolicyResponse>, Status> {
        answer(self.clear(request.into_inner()).await.map(|()| v1::ClearPolicyResponse {}))
    }
}
