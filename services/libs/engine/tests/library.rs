//! What happens when the library cannot be loaded. The engine is one a process, so this is a process of its own.

mod support;

use gifthorse_engine::{Engine, EngineError, EngineOptions};

fn start(library: &std::path::Path) -> Result<(), EngineError> {
    Engine::start(&EngineOptions { library: Some(library.to_path_buf()), threads: None }).map(drop)
}

#[test]
fn a_bad_library_is_an_error_and_another_may_be_tried() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libonnxruntime.so");
    let missing = start(&library).unwrap_err();
    assert_eq!(missing, EngineError::LibraryMissing { path: library.clone() });

    std::fs::write(&library, "not a library").unwrap();
    let unusable = start(&library).unwrap_err();
    assert!(matches!(unusable, EngineError::LibraryUnusable { .. }), "{unusable}");
    for part in ["make runtime", "ORT_DYLIB_PATH", "libonnxruntime.so"] {
        assert!(unusable.to_string().contains(part), "{unusable}");
    }

    let Some(good) = support::library() else {
        eprintln!("SKIPPED: starting after a failure needs ONNX Runtime: run `make runtime`");
        return;
    };
    start(&good).unwrap();
    assert!(matches!(start(&library), Err(EngineError::StartedOtherwise { what: "library", .. })));
}
