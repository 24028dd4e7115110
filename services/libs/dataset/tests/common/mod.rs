//! What several test files need.

use std::path::{Path, PathBuf};

/// The folder of real data named by `GIFTHORSE_TEST_DATA`, or `../shared/data` beside the repository; says
/// so loudly when it is not there.
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
pub(crate) fn test_data(relative: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3)?;
    let data = std::env::var_os("GIFTHORSE_TEST_DATA")
        .map_or_else(|| root.join("../shared/data"), PathBuf::from)
        .join(relative);
    if data.exists() {
        return Some(data);
    }
    eprintln!("SKIPPED: this test needs test data at {}", data.display());
    None
}
