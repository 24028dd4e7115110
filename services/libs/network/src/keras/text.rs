//! Text attributes of HDF5 objects, in all the forms in which Keras and h5py wrote them.
//!
//! Fixed-length (`S12`, ...) and variable-length, ASCII and UTF-8, single and in lists, and lists that were
//! split over `NAME0`, `NAME1`, ... because an attribute may not be longer than 64 KiB. A fixed-length text
//! is read into a buffer chosen from the type's own length: a shorter one would cut it off in silence.

use hdf5::types::{FixedAscii, FixedUnicode, TypeDescriptor, VarLenAscii, VarLenUnicode};
use hdf5::{Attribute, Location};

use super::fault::{damaged, shortened};
use super::hdf5_file::hdf5_fault;
use crate::NetworkError;

/// The most texts of one attribute.
const MOST_TEXTS: usize = 100_000;
/// The most bytes of one attribute of fixed-length texts.
const MOST_BYTES: usize = 64 << 20;

/// The one text of attribute `name`; none when there is no such attribute.
pub(super) fn optional_text(object: &Location, name: &str) -> Result<Option<String>, NetworkError> {
    if !has(object, name) {
        return Ok(None);
    }
    let mut texts = read(object, name)?;
    match (texts.pop(), texts.is_empty()) {
        (Some(text), true) => Ok(Some(text)),
        _ => Err(damaged(format!("attribute {name:?} is not one text"))),
    }
}

/// The texts of attribute `name`, or of `name0`, `name1`, ...; none when there is neither.
pub(super) fn optional_texts(object: &Location, name: &str) -> Result<Option<Vec<String>>, NetworkError> {
    if has(object, name) {
        return read(object, name).map(Some);
    }
    let mut texts = Vec::new();
    for part in 0.. {
        let part = format!("{name}{part}");
        if !has(object, &part) {
            break;
        }
        texts.extend(read(object, &part)?);
        if texts.len() > MOST_TEXTS {
            return Err(too_many(name, texts.len()));
        }
    }
    Ok((!texts.is_empty()).then_some(texts))
}

fn has(object: &Location, name: &str) -> bool {
    object.attr(name).is_ok()
}

fn too_many(name: &str, found: usize) -> NetworkError {
    NetworkError::TooLarge {
        what: format!("the count of texts in attribute {name:?}"),
        found: found as u64,
        limit: MOST_TEXTS as u64,
    }
}

fn read(object: &Location, name: &str) -> Result<Vec<String>, NetworkError> {
    let fault = format!("attribute {name:?} cannot be read");
    let attribute = object.attr(name).map_err(hdf5_fault(&fault))?;
    let count = attribute.space().map_err(hdf5_fault(&fault))?.size();
    // An empty list has lost its type: Keras writes the weights of a layer without any as float64 (0,).
    if count == 0 {
        return Ok(Vec::new());
    }
    if count > MOST_TEXTS {
        return Err(too_many(name, count));
    }
    let kind = attribute.dtype().and_then(|kind| kind.to_descriptor()).map_err(hdf5_fault(&fault))?;
    let texts = match kind {
        TypeDescriptor::VarLenAscii => {
            let texts = attribute.read_raw::<VarLenAscii>().map_err(hdf5_fault(&fault))?;
            texts.iter().map(|text| text.as_bytes().to_vec()).collect()
        }
        TypeDescriptor::VarLenUnicode => {
            let texts = attribute.read_raw::<VarLenUnicode>().map_err(hdf5_fault(&fault))?;
            texts.iter().map(|text| text.as_bytes().to_vec()).collect()
        }
        TypeDescriptor::FixedAscii(length) => fixed(&attribute, name, length, count, false)?,
        TypeDescriptor::FixedUnicode(length) => fixed(&attribute, name, length, count, true)?,
        other => return Err(damaged(format!("attribute {name:?} holds {other}, not text"))),
    };
    let texts: Vec<Vec<u8>> = texts;
    texts
        .into_iter()
        .map(|bytes| {
            String::from_utf8(bytes).map_err(|error| {
                let shown = String::from_utf8_lossy(error.as_bytes()).into_owned();
                damaged(format!("attribute {name:?} holds {:?}, which is not UTF-8", shortened(&shown)))
            })
        })
        .collect()
}

/// Reads fixed-length texts through the smallest of a few buffers that holds them.
fn fixed(
    attribute: &Attribute,
    name: &str,
    length: usize,
    count: usize,
    unicode: bool,
) -> Result<Vec<Vec<u8>>, NetworkError> {
    fn through<const N: usize>(attribute: &Attribute, unicode: bool) -> hdf5::Result<Vec<Vec<u8>>> {
        Ok(if unicode {
            attribute.read_raw::<FixedUnicode<N>>()?.iter().map(|text| text.as_bytes().to_vec()).collect()
        } else {
            attribute.read_raw::<FixedAscii<N>>()?.iter().map(|text| text.as_bytes().to_vec()).collect()
        })
    }
    const BUFFERS: [usize; 5] = [32, 256, 4096, 65_536, 1 << 20];
    let buffer = BUFFERS.into_iter().find(|buffer| length <= *buffer);
    if buffer.and_then(|buffer| buffer.checked_mul(count)).is_none_or(|bytes| bytes > MOST_BYTES) {
        return Err(NetworkError::TooLarge {
            what: format!("attribute {name:?} in bytes"),
            found: (length as u64).saturating_mul(count as u64),
            limit: MOST_BYTES as u64,
        });
    }
    let texts = match buffer.unwrap_or(BUFFERS[4]) {
        32 => through::<32>(attribute, unicode),
        256 => through::<256>(attribute, unicode),
        4096 => through::<4096>(attribute, unicode),
        65_536 => through::<65_536>(attribute, unicode),
        _ => through::<{ 1 << 20 }>(attribute, unicode),
    };
    texts.map_err(hdf5_fault(&format!("attribute {name:?} cannot be read")))
}

#[cfg(test)]
mod tests {
    use hdf5::File;
    use ndarray::{Array1, arr0, arr1};

    use super::*;

    fn file() -> (tempfile::TempDir, File) {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("t.h5")).unwrap();
        (folder, file)
    }

    fn fixed_ascii<const N: usize>(texts: &[&str]) -> Array1<FixedAscii<N>> {
        texts.iter().map(|text| FixedAscii::from_ascii(text).unwrap()).collect()
    }

    #[test]
    fn every_form_of_text_is_read_whole() {
        let (_kept, file) = file();
        let long = "x".repeat(40_000);
        file.new_attr_builder()
            .with_data(&fixed_ascii::<12>(&["activation_1", "fc_1"]))
            .create("s12")
            .unwrap();
        file.new_attr_builder().with_data(&fixed_ascii::<40_000>(&[&long])).create("long").unwrap();
        let ascii: Array1<VarLenAscii> =
            ["a", ""].iter().map(|text| VarLenAscii::from_ascii(text).unwrap()).collect();
        file.new_attr_builder().with_data(&ascii).create("ascii").unwrap();
        let unicode: VarLenUnicode = "größe".parse().unwrap();
        file.new_attr_builder().with_data(&arr0(unicode)).create("unicode").unwrap();
        let fixed: FixedUnicode<8> = "größe".parse().unwrap();
        file.new_attr_builder().with_data(&arr1(&[fixed])).create("fixed_unicode").unwrap();
        let texts = |name| optional_texts(&file, name).unwrap().unwrap();
        assert_eq!(texts("s12"), ["activation_1", "fc_1"]);
        assert_eq!(texts("long"), [long]);
        assert_eq!(texts("ascii"), ["a", ""]);
        assert_eq!(texts("fixed_unicode"), ["größe"]);
        assert_eq!(optional_text(&file, "unicode").unwrap().unwrap(), "größe");
        assert_eq!(optional_text(&file, "absent").unwrap(), None);
    }

    #[test]
    fn an_empty_list_of_numbers_is_an_empty_list_of_texts() {
        let (_kept, file) = file();
        file.new_attr::<f64>().shape(0).create("weight_names").unwrap();
        assert_eq!(optional_texts(&file, "weight_names").unwrap(), Some(Vec::new()));
        file.new_attr_builder().with_data(&[1.0_f64]).create("numbers").unwrap();
        assert!(matches!(optional_texts(&file, "numbers"), Err(NetworkError::Damaged { .. })));
    }

    #[test]
    fn split_lists_are_joined() {
        let (_kept, file) = file();
        file.new_attr_builder().with_data(&fixed_ascii::<4>(&["a", "b"])).create("names0").unwrap();
        file.new_attr_builder().with_data(&fixed_ascii::<4>(&["c"])).create("names1").unwrap();
        assert_eq!(optional_texts(&file, "names").unwrap().unwrap(), ["a", "b", "c"]);
        assert_eq!(optional_texts(&file, "other").unwrap(), None);
        assert!(optional_text(&file, "names0").is_err());
    }
}
