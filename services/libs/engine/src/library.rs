//! Finding the ONNX Runtime library.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::EngineError;

/// The variable that names the library, as everywhere ONNX Runtime is loaded at run time.
pub(crate) const VARIABLE: &str = "ORT_DYLIB_PATH";

/// The library to load: the configured one, else the variable's, else the one the system's loader knows.
///
/// A path that is named must exist; a bare file name is left to the system's loader.
pub(crate) fn locate(configured: Option<&Path>, variable: Option<OsString>) -> Result<PathBuf, EngineError> {
    let variable = variable.filter(|value| !value.is_empty()).map(PathBuf::from);
    let Some(path) = configured.map(Path::to_path_buf).or(variable) else {
        return Ok(PathBuf::from("libonnxruntime.so"));
    };
    // The loader would look for other relative paths beside the program rather than where the caller stands.
    let is_bare = path.components().count() == 1 && !path.exists();
    if is_bare {
        return Ok(path);
    }
    let path = std::path::absolute(&path).unwrap_or(path);
    if path.is_file() { Ok(path) } else { Err(EngineError::LibraryMissing { path }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configured_library_comes_before_the_variable() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["first.so", "second.so"].map(|name| folder.path().join(name));
        std::fs::write(&first, "").unwrap();
        std::fs::write(&second, "").unwrap();
        let variable = Some(second.clone().into_os_string());
        assert_eq!(locate(Some(&first), variable.clone()), Ok(first));
        assert_eq!(locate(None, variable), Ok(second));
    }

    #[test]
    fn without_either_the_system_is_asked() {
        assert_eq!(locate(None, None), Ok(PathBuf::from("libonnxruntime.so")));
        assert_eq!(locate(None, Some(OsString::new())), Ok(PathBuf::from("libonnxruntime.so")));
        assert_eq!(locate(Some(Path::new("libort.so")), None), Ok(PathBuf::from("libort.so")));
    }

    #[test]
    fn a_missing_library_is_told_with_what_to_do() {
        let error = locate(Some(Path::new("no/such/libonnxruntime.so")), None).unwrap_err();
        let text = error.to_string();
        for part in ["no/such/libonnxruntime.so", "make runtime", VARIABLE] {
            assert!(text.contains(part), "{text}");
        }
    }
}
