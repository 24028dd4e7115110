//! Which version answers for a model: a log whose last entry is the truth.
//!
//! Every promotion is one object, `models/NAME/promotions/000000000042.json`, created only if absent. So two
//! processes can never both be entry 42, readers switch from one whole entry to the next, and the past stays
//! readable.

use std::fmt;
use std::str::FromStr;

use gifthorse_api::name::{Identifier, Version};
use jiff::Timestamp;
use object_store::path::Path as ObjectPath;
use serde::{Deserialize, Serialize};

use crate::document::Record;
use crate::error::{Result, StoreError, shortened};
use crate::objects::{Creation, Objects};
use crate::unique_id::UniqueId;

/// Digits of a sequence number in an object's name: fixed, so that names sort like numbers.
const DIGITS: usize = 12;
/// How often we try again when others are faster, before we call the store unusable.
const ATTEMPTS: usize = 1000;

/// The number of a model's last promotion; zero before the first. Changes with every promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Etag(u64);

impl Etag {
    /// The etag of a model that was never promoted.
    pub const NEVER: Self = Self(0);
}

impl FromStr for Etag {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self> {
        let number = text.parse().ok().filter(|number: &u64| number.to_string() == text);
        number.map(Self).ok_or_else(|| StoreError::Field {
            field: "etag",
            value: shortened(text),
            rule: "send back the etag of the model as you read it, or none",
        })
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promotion {
    /// Its number.
    pub etag: Etag,
    /// The version that answers; none after the model was deleted.
    pub version: Option<Version>,
    /// The version that is suspected, where a repaired one answers (a guarded pair).
    pub suspect: Option<Version>,
    /// When it was promoted.
    pub time: Timestamp,
    /// Tells this entry from one that another process made of the same at the same time.
    pub id: UniqueId,
}

impl Record for Promotion {
    const FORMAT: u32 = 1;

    fn check(&self) -> std::result::Result<(), String> {
        match (self.version, self.suspect) {
            (None, Some(suspect)) => Err(format!("version {suspect} is suspected beside none that answers")),
            (Some(version), Some(suspect)) if version == suspect => {
                Err(format!("version {version} would be its own suspect"))
            }
            _ => Ok(()),
        }
    }
}

/// On which condition a version is promoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromotionCondition {
    /// Whatever is promoted now.
    Always,
    /// When this is still the model's etag.
    Unchanged(Etag),
    /// When nothing is promoted; otherwise the present promotion stays and is answered.
    NothingPromoted,
}

/// The log of one model.
#[derive(Debug, Clone)]
pub(crate) struct PromotionLog {
    objects: Objects,
    model: Identifier,
    folder: ObjectPath,
}

impl PromotionLog {
    pub(crate) fn new(objects: Objects, model: Identifier, folder: ObjectPath) -> Self {
        Self { objects, model, folder }
    }

    /// The entry that counts; none before the first.
    pub(crate) async fn latest(&self) -> Result<Option<Promotion>> {
        for _ in 0..ATTEMPTS {
            let Some(etag) = self.etags().await?.pop() else { return Ok(None) };
            // Gone since it was listed: the model was deleted, which has left a newer entry.
            if let Some(promotion) = self.read(etag).await? {
                return Ok(Some(promotion));
            }
        }
        Err(self.contended())
    }

    /// All entries that are kept, newest first.
    pub(crate) async fn entries(&self) -> Result<Vec<Promotion>> {
        let mut entries = Vec::new();
        for etag in self.etags().await?.into_iter().rev() {
            entries.extend(self.read(etag).await?);
        }
        Ok(entries)
    }

    /// Adds an entry. `choose` says what it should be, given the entry that counts now; none leaves the log as
    /// it is and answers that entry. It is asked again whenever someone else was faster.
    pub(crate) async fn append(
        &self,
        choose: impl Fn(Option<&Promotion>) -> Result<Option<Choice>>,
    ) -> Result<Promotion> {
        for _ in 0..ATTEMPTS {
            let latest = self.latest().await?;
            let Some(Choice { version, suspect }) = choose(latest.as_ref())? else {
                let nothing =
                    || StoreError::Internal { what: "no promotion was chosen and none kept".to_owned() };
                return latest.ok_or_else(nothing);
            };
            let etag = self.after(latest.map_or(Etag::NEVER, |latest| latest.etag))?;
            let promotion = Promotion { etag, version, suspect, time: Timestamp::now(), id: UniqueId::new() };
            if self.objects.create_record(&self.path(etag), &promotion).await? == Creation::Created {
                return Ok(promotion);
            }
        }
        Err(self.contended())
    }

    /// Removes the entries before this one.
    pub(crate) async fn forget_before(&self, last: Etag) -> Result<()> {
        for etag in self.etags().await?.into_iter().filter(|etag| *etag < last) {
            self.objects.delete(&self.path(etag)).await?;
        }
        Ok(())
    }

    async fn read(&self, etag: Etag) -> Result<Option<Promotion>> {
        let path = self.path(etag);
        match self.objects.record::<Promotion>(&path).await? {
            Some(promotion) if promotion.etag != etag => {
                let reason = format!("it is entry {}: entries cannot be renamed", promotion.etag);
                Err(StoreError::RecordInvalid { path: path.to_string(), reason })
            }
            found => Ok(found),
        }
    }

    /// Numbers of the entries, rising.
    async fn etags(&self) -> Result<Vec<Etag>> {
        let objects = self.objects.list(&self.folder).await?;
        Ok(objects.iter().filter_map(|object| number_of(&self.folder, &object.location)).collect())
    }

    fn path(&self, etag: Etag) -> ObjectPath {
        self.folder.clone().join(format!("{:0DIGITS$}.json", etag.0))
    }

    fn after(&self, etag: Etag) -> Result<Etag> {
        let next = Etag(etag.0 + 1);
        if next.to_string().len() <= DIGITS {
            return Ok(next);
        }
        let reason = "no number is left after it: remove this entry".to_owned();
        Err(StoreError::RecordInvalid { path: self.path(etag).to_string(), reason })
    }

    fn contended(&self) -> StoreError {
        StoreError::Internal {
            what: format!("others were faster {ATTEMPTS} times at promoting {}", self.model),
        }
    }
}

/// What a new entry of the log shall say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) version: Option<Version>,
    pub(crate) suspect: Option<Version>,
}

/// The number of an entry; none for objects that are none of ours.
fn number_of(folder: &ObjectPath, path: &ObjectPath) -> Option<Etag> {
    let name = path.filename().filter(|_| path.parent().as_ref() == Some(folder))?;
    let digits = name.strip_suffix(".json")?;
    let valid = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| valid).filter(|number| *number > 0).map(Etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_entries() {
        let folder = ObjectPath::from("models/lab3/promotions");
        let number = |name: &str| number_of(&folder, &folder.clone().join(name)).map(|etag| etag.0);
        assert_eq!(number("000000000042.json"), Some(42));
        for foreign in
            ["42.json", "000000000000.json", "00000000004x.json", "000000000042.json~", "+00000000042.json"]
        {
            assert_eq!(number(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn etags_have_one_spelling() {
        assert_eq!("7".parse::<Etag>().unwrap(), Etag(7));
        for bad in ["", "07", "+7", "-1", "7 ", "99999999999999999999999"] {
            assert!(bad.parse::<Etag>().is_err(), "{bad:?} must be refused");
        }
    }
}
