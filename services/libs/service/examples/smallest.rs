//! The smallest service: health, reflection and the admin pages, no rpcs of its own.

use std::process::ExitCode;

use gifthorse_service::{
    Configuration, Context, Identity, Rpcs, ServiceConfiguration, Validate, main_support,
};
use serde::{Deserialize, Serialize};

/// What a service may be told; its own sections stand beside the common one.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    service: ServiceConfiguration,
}

impl Validate for Settings {
    fn validate(&self) -> Result<(), gifthorse_service::configuration::Problem> {
        self.service.validate().map_err(|problem| problem.within("service"))
    }
}

impl Configuration for Settings {
    fn service(&self) -> &ServiceConfiguration {
        &self.service
    }
}

fn main() -> ExitCode {
    let identity = Identity {
        name: "smallest",
        version: env!("CARGO_PKG_VERSION"),
        about: "Answers nothing but questions about itself",
        descriptors: &[],
    };
    main_support::run(identity, |context: Context<Settings>| async move {
        let nothing = context.readiness.latch("nothing");
        nothing.set();
        Ok(Rpcs::new())
    })
}
