//! Waiting for what must come to pass, by looking.

use std::time::Duration;

/// How long anything here may take, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until `holds`.
#[track_caller]
pub(crate) fn eventually<'a>(
    what: &'a str,
    mut holds: impl AsyncFnMut() -> bool + 'a,
) -> impl Future<Output = ()> + 'a {
    let caller = std::panic::Location::caller();
    async move {
        let looking = async {
            while !holds().await {
                tokio::time::sleep(PAUSE).await;
            }
        };
        let looked = tokio::time::timeout(PATIENCE, looking).await;
        assert!(looked.is_ok(), "{what} does not come to pass ({caller})");
    }
}

/// The value of a future that must not hang.
#[track_caller]
pub(crate) fn soon<'a, T: 'a>(
    what: &'a str,
    future: impl Future<Output = T> + 'a,
) -> impl Future<Output = T> + 'a {
    let caller = std::panic::Location::caller();
    async move {
        let value = tokio::time::timeout(PATIENCE, future).await;
        value.unwrap_or_else(|_elapsed| panic!("{what} hangs ({caller})"))
    }
}
