//! The header of `NumPy`'s `.npy` files, versions 1 to 3 in, version 1 out.
//!
//! A file is the magic `\x93NUMPY`, two version bytes, the little-endian length of a Python dictionary (two
//! bytes in version 1, four later), the dictionary, and the array. Only the subset of Python that `NumPy`
//! writes is read.

mod dictionary;
mod element;

use std::io::{self, Read};

pub use element::{Element, ElementKind, Number};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The longest dictionary that is read; `NumPy` itself warns from 10,000 bytes.
const MAX_DICTIONARY: u32 = 65_536;
/// Bytes of the headers we write, whatever the shape, so that a shape can be filled in afterwards.
pub const WRITTEN_HEADER: usize = 128;

/// What is wrong with an `.npy` file.
#[derive(Debug, thiserror::Error)]
pub enum NpyError {
    /// The file could not be read or ends too early.
    #[error("the array file cannot be read: {0}")]
    Read(#[from] io::Error),
    /// The beginning is not that of an array file.
    #[error("it is no array file of NumPy, versions 1 to 3")]
    Magic,
    /// The dictionary is not one that `NumPy` writes.
    #[error("its header is damaged: {fault}")]
    Header {
        /// Where and how.
        fault: String,
    },
    /// The element type is not a plain number.
    #[error("its element type {description:?} is not read: save whole numbers, or floats of 32 or 64 bit")]
    Type {
        /// `NumPy`'s name of the type, shortened.
        description: String,
    },
}

/// What an array file says about its array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NpyHeader {
    /// The type of the elements.
    pub element: Element,
    /// The sides, outermost first.
    pub shape: Vec<u64>,
    /// Whether the first index varies fastest.
    pub fortran_order: bool,
}

impl NpyHeader {
    /// Reads a header; `source` is left at the first element. Returns also the header's length in bytes.
    pub fn read(source: &mut impl Read) -> Result<(Self, u64), NpyError> {
        let mut start = [0; 8];
        source.read_exact(&mut start)?;
        let (magic, version) = start.split_at(MAGIC.len());
        let (length, prefix) = match (magic == MAGIC, version) {
            (true, [1, _]) => {
                let mut length = [0; 2];
                source.read_exact(&mut length)?;
                (u32::from(u16::from_le_bytes(length)), 10)
            }
            (true, [2 | 3, _]) => {
                let mut length = [0; 4];
                source.read_exact(&mut length)?;
                (u32::from_le_bytes(length), 12)
            }
            _ => return Err(NpyError::Magic),
        };
        if length > MAX_DICTIONARY {
            let fault = format!("it has {length} bytes, the limit is {MAX_DICTIONARY}");
            return Err(NpyError::Header { fault });
        }
        let mut dictionary = vec![0; length as usize];
        source.read_exact(&mut dictionary)?;
        Ok((dictionary::parse(&dictionary)?, prefix + u64::from(length)))
    }

    /// The header as [`WRITTEN_HEADER`] bytes of version 1.
    ///
    /// Four sides of 14 digits fit; `None` for a shape that does not.
    pub fn written(&self) -> Option<[u8; WRITTEN_HEADER]> {
        let sides: Vec<String> = self.shape.iter().map(u64::to_string).collect();
        // Python writes the comma also after a single side.
        let comma = if sides.len() == 1 { "," } else { "" };
        let order = if self.fortran_order { "True" } else { "False" };
        let dictionary = format!(
            "{{'descr': '{}', 'fortran_order': {order}, 'shape': ({}{comma}), }}",
            self.element,
            sides.join(", ")
        );
        let mut header = [b' '; WRITTEN_HEADER];
        header[..6].copy_from_slice(MAGIC);
        header[6..10].copy_from_slice(&[1, 0, (WRITTEN_HEADER - 10) as u8, 0]);
        header[10..].get_mut(..dictionary.len())?.copy_from_slice(dictionary.as_bytes());
        header[WRITTEN_HEADER - 1] = b'\n';
        (dictionary.len() < WRITTEN_HEADER - 10).then_some(header)
    }

    /// How many elements the shape makes, if that can be counted.
    pub fn elements(&self) -> Option<u64> {
        self.shape.iter().try_fold(1_u64, |product, side| product.checked_mul(*side))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str, version: u8) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([version, 0]);
        if version == 1 {
            bytes.extend((text.len() as u16).to_le_bytes());
        } else {
            bytes.extend((text.len() as u32).to_le_bytes());
        }
        bytes.extend(text.as_bytes());
        bytes
    }

    #[test]
    fn what_is_written_is_read_again() {
        for shape in [vec![], vec![7], vec![149, 55, 47, 3], vec![99_999_999_999_999; 4]] {
            for name in ["|u1", "<i8", "<f4"] {
                let element = Element::parse(name).unwrap();
                let written = NpyHeader { element, shape: shape.clone(), fortran_order: false };
                let bytes = written.written().unwrap();
                let (read, length) = NpyHeader::read(&mut bytes.as_slice()).unwrap();
                assert_eq!((read, length), (written, WRITTEN_HEADER as u64));
            }
        }
        let element = Element::parse("|u1").unwrap();
        assert_eq!(NpyHeader { element, shape: vec![1; 99], fortran_order: false }.written(), None);
    }

    #[test]
    fn headers_of_every_version_are_read() {
        for version in [1, 2, 3] {
            let text = "{'descr': '>f8', 'fortran_order': True, 'shape': (2, 3), }   \n";
            let (read, _) = NpyHeader::read(&mut header(text, version).as_slice()).unwrap();
            assert_eq!(read.shape, [2, 3]);
            assert!(read.fortran_order);
            assert_eq!(read.element.to_string(), ">f8");
        }
    }

    #[test]
    fn bad_headers_are_refused_with_their_fault() {
        for (text, words) in [
            ("", "expected '{'"),
            ("{'descr': '<f4', 'fortran_order': False}", "shape"),
            ("{'descr': '<f4', 'fortran_order': 0, 'shape': ()}", "True or False"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "number"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,)}", "number"),
            ("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}", "twice"),
            ("{'descr': '<f4', 'evil': __import__('os'), 'shape': ()}", "evil"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': ()} x", "after"),
            ("{'descr': '|O', 'fortran_order': False, 'shape': ()}", "element type"),
            ("{'descr': '<f2', 'fortran_order': False, 'shape': ()}", "element type"),
            ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", "quote"),
        ] {
            let error = NpyHeader::read(&mut header(text, 1).as_slice()).unwrap_err().to_string();
            assert!(error.contains(words), "{text:?}: {error}");
        }
        let mut huge = header("", 2);
        huge[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        let error = NpyHeader::read(&mut huge.as_slice()).unwrap_err();
        assert!(matches!(error, NpyError::Header { .. }), "{error}");
    }
}
