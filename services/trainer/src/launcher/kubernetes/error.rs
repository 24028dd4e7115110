//! What can go wrong between the trainer and a cluster.

use std::future::Future;
use std::time::Duration;

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1::job_fault::Kind;

use crate::launcher::NotLaunched;
use crate::queue::Fault;

/// How long the API server may take to answer one call.
const CALL: Duration = Duration::from_secs(10);

/// A call of the API server, for those who read about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// What a role calls the right to it.
    pub(crate) verb: &'static str,
    /// What a role calls the kind of object.
    pub(crate) resource: &'static str,
    /// Where the objects are; none for objects of the whole cluster.
    pub(crate) namespace: Option<String>,
}

impl Call {
    /// A call about objects of a namespace.
    pub(super) fn within(namespace: &str, verb: &'static str, resource: &'static str) -> Self {
        Self { verb, resource, namespace: Some(namespace.to_owned()) }
    }

    /// Makes the call, within the time that one may take.
    pub(super) async fn make<T>(
        &self,
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, KubernetesError> {
        match tokio::time::timeout(CALL, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.failed(error)),
            Err(_) => Err(KubernetesError::Unreachable(format!("no answer within {} s", CALL.as_secs()))),
        }
    }

    /// What an error of the client means for this call.
    pub(super) fn failed(&self, error: kube::Error) -> KubernetesError {
        let status = match error {
            kube::Error::Api(status) => status,
            error => return KubernetesError::Unreachable(root_cause(&error)),
        };
        let message = status.message.clone();
        match status.code {
            403 if message.contains("exceeded quota") => KubernetesError::Quota(message),
            401 | 403 => KubernetesError::Denied { call: self.clone(), message },
            429 | 500.. => KubernetesError::Unreachable(message),
            _ => KubernetesError::Refused { call: self.clone(), message },
        }
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.verb, self.resource)?;
        match &self.namespace {
            Some(namespace) => write!(formatter, " in namespace {namespace}"),
            None => formatter.write_str(" of the cluster"),
        }
    }
}

/// Why something could not be done in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KubernetesError {
    /// Nothing says where the cluster is.
    #[error("no cluster is found, neither by KUBECONFIG nor by a Pod's service account: {0}")]
    NoCluster(String),
    /// The API server is not there, or too busy.
    #[error("the cluster's API server does not answer: {0}")]
    Unreachable(String),
    /// The trainer's account has not the right.
    #[error("the trainer may not {call}: give its service account this right ({message})")]
    Denied {
        /// What it tried.
        call: Call,
        /// What the API server says.
        message: String,
    },
    /// The namespace has used up what it may have.
    #[error("the namespace's quota is used up: {0}")]
    Quota(String),
    /// The API server does not take it.
    #[error("the cluster refuses to {call}: {message}")]
    Refused {
        /// What was tried.
        call: Call,
        /// What the API server says.
        message: String,
    },
    /// Something else has the name.
    #[error("the name of the Job {0} is taken by something that is not this attempt's")]
    Taken(String),
    /// What had the name has not quite gone.
    #[error("an earlier Job {0} is still being removed")]
    BeingRemoved(String),
}

impl KubernetesError {
    /// What it means for an attempt that was to be launched. A missing right, or a Job that is not taken, fails it;
    /// what passes by itself does not.
    pub(super) fn not_launched(&self) -> NotLaunched {
        let message = self.to_string();
        match self {
            Self::Unreachable(_) | Self::BeingRemoved(_) => {
                NotLaunched::NotNow(Fault::waits(Kind::Launch, message))
            }
            Self::Quota(_) => NotLaunched::NotNow(Fault::waits(Kind::Unschedulable, message)),
            Self::NoCluster(_) | Self::Denied { .. } | Self::Refused { .. } | Self::Taken(_) => {
                NotLaunched::Failed(Fault::new(Kind::Launch, ErrorCode::WorkerNotStarted, message))
            }
        }
    }
}

/// The innermost reason: the layers of the client above it say nothing of their own.
pub(super) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn answers_are_told_apart_by_what_follows_from_them() {
        let call = Call::within("lab", "create", "jobs.batch");
        let answered = |code: u16, message: &str| {
            let status = Status::failure(message, "").with_code(code);
            call.failed(kube::Error::Api(status.boxed()))
        };
        let denied = answered(403, "jobs.batch is forbidden: User \"trainer\" cannot create");
        let said = denied.to_string();
        assert!(said.contains("may not create jobs.batch in namespace lab"), "{said}");
        let cases = [
            (denied, false, Kind::Launch),
            (answered(401, "Unauthorized"), false, Kind::Launch),
            (answered(422, "spec is immutable"), false, Kind::Launch),
            (answered(404, "namespaces \"lab\" not found"), false, Kind::Launch),
            (answered(403, "exceeded quota: small"), true, Kind::Unschedulable),
            (answered(429, "slow down"), true, Kind::Launch),
            (answered(503, "no leader"), true, Kind::Launch),
            (KubernetesError::BeingRemoved("a".to_owned()), true, Kind::Launch),
            (KubernetesError::Taken("a".to_owned()), false, Kind::Launch),
        ];
        for (error, passes, kind) in cases {
            let (fault, found) = match error.not_launched() {
                NotLaunched::NotNow(fault) => (fault, true),
                NotLaunched::Failed(fault) => (fault, false),
            };
            assert_eq!((fault.kind, found), (kind, passes), "{error}");
            assert_eq!(fault.message, error.to_string());
        }
    }
}
