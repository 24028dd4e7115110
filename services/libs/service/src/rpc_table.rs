//! The rpcs a program has, with their metrics looked up once.
//!
//! The table is made from the protobuf descriptors, so the labels are bounded: a path that no descriptor
//! knows is counted under `other`.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics::{Counter, Histogram};
use prost::{DecodeError, Message};
use prost_types::FileDescriptorSet;
use tonic::Code;

use crate::metric_names::{RPC_HANDLED, RPC_SECONDS, RPC_STARTED};

/// gRPC defines the codes 0 to 16.
const CODES: usize = 17;

/// One rpc and its metrics.
pub(crate) struct Rpc {
    service: String,
    method: String,
    started: Counter,
    seconds: Histogram,
    /// Made at the first use of a code, so that codes never seen are not in the exposition.
    handled: [OnceLock<Counter>; CODES],
}

impl Rpc {
    fn new(service: &str, method: &str) -> Self {
        let labels = [("service", service.to_owned()), ("method", method.to_owned())];
        Self {
            service: service.to_owned(),
            method: method.to_owned(),
            started: metrics::counter!(RPC_STARTED, &labels),
            seconds: metrics::histogram!(RPC_SECONDS, &labels),
            handled: [const { OnceLock::new() }; CODES],
        }
    }

    /// The full name of the protobuf service.
    pub(crate) fn service(&self) -> &str {
        &self.service
    }

    /// The method within the service.
    pub(crate) fn method(&self) -> &str {
        &self.method
    }

    /// Health and reflection: what operators need most when a service is overloaded.
    pub(crate) fn is_never_shed(&self) -> bool {
        self.service.starts_with("grpc.health.") || self.service.starts_with("grpc.reflection.")
    }

    /// Counts a request taken.
    pub(crate) fn count_started(&self) {
        self.started.increment(1);
    }

    /// Counts a request that ended with `code` after `time`.
    pub(crate) fn count_handled(&self, code: Code, time: Duration) {
        self.seconds.record(time);
        if let Some(counter) = self.handled.get(code as usize) {
            counter.get_or_init(|| self.handled_counter(code)).increment(1);
        }
    }

    fn handled_counter(&self, code: Code) -> Counter {
        let labels = [
            ("service", self.service.clone()),
            ("method", self.method.clone()),
            ("code", code_name(code).to_owned()),
        ];
        metrics::counter!(RPC_HANDLED, &labels)
    }
}

/// All rpcs by their path, `/package.Service/Method`.
pub(crate) struct RpcTable {
    by_path: HashMap<String, Arc<Rpc>>,
    other: Arc<Rpc>,
}

impl RpcTable {
    /// The rpcs of the services for which `is_served` holds, out of encoded `FileDescriptorSet`s.
    pub(crate) fn new(descriptors: &[&[u8]], is_served: impl Fn(&str) -> bool) -> Result<Self, DecodeError> {
        let mut by_path = HashMap::new();
        for encoded in descriptors {
            for file in FileDescriptorSet::decode(*encoded)?.file {
                let package = file.package().to_owned();
                for service in &file.service {
                    let name = full_name(&package, service.name());
                    if !is_served(&name) {
                        continue;
                    }
                    for method in &service.method {
                        let rpc = Arc::new(Rpc::new(&name, method.name()));
                        by_path.insert(format!("/{name}/{}", method.name()), rpc);
                    }
                }
            }
        }
        Ok(Self { by_path, other: Arc::new(Rpc::new("other", "other")) })
    }

    /// The rpc at this path.
    pub(crate) fn find(&self, path: &str) -> &Arc<Rpc> {
        self.by_path.get(path).unwrap_or(&self.other)
    }
}

fn full_name(package: &str, service: &str) -> String {
    if package.is_empty() { service.to_owned() } else { format!("{package}.{service}") }
}

/// The name of a code as the gRPC documents spell it.
pub(crate) const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn served_rpcs_are_found_and_others_are_bounded() {
        let health = tonic_health::pb::FILE_DESCRIPTOR_SET;
        let table = RpcTable::new(&[health], |name| name == "grpc.health.v1.Health").unwrap();
        let check = table.find("/grpc.health.v1.Health/Check");
        assert_eq!((check.service(), check.method()), ("grpc.health.v1.Health", "Check"));
        assert!(check.is_never_shed());

        for stranger in ["", "/", "/grpc.health.v1.Health/Nothing", "/a.B/C"] {
            assert_eq!(table.find(stranger).service(), "other", "{stranger}");
        }
        let none = RpcTable::new(&[health], |_| false).unwrap();
        assert_eq!(none.find("/grpc.health.v1.Health/Check").service(), "other");
        assert!(RpcTable::new(&[b"\xff\xff"], |_| true).is_err());
    }
}
