//! Pages of a listing.

use std::future::Future;

use futures::stream::{self, StreamExt};

use crate::digest::Sha256Digest;
use crate::error::{Result, StoreError};

/// How many entries are read from the store at once while a page is filled.
const CONCURRENT_READS: usize = 8;

/// Which page of a listing: at most `size` entries after the one that the token names.
#[derive(Debug, Clone)]
pub struct PageRequest {
    size: usize,
    token: String,
}

impl PageRequest {
    /// Entries on a page when the caller does not say.
    pub const DEFAULT_SIZE: usize = 50;
    /// Entries on a page at most; more are cut to this.
    pub const MAX_SIZE: usize = 1000;

    /// A page as a caller asks for it: zero entries stand for [`Self::DEFAULT_SIZE`], an empty token for the
    /// first page. The token is checked by the listing it is used for. Negative sizes are refused.
    pub fn new(size: i32, token: impl Into<String>) -> Result<Self> {
        let size = match usize::try_from(size) {
            Ok(0) => Self::DEFAULT_SIZE,
            Ok(size) => size.min(Self::MAX_SIZE),
            Err(_) => {
                return Err(StoreError::Field {
                    field: "page_size",
                    value: size.to_string(),
                    rule: "use 0 for the default or a positive number",
                });
            }
        };
        Ok(Self { size, token: token.into() })
    }

    /// The key after which the page starts; none for the first page.
    pub(crate) fn after(&self, listing: &str) -> Result<Option<String>> {
        if self.token.is_empty() {
            return Ok(None);
        }
        let wrong = || StoreError::PageToken { listing: listing.to_owned() };
        let (key, _) = self.token.split_once('.').ok_or_else(wrong)?;
        let key = String::from_utf8(hex::decode(key).map_err(|_| wrong())?).map_err(|_| wrong())?;
        // Only the spelling that we make ourselves is taken, so a token of another listing cannot pass.
        if page_token(listing, &key) == self.token { Ok(Some(key)) } else { Err(wrong()) }
    }
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { size: Self::DEFAULT_SIZE, token: String::new() }
    }
}

/// A page of a listing.
#[derive(Debug)]
pub struct Page<T> {
    /// The entries, in the order of the listing.
    pub items: Vec<T>,
    /// Entries that lie between them but cannot be read: one damaged record does not hide the others.
    pub damaged: Vec<StoreError>,
    /// Token of the next page; empty on the last.
    pub next_page_token: String,
}

/// Opaque to callers: the key, and a checksum that ties it to its listing.
fn page_token(listing: &str, key: &str) -> String {
    let mut checksum = Sha256Digest::of(format!("{listing}\0{key}").as_bytes()).to_string();
    checksum.truncate(16);
    format!("{}.{checksum}", hex::encode(key))
}

/// Fills a page from `keys`, which are in the order of the listing and start after the token's key.
///
/// `read` answers none for a key that turns out to name nothing (deleted, or never committed).
pub(crate) async fn fill<T, Reading>(
    request: &PageRequest,
    listing: &str,
    keys: Vec<String>,
    read: impl Fn(String) -> Reading,
) -> Result<Page<T>>
where
    Reading: Future<Output = Result<Option<T>>>,
{
    let mut page = Page { items: Vec::new(), damaged: Vec::new(), next_page_token: String::new() };
    let mut last = String::new();
    let reads = stream::iter(keys).map(|key| {
        let reading = read(key.clone());
        async move { (key, reading.await) }
    });
    let mut reads = std::pin::pin!(reads.buffered(CONCURRENT_READS));
    while let Some((key, outcome)) = reads.next().await {
        match outcome {
            Ok(None) => {}
            Ok(Some(_)) if page.items.len() == request.size => {
                page.next_page_token = page_token(listing, &last);
                break;
            }
            Ok(Some(item)) => page.items.push(item),
            Err(error) if error.is_damage() => {
                tracing::warn!(%error, listing, "damaged record left out of a listing");
                page.damaged.push(error);
            }
            Err(error) => return Err(error),
        }
        last = key;
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(size: i32, token: &str) -> PageRequest {
        PageRequest::new(size, token).unwrap()
    }

    #[test]
    fn tokens_belong_to_one_listing() {
        let token = page_token("models", "lab3");
        assert_eq!(request(1, &token).after("models").unwrap().as_deref(), Some("lab3"));
        assert!(request(1, "").after("models").unwrap().is_none());
        let shouted = token.to_uppercase();
        for (token, listing) in
            [(token.as_str(), "datasets"), ("lab3", "models"), ("zz.00", "models"), (".", "models")]
        {
            assert!(
                matches!(request(1, token).after(listing), Err(StoreError::PageToken { .. })),
                "{token:?} must be refused for {listing}"
            );
        }
        assert!(request(1, &shouted).after("models").is_err());
    }

    #[test]
    fn sizes_follow_the_contract() {
        assert_eq!(request(0, "").size, 50);
        assert_eq!(request(5000, "").size, 1000);
        assert!(matches!(PageRequest::new(-1, ""), Err(StoreError::Field { field: "page_size", .. })));
    }

    #[tokio::test]
    async fn damaged_and_vanished_entries_do_not_end_a_page() {
        let keys = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
        let page = fill(&request(2, ""), "letters", keys, |key| async move {
            match key.as_str() {
                "a" => Err(StoreError::RecordInvalid { path: key, reason: "test".into() }),
                "c" => Ok(None),
                _ => Ok(Some(key)),
            }
        })
        .await
        .unwrap();
        assert_eq!(page.items, ["b", "d"]);
        assert_eq!(page.damaged.len(), 1);
        assert_eq!(request(2, &page.next_page_token).after("letters").unwrap().as_deref(), Some("d"));
    }
}
