//! Telling by its first bytes what a file is that is no ONNX file.

/// What a file that begins with these bytes is, and what to do; none when nothing speaks against ONNX.
pub(super) fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    const STARTS: [(&[u8], &str); 7] = [
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file: import it as a Keras model"),
        (b"PK\x03\x04", "a ZIP archive, as PyTorch and Keras 3 write them: export the network as ONNX"),
        (b"\x1f\x8b", "a gzip archive: unpack it"),
        (b"\x80\x02", "a Python pickle: export the network as ONNX"),
        (b"\x93NUMPY", "a NumPy array, not a network"),
        (b"version https://git-lfs", "a Git LFS pointer: fetch the file it stands for"),
        (b"<", "a text in HTML or XML, perhaps the error page of a download"),
    ];
    const FIFTH_BYTE: [(&[u8], &str); 2] = [
        (b"ORTM", "an ONNX Runtime (.ort) file: take the .onnx file it was made from"),
        (b"TFL3", "a TensorFlow Lite file: convert it to ONNX"),
    ];
    let at_start = STARTS.iter().find(|(magic, _)| bytes.starts_with(magic));
    let at_fifth = || {
        let rest = bytes.get(4..)?;
        FIFTH_BYTE.iter().find(|(magic, _)| rest.starts_with(magic))
    };
    at_start.or_else(at_fifth).map(|(_, kind)| *kind)
}
