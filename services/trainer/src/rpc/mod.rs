//! The services that the trainer offers.

mod jobs;
mod report;
mod worker;

use gifthorse_api::status::status_of;
use tonic::Status;

pub(crate) use jobs::{House, JobsService};
pub(crate) use worker::WorkerService;

use crate::error::TrainerError;

#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands errors over")]
fn refused(error: TrainerError) -> Status {
    status_of(&error)
}
