//! Who a worker is: a Pod of our own, by the token that the cluster gave it.
//!
//! The token is good for this trainer alone and for ten minutes. It names a Pod; the Pod belongs to a Job, and the
//! Job says which job it is for. A worker gets the lease of that job and of no other.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_api::name::Identifier;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus, UserInfo};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::PostParams;
use kube::{Api, Client};
use sha2::{Digest, Sha256};

use super::error::{Call, KubernetesError};
use super::names::{JOB, label};

/// How long a token is taken for good without asking again.
const REMEMBERED: Duration = Duration::from_secs(10);
/// Tokens that are remembered.
const MOST: usize = 1000;
/// Where a token says which Pod it is for.
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";

/// Why a worker gets no lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CredentialsError {
    /// There is no token.
    #[error(
        "this trainer gives leases to Pods of its own Jobs alone, and the request has no bearer token: start the \
         worker with --token-file"
    )]
    NoToken,
    /// The cluster does not know the token.
    #[error("the worker's token is not valid for this trainer: {0}")]
    NotValid(String),
    /// It is somebody else's.
    #[error("the worker's token gives no right to the lease of {job}: {why}")]
    NotIts {
        /// The job that was asked for.
        job: String,
        /// Whose token it is.
        why: String,
    },
    /// Nobody can say.
    #[error("the worker's token cannot be checked: {0}")]
    Unchecked(KubernetesError),
}

impl Coded for CredentialsError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoToken | Self::NotValid(_) => ErrorCode::Unauthenticated,
            Self::NotIts { .. } => ErrorCode::PermissionDenied,
            Self::Unchecked(_) => ErrorCode::ServiceUnavailable,
        }
    }
}

/// Knows workers by their tokens.
pub(crate) struct Credentials {
    client: Client,
    namespace: String,
    /// What the cluster calls the workers' account.
    user: String,
    audience: String,
    /// Digests of tokens with their job and when that was found out.
    remembered: Mutex<BTreeMap<[u8; 32], (Instant, String)>>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Credentials {
    pub(super) fn new(client: Client, namespace: &str, account: &str, audience: String) -> Self {
        let user = format!("system:serviceaccount:{namespace}:{account}");
        Self { client, namespace: namespace.to_owned(), user, audience, remembered: Mutex::default() }
    }

    /// Whether whoever has this token may have the lease of the job; none asks for any job.
    pub(crate) async fn check(
        &self,
        token: Option<&str>,
        job: Option<&Identifier>,
    ) -> Result<(), CredentialsError> {
        let token = token.ok_or(CredentialsError::NoToken)?;
        let digest: [u8; 32] = Sha256::digest(token).into();
        let asked = job.map_or("any job", Identifier::as_str);
        let its = if let Some(its) = self.recall(&digest) {
            its
        } else {
            let its = self.job_of(token, asked).await?;
            self.memorise(digest, its.clone());
            its
        };
        if Some(its.as_str()) == job.map(Identifier::as_str) {
            return Ok(());
        }
        Err(CredentialsError::NotIts { job: asked.to_owned(), why: format!("it is that of {its}") })
    }

    fn recall(&self, digest: &[u8; 32]) -> Option<String> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get(digest).filter(|(when, _)| when.elapsed() < REMEMBERED).map(|(_, job)| job.clone())
    }

    fn memorise(&self, digest: [u8; 32], job: String) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.retain(|_, (when, _)| when.elapsed() < REMEMBERED);
        if remembered.len() < MOST {
            remembered.insert(digest, (Instant::now(), job));
        }
    }

    /// The job that a token is for: that of the Job that owns its Pod.
    async fn job_of(&self, token: &str, asked: &str) -> Result<String, CredentialsError> {
        let not_its = |why: &str| CredentialsError::NotIts { job: asked.to_owned(), why: why.to_owned() };
        let user = self.reviewed(token).await?;
        if user.username.as_deref() != Some(&self.user) {
            let name = user.username.unwrap_or_default();
            return Err(not_its(&format!("it is that of {name}, not of {}", self.user)));
        }
        let (name, uid) = (first(&user, POD_NAME), first(&user, POD_UID));
        let (Some(name), Some(uid)) = (name, uid) else {
            return Err(not_its("it is bound to no Pod"));
        };
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let pod = Call::within(&self.namespace, "get", "pods").make(pods.get_opt(name)).await;
        let pod = pod.map_err(CredentialsError::Unchecked)?;
        let pod = pod.filter(|pod| pod.metadata.uid.as_deref() == Some(uid));
        let pod = pod.ok_or_else(|| not_its(&format!("its Pod {name} is gone")))?;
        let owner = pod.metadata.owner_references.unwrap_or_default();
        let owner = owner.into_iter().find(is_job).ok_or_else(|| not_its("its Pod belongs to no Job"))?;
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), &self.namespace);
        let found = Call::within(&self.namespace, "get", "jobs.batch").make(jobs.get_opt(&owner.name)).await;
        let found = found.map_err(CredentialsError::Unchecked)?;
        let found = found.filter(|job| job.metadata.uid.as_deref() == Some(&owner.uid));
        let found = found.ok_or_else(|| not_its(&format!("the Job {} of its Pod is gone", owner.name)))?;
        let its = label(found.metadata.labels.as_ref(), JOB).map(str::to_owned);
        its.ok_or_else(|| not_its(&format!("the Job {} of its Pod is none of this trainer's", owner.name)))
    }

    /// Who the cluster says has the token, where it is meant for this trainer.
    async fn reviewed(&self, token: &str) -> Result<UserInfo, CredentialsError> {
        let review = TokenReview {
            spec: TokenReviewSpec {
                audiences: Some(vec![self.audience.clone()]),
                token: Some(token.to_owned()),
            },
            ..TokenReview::default()
        };
        let reviews: Api<TokenReview> = Api::all(self.client.clone());
        let create = Call { verb: "create", resource: "tokenreviews.authentication.k8s.io", namespace: None };
        let answer = create.make(reviews.create(&PostParams::default(), &review)).await;
        let TokenReviewStatus { audiences, authenticated, error, user } =
            answer.map_err(CredentialsError::Unchecked)?.status.unwrap_or_default();
        if authenticated != Some(true) {
            let why = error.unwrap_or_else(|| "the cluster does not know it".to_owned());
            return Err(CredentialsError::NotValid(why));
        }
        // A server that says nothing of audiences has not looked at them.
        if !audiences.unwrap_or_default().contains(&self.audience) {
            let why = format!("it is not meant for {}", self.audience);
            return Err(CredentialsError::NotValid(why));
        }
        user.ok_or_else(|| CredentialsError::NotValid("the cluster does not say whose it is".to_owned()))
    }
}

fn first<'a>(user: &'a UserInfo, key: &str) -> Option<&'a str> {
    user.extra.as_ref()?.get(key)?.first().map(String::as_str)
}

fn is_job(owner: &OwnerReference) -> bool {
    owner.kind == "Job" && owner.api_version == "batch/v1" && owner.controller == Some(true)
}
