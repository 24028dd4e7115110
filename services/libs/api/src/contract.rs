//! What the contract names, read off the descriptors: for services that answer "not built", for tests that
//! must cover every rpc.

use prost::Message;
use prost_types::FileDescriptorSet;

use crate::FILE_DESCRIPTOR_SET;

/// Names of the rpcs of a service, in the order of the contract; empty for a service it does not name.
///
/// `service` is the full name, `gifthorse.v1.Detection`.
pub fn rpc_names(service: &str) -> Vec<String> {
    // The descriptors were written by our own build script: they decode, or the build is broken.
    let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).map(|set| set.file).unwrap_or_default();
    files
        .iter()
        .flat_map(|file| file.service.iter().map(move |found| (file.package(), found)))
        .find(|(package, found)| service == format!("{package}.{}", found.name()))
        .map(|(_, found)| found.method.iter().map(|method| method.name().to_owned()).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_of_the_house_is_described() {
        for (service, rpcs) in [
            ("gifthorse.v1.Guard", 2),
            ("gifthorse.v1.Models", 11),
            ("gifthorse.v1.Datasets", 4),
            ("gifthorse.v1.Detection", 8),
            ("gifthorse.v1.Policies", 4),
            ("gifthorse.v1.Alarms", 5),
            ("gifthorse.v1.PruningJobs", 7),
            ("gifthorse.v1.Worker", 6),
        ] {
            assert_eq!(rpc_names(service).len(), rpcs, "{service}");
        }
        assert_eq!(rpc_names("inference.GRPCInferenceService")[0], "ServerLive");
        assert!(rpc_names("gifthorse.v1.Nothing").is_empty());
    }
}
