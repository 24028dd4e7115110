//! What only an S3-like store needs: opening it.
//!
//! `s3://BUCKET/PREFIX`; everything else (credentials, region, endpoint of a store that is not Amazon's) comes from the
//! environment under the names that all tools use: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`,
//! `AWS_REGION`, `AWS_ENDPOINT`, `AWS_ALLOW_HTTP`, or what a pod's service account is given. The store must know conditional
//! puts (`If-None-Match`): the claim of a version is one.

use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path as ObjectPath;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore as _, RetryConfig};
use url::Url;

use crate::error::{Result, StoreError};

/// The scheme of such an address.
pub(crate) const SCHEME: &str = "s3";
/// How often a request that failed for a reason that may pass is repeated, and for how long.
const RETRIES: usize = 6;
const RETRY_FOR: Duration = Duration::from_secs(30);
/// How long a connection may take, and one request: a part of eight megabytes on a slow line.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_mins(1);

/// Opens the bucket and looks whether it answers.
///
/// # Errors
/// [`StoreError::Address`] where address or environment are no description of a bucket, [`StoreError::Unavailable`] where the
/// bucket does not answer, or refuses these credentials.
pub(crate) async fn open(url: &Url, shown: &str) -> Result<PrefixStore<AmazonS3>> {
    let refused = |reason: String| StoreError::Address { url: shown.to_owned(), reason };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("give credentials by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("an address is s3://BUCKET/PREFIX and no more".to_owned()));
    }
    let bucket = url.host_str().filter(|bucket| !bucket.is_empty());
    let bucket = bucket.ok_or_else(|| refused("name a bucket: s3://BUCKET/PREFIX".to_owned()))?;
    let prefix = ObjectPath::parse(url.path().trim_matches('/'))
        .map_err(|error| refused(format!("the prefix is none: {error}")))?;
    use_ring();
    let retry =
        RetryConfig { backoff: BackoffConfig::default(), max_retries: RETRIES, retry_timeout: RETRY_FOR };
    let client = ClientOptions::new().with_connect_timeout(CONNECT_WITHIN).with_timeout(ANSWER_WITHIN);
    // What the environment says of the connection is kept: the builder reads it after.
    let builder = AmazonS3Builder::new().with_client_options(client).with_retry(retry);
    let builder =
        environment(builder).with_bucket_name(bucket).with_conditional_put(S3ConditionalPut::ETagMatch);
    let store = builder.build().map_err(|error| refused(error.to_string()))?;
    let store = PrefixStore::new(store, prefix);
    // A wrong secret is told now and not at the first request of a user.
    let looked = store.list_with_delimiter(Some(&ObjectPath::from("models"))).await;
    looked.map_err(|error| crate::objects::failed("open", &ObjectPath::from("models"), error))?;
    Ok(store)
}

/// What the environment says, under the names that `AmazonS3Builder::from_env` knows.
fn environment(mut builder: AmazonS3Builder) -> AmazonS3Builder {
    for (name, value) in std::env::vars_os() {
        let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { continue };
        if name.starts_with("AWS_")
            && let Ok(key) = name.to_ascii_lowercase().parse()
        {
            builder = builder.with_config(key, value);
        }
    }
    builder
}

/// The cryptography of TLS connections: one for all crates that open some.
fn use_ring() {
    // An error says that somebody chose before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
