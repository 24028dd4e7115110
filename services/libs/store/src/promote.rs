//! Choosing the version that answers for a model.

use gifthorse_api::name::{Identifier, Version};

use crate::error::{Result, StoreError};
use crate::model_folder::ModelFolder;
use crate::model_record::{RepairAnswer, RepairGate};
use crate::models::{Models, existing};
use crate::promotion::{Choice, Etag, Promotion, PromotionCondition};

/// What becomes the suspect of a promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuspectRule {
    /// Nothing is suspected.
    None,
    /// This version.
    Named(Version),
    /// What the version was repaired from; for one that did not come of a repair, the version that answered until
    /// now, and when that is the same one, its suspect.
    Origin,
}

/// Which version shall answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromotionRequest {
    /// The version.
    pub version: Version,
    /// What is suspected beside it.
    pub suspect: SuspectRule,
    /// On which condition.
    pub condition: PromotionCondition,
}

impl PromotionRequest {
    fn choose(self, model: &Identifier, latest: Option<&Promotion>) -> Result<Option<Choice>> {
        let previous = latest.and_then(|latest| latest.version);
        let found = latest.map_or(Etag::NEVER, |latest| latest.etag);
        match self.condition {
            PromotionCondition::Always => {}
            PromotionCondition::Unchanged(expected) if expected == found => {}
            PromotionCondition::Unchanged(expected) => {
                return Err(StoreError::EtagMismatch { model: model.clone(), expected, found });
            }
            PromotionCondition::NothingPromoted if previous.is_none() => {}
            PromotionCondition::NothingPromoted => return Ok(None),
        }
        let suspect = match self.suspect {
            SuspectRule::None => None,
            SuspectRule::Origin if previous == Some(self.version) => latest.and_then(|latest| latest.suspect),
            SuspectRule::Origin => previous,
            SuspectRule::Named(suspect) => Some(suspect),
        };
        Ok(Some(Choice { version: Some(self.version), suspect }))
    }
}

impl Models {
    /// What answers for the model; none when nothing was promoted, or the model is deleted or unknown.
    ///
    /// Two requests to the store, so that servers can ask often.
    pub async fn promoted(&self, model: &Identifier) -> Result<Option<Promotion>> {
        let latest = self.folder(model).promotions().latest().await?;
        Ok(latest.filter(|latest| latest.version.is_some()))
    }

    /// All promotions of the model, newest first.
    pub async fn history(&self, model: &Identifier) -> Result<Vec<Promotion>> {
        let folder = self.folder(model);
        existing(model, folder.committed().await?)?;
        folder.promotions().entries().await
    }

    /// Makes a version answer for the model, atomically, and answers the promotion that counts then.
    ///
    /// Fails with [`StoreError::EtagMismatch`] when someone else was faster than an expected etag, and with
    /// [`StoreError::NotRepaired`] for a repaired network that the gate has not let through, and with
    /// [`StoreError::UnlikePair`] for a suspect of other pictures or classes.
    pub async fn promote(&self, model: &Identifier, mut request: PromotionRequest) -> Result<Promotion> {
        let record = self.get_version(model, request.version).await?;
        if request.suspect == SuspectRule::Origin
            && record.specification.repair_gate.is_some()
            && let Some(parent) =
                record.specification.provenance.parent.as_ref().filter(|one| one.model == *model)
        {
            request.suspect = SuspectRule::Named(parent.version);
        }
        if let Some(RepairGate { answer: RepairAnswer::NotRepaired, reason }) =
            &record.specification.repair_gate
        {
            let (version, reason) = (request.version, reason.clone());
            return Err(StoreError::NotRepaired { model: model.clone(), version, reason });
        }
        if let SuspectRule::Named(suspect) = request.suspect {
            self.get_version(model, suspect).await?;
        }
        let folder = self.folder(model);
        let log = folder.promotions();
        let promotion = log.append(|latest| request.choose(model, latest)).await?;
        // A deletion that did not see the promotion yet may have removed a version meanwhile. It looks again
        // after removing, and so do we after promoting: one of both always notices and steps back.
        for version in [promotion.version, promotion.suspect].into_iter().flatten() {
            if folder.objects.size(&folder.mark(version)).await?.is_none() {
                take_back(&folder, &promotion).await?;
                return Err(StoreError::ModelVersionNotFound { model: model.clone(), version });
            }
        }
        // One picture is prepared once for both networks of a pair.
        if let Some(suspect) = promotion.suspect {
            let other = self.get_version(model, suspect).await?.specification;
            let own = record.specification;
            if own.preprocessing != other.preprocessing || own.classes.count() != other.classes.count() {
                take_back(&folder, &promotion).await?;
                return Err(StoreError::UnlikePair {
                    model: model.clone(),
                    version: request.version,
                    suspect,
                });
            }
        }
        Ok(promotion)
    }
}

/// Restores what was promoted before this entry, unless someone promoted something else since.
async fn take_back(folder: &ModelFolder, promotion: &Promotion) -> Result<()> {
    let log = folder.promotions();
    let before = log.entries().await?.into_iter().find(|entry| entry.etag < promotion.etag);
    let choice = before.map_or(Choice { version: None, suspect: None }, |entry| Choice {
        version: entry.version,
        suspect: entry.suspect,
    });
    log.append(|latest| Ok(latest.filter(|latest| latest.id == promotion.id).map(|_| choice))).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::unique_id::UniqueId;

    fn chosen(suspect: SuspectRule, latest: Option<(u64, Option<u64>)>) -> Option<Choice> {
        let version = |number| Version::new(number).unwrap();
        let latest = latest.map(|(answering, suspect)| Promotion {
            etag: Etag::NEVER,
            version: Some(version(answering)),
            suspect: suspect.map(version),
            time: Timestamp::UNIX_EPOCH,
            id: UniqueId::new(),
        });
        let request =
            PromotionRequest { version: version(2), suspect, condition: PromotionCondition::Always };
        request.choose(&"lab3".parse().unwrap(), latest.as_ref()).unwrap()
    }

    #[test]
    fn a_guarded_pair_keeps_its_suspect() {
        let pair = |suspect| Some(Choice { version: Version::new(2), suspect: Version::new(suspect) });
        assert_eq!(chosen(SuspectRule::Origin, Some((1, None))), pair(1));
        assert_eq!(chosen(SuspectRule::Origin, Some((2, Some(1)))), pair(1));
        assert_eq!(chosen(SuspectRule::Origin, None), pair(0));
        assert_eq!(chosen(SuspectRule::None, Some((1, None))), pair(0));
        assert_eq!(chosen(SuspectRule::Named(Version::FIRST), Some((3, None))), pair(1));
    }
}
