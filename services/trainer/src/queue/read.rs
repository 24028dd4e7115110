//! Looking at jobs.

use gifthorse_api::name::Identifier;
use sha2::{Digest, Sha256};
use sqlx::Row;

use super::Queue;
use super::job::{Job, State};
use super::rows::{self, JOB};
use crate::database::DatabaseError;
use crate::error::TrainerError;
use crate::time::Millis;

/// Jobs on a page when the caller does not say, and at most.
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 1000;

/// Which jobs are listed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listing {
    /// Those of this model; none for all.
    pub(crate) model: Option<Identifier>,
    /// Those in one of these states; empty for all.
    pub(crate) states: Vec<State>,
    /// At most this many.
    size: usize,
    /// Those after this one.
    after: Option<(Millis, String)>,
}

impl Listing {
    /// A page as a caller asks for it.
    pub(crate) fn new(
        model: Option<Identifier>,
        mut states: Vec<State>,
        size: i32,
        token: &str,
    ) -> Result<Self, TrainerError> {
        states.sort_unstable();
        states.dedup();
        let size = match usize::try_from(size) {
            Ok(0) => PAGE,
            Ok(size) => size.min(LARGEST_PAGE),
            Err(_) => {
                let message = format!("is {size}, use 0 for the default or a positive number");
                return Err(TrainerError::field("page_size", message));
            }
        };
        let mut listing = Self { model, states, size, after: None };
        if !token.is_empty() {
            listing.after = Some(listing.read_token(token).ok_or(TrainerError::PageToken)?);
        }
        Ok(listing)
    }

    /// Where a token goes on; none unless it was made here for this listing.
    fn read_token(&self, token: &str) -> Option<(Millis, String)> {
        let (key, _) = token.split_once('.')?;
        let key = String::from_utf8(hex::decode(key).ok()?).ok()?;
        let (created, id) = key.split_once(' ')?;
        let after = (created.parse().ok()?, id.to_owned());
        (self.token(&after) == token).then_some(after)
    }

    /// Opaque to callers: the place, and a checksum that ties it to its listing.
    fn token(&self, (created, id): &(Millis, String)) -> String {
        let key = format!("{created} {id}");
        let checksum = Sha256::digest(format!("{:?} {:?} {key}", self.model, self.states));
        format!("{}.{}", hex::encode(&key), hex::encode(checksum.get(..8).unwrap_or_default()))
    }
}

impl Queue {
    /// One job.
    pub(crate) async fn get(&self, id: &Identifier) -> Result<Job, TrainerError> {
        let statement = format!("{JOB} WHERE id = $1");
        let found = self.one(self.database.reader(), &statement, id.as_str()).await?;
        found.ok_or_else(|| TrainerError::JobNotFound(id.clone()))
    }

    /// Jobs, newest first, and the token of the next page.
    pub(crate) async fn list(&self, listing: &Listing) -> Result<(Vec<Job>, String), TrainerError> {
        // Numbers alone are written into the statement; everything a caller wrote is bound.
        let mut statement = format!("{JOB} WHERE ($1 = '' OR model = $1)");
        if !listing.states.is_empty() {
            let states: Vec<String> =
                listing.states.iter().map(|state| i32::from(*state).to_string()).collect();
            statement = format!("{statement} AND state IN ({})", states.join(", "));
        }
        statement.push_str(" AND (created_ms < $2 OR (created_ms = $2 AND id < $3))");
        statement = format!("{statement} ORDER BY created_ms DESC, id DESC LIMIT {}", listing.size + 1);
        let (created, id) = listing.after.clone().unwrap_or((Millis::MAX, String::new()));
        let rows = sqlx::query(&statement)
            .bind(listing.model.as_ref().map_or("", Identifier::as_str))
            .bind(created)
            .bind(id)
            .fetch_all(self.database.reader())
            .await
            .map_err(|error| DatabaseError::of("read", error))?;
        let mut jobs = rows.iter().map(rows::job).collect::<Result<Vec<_>, _>>()?;
        let more = jobs.len() > listing.size;
        jobs.truncate(listing.size);
        let token = jobs.last().filter(|_| more);
        let token = token.map(|last| listing.token(&(last.created, last.id.to_string())));
        Ok((jobs, token.unwrap_or_default()))
    }

    /// How many waiting jobs would run before one of this priority.
    pub(crate) async fn ahead(&self, priority: i32) -> Result<i64, TrainerError> {
        let statement = "SELECT COUNT(*) AS ahead FROM jobs WHERE state = $1 AND priority >= $2";
        let counted = sqlx::query(statement)
            .bind(i64::from(i32::from(State::Queued)))
            .bind(i64::from(priority))
            .fetch_one(self.database.reader())
            .await
            .and_then(|row| row.try_get("ahead"));
        Ok(counted.map_err(|error| DatabaseError::of("read", error))?)
    }
}
