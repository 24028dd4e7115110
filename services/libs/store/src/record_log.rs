//! A log of records of which the last one counts: immutable versions with a current one.
//!
//! `COLLECTION/NAME/000000000042.json`, each created only if absent, so two processes can never both be entry
//! 42, and readers switch from one whole entry to the next.

use std::marker::PhantomData;

use gifthorse_api::name::Identifier;
use jiff::Timestamp;
use object_store::path::Path as ObjectPath;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::document::Record;
use crate::error::{Result, StoreError};
use crate::objects::{Creation, Objects};
use crate::unique_id::UniqueId;

/// Digits of an entry's number in its object's name: fixed, so that names sort like numbers.
const DIGITS: usize = 12;
/// How often we try again when others are faster, before we call the store unusable.
const ATTEMPTS: usize = 100;

/// What a log says in each of its entries.
pub trait Entry: std::fmt::Debug + Clone + Serialize + DeserializeOwned + Send + Sync {
    /// The collection, and the top folder it is kept in.
    const COLLECTION: &'static str;
    /// Number of the form of the record; see [`Record::FORMAT`].
    const FORMAT: u32;

    /// What the types alone do not rule out; the error says which rule is broken.
    fn check(&self) -> std::result::Result<(), String>;
}

/// One entry of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogEntry<T> {
    /// The log it belongs to.
    pub name: Identifier,
    /// Its number, from 1.
    pub number: u64,
    /// When it was added.
    pub time: Timestamp,
    /// Tells this entry from one that another process made of the same at the same time.
    pub id: UniqueId,
    /// What it says.
    pub content: T,
}

impl<T: Entry> Record for LogEntry<T> {
    const FORMAT: u32 = T::FORMAT;

    fn check(&self) -> std::result::Result<(), String> {
        if self.number == 0 {
            return Err("entries are numbered from 1".to_owned());
        }
        self.content.check()
    }
}

/// A collection of logs.
#[derive(Debug, Clone)]
pub struct RecordLogs<T> {
    objects: Objects,
    content: PhantomData<T>,
}

impl<T: Entry> RecordLogs<T> {
    pub(crate) fn new(objects: Objects) -> Self {
        Self { objects, content: PhantomData }
    }

    /// The entry that counts; none before the first.
    pub async fn latest(&self, name: &Identifier) -> Result<Option<LogEntry<T>>> {
        match self.numbers(name).await?.last() {
            Some(number) => self.entry(name, *number).await,
            None => Ok(None),
        }
    }

    /// One entry; none when there is none of this number.
    pub async fn entry(&self, name: &Identifier, number: u64) -> Result<Option<LogEntry<T>>> {
        let path = path::<T>(name, number);
        match self.objects.record::<LogEntry<T>>(&path).await? {
            Some(entry) if entry.number != number || entry.name != *name => {
                let reason = format!(
                    "it is entry {} of {}: entries cannot be copied or renamed",
                    entry.number, entry.name
                );
                Err(StoreError::RecordInvalid { path: path.to_string(), reason })
            }
            found => Ok(found),
        }
    }

    /// Numbers of the entries, rising.
    pub async fn numbers(&self, name: &Identifier) -> Result<Vec<u64>> {
        let folder = folder::<T>(name);
        let objects = self.objects.list(&folder).await?;
        Ok(objects.iter().filter_map(|object| number_of(&folder, &object.location)).collect())
    }

    /// Adds an entry. `choose` says what it shall be, given the one that counts now, or none to leave the log
    /// as it is; it is asked again whenever someone else was faster. Answers the entry that counts then.
    pub async fn append(
        &self,
        name: &Identifier,
        choose: impl Fn(Option<&LogEntry<T>>) -> Option<T>,
    ) -> Result<Option<LogEntry<T>>> {
        for _ in 0..ATTEMPTS {
            let latest = self.latest(name).await?;
            let Some(content) = choose(latest.as_ref()) else { return Ok(latest) };
            let number = latest.map_or(1, |latest| latest.number + 1);
            let entry =
                LogEntry { name: name.clone(), number, time: Timestamp::now(), id: UniqueId::new(), content };
            if self.objects.create_record(&path::<T>(name, number), &entry).await? == Creation::Created {
                return Ok(Some(entry));
            }
        }
        let what = format!("others were faster {ATTEMPTS} times at changing {}/{name}", T::COLLECTION);
        Err(StoreError::Internal { what })
    }
}

fn folder<T: Entry>(name: &Identifier) -> ObjectPath {
    ObjectPath::from(T::COLLECTION).join(name.as_str())
}

fn path<T: Entry>(name: &Identifier, number: u64) -> ObjectPath {
    folder::<T>(name).join(format!("{number:0DIGITS$}.json"))
}

/// The number of an entry; none for objects that are none of ours.
fn number_of(folder: &ObjectPath, path: &ObjectPath) -> Option<u64> {
    let name = path.filename().filter(|_| path.parent().as_ref() == Some(folder))?;
    let digits = name.strip_suffix(".json")?;
    let valid = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| valid).filter(|number| *number > 0)
}
