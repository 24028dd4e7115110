//! The real networks and images, where they are at hand.

use std::path::PathBuf;

/// The folder of the test data: `GIFTHORSE_TEST_DATA`, by default `../shared/data` beside the repository.
///
/// Says loudly what is skipped when it is absent.
///
/// # Panics
///
/// Instead of skipping, when `GIFTHORSE_REQUIRE_ALL` is set, as in CI.
pub fn folder(wanted_for: &str) -> Option<PathBuf> {
    let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = std::env::var_os("GIFTHORSE_TEST_DATA")
        .map_or_else(|| repository.join("../shared/data"), PathBuf::from);
    if folder.join("csaw").is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("GIFTHORSE_REQUIRE_ALL").is_none(),
        "{wanted_for} needs the test data, and there is none at {}",
        folder.display()
    );
    #[expect(clippy::print_stderr, reason = "a skipped test must not look like a passed one")]
    {
        eprintln!(
            "SKIPPED: {wanted_for} needs the test data, and there is none at {}: set GIFTHORSE_TEST_DATA",
            folder.display()
        );
    }
    None
}
