//! Promotes the versions of jobs that asked for it, once for each job.

use gifthorse_api::name::ModelName;
use gifthorse_store::{PromotionCondition, PromotionRequest, Store, StoreError, SuspectRule};

use crate::error::TrainerError;
use crate::queue::Job;

/// Makes the version of a job answer, with the one that answered until now as its suspect. What is wrong for
/// good is said; what may pass is an error.
pub(crate) async fn promote(store: &Store, job: &Job) -> Result<String, TrainerError> {
    let name: ModelName = job.result.version.parse()?;
    let Some(version) = name.version else {
        return Ok(format!("not promoted: {} names no version", job.result.version));
    };
    let models = store.models();
    let final_word = |error: &StoreError| {
        matches!(
            error,
            StoreError::ModelNotFound { .. }
                | StoreError::ModelVersionNotFound { .. }
                | StoreError::NotRepaired { .. }
                | StoreError::UnlikePair { .. }
        )
    };
    match models.history(&name.model).await {
        // A trainer that promoted it and ended before it could say so.
        Ok(history) if history.iter().any(|entry| entry.version == Some(version)) => {
            return Ok(format!("{name} was promoted"));
        }
        Ok(_) => {}
        Err(error) if final_word(&error) => return Ok(format!("not promoted: {error}")),
        Err(error) => return Err(error.into()),
    }
    let request =
        PromotionRequest { version, suspect: SuspectRule::Origin, condition: PromotionCondition::Always };
    match models.promote(&name.model, request).await {
        Ok(_) => Ok(format!("{name} is promoted")),
        Err(error) if final_word(&error) => Ok(format!("not promoted: {error}")),
        Err(error) => Err(error.into()),
    }
}
