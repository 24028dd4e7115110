//! The element types of array files.

use std::fmt;

use super::NpyError;

/// What the bytes of an element mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementKind {
    /// A whole number from 0.
    Unsigned,
    /// A whole number in two's complement.
    Signed,
    /// IEEE 754.
    Float,
}

/// The type of an array's elements: whole numbers of 1, 2, 4 or 8 bytes, floats of 4 or 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element {
    kind: ElementKind,
    bytes: usize,
    big_endian: bool,
}

/// An element's value, without loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// Of a whole type.
    Whole(i128),
    /// Of a float type.
    Float(f64),
}

impl Element {
    /// Bytes from 0 to 255.
    pub const U8: Self = Self { kind: ElementKind::Unsigned, bytes: 1, big_endian: false };
    /// Little-endian 64-bit whole numbers.
    pub const I64: Self = Self { kind: ElementKind::Signed, bytes: 8, big_endian: false };
    /// Little-endian 32-bit floats.
    pub const F32: Self = Self { kind: ElementKind::Float, bytes: 4, big_endian: false };

    /// The type with `NumPy`'s name `description`, such as `<f4`.
    pub fn parse(description: &str) -> Result<Self, NpyError> {
        let unknown = || NpyError::Type { description: description.chars().take(32).collect() };
        let [order, kind, size] = description.as_bytes() else { return Err(unknown()) };
        let (kind, bytes) = match (kind, size) {
            (b'u', b'1' | b'2' | b'4' | b'8') => (ElementKind::Unsigned, usize::from(size - b'0')),
            (b'i', b'1' | b'2' | b'4' | b'8') => (ElementKind::Signed, usize::from(size - b'0')),
            (b'f', b'4' | b'8') => (ElementKind::Float, usize::from(size - b'0')),
            _ => return Err(unknown()),
        };
        let big_endian = match order {
            b'>' => bytes > 1,
            b'<' => false,
            b'|' if bytes == 1 => false,
            _ => return Err(unknown()),
        };
        Ok(Self { kind, bytes, big_endian })
    }

    /// What the bytes mean.
    pub const fn kind(self) -> ElementKind {
        self.kind
    }

    /// Bytes of one element.
    pub const fn bytes(self) -> usize {
        self.bytes
    }

    /// The elements that `bytes` hold; a remainder shorter than an element is left out.
    pub fn decode(self, bytes: &[u8]) -> impl Iterator<Item = Number> {
        bytes.chunks_exact(self.bytes).map(move |bytes| self.decode_one(bytes))
    }

    fn decode_one(self, bytes: &[u8]) -> Number {
        let gather = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
        let bits =
            if self.big_endian { bytes.iter().fold(0, gather) } else { bytes.iter().rev().fold(0, gather) };
        match self.kind {
            ElementKind::Unsigned => Number::Whole(i128::from(bits)),
            ElementKind::Signed => {
                let unused = 64 - 8 * self.bytes as u32;
                Number::Whole(i128::from((bits << unused).cast_signed() >> unused))
            }
            ElementKind::Float if self.bytes == 4 => Number::Float(f64::from(f32::from_bits(bits as u32))),
            ElementKind::Float => Number::Float(f64::from_bits(bits)),
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = match (self.bytes, self.big_endian) {
            (1, _) => '|',
            (_, true) => '>',
            (_, false) => '<',
        };
        let kind = match self.kind {
            ElementKind::Unsigned => 'u',
            ElementKind::Signed => 'i',
            ElementKind::Float => 'f',
        };
        write!(formatter, "{order}{kind}{}", self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(name: &str, bytes: &[u8]) -> Vec<Number> {
        Element::parse(name).unwrap().decode(bytes).collect()
    }

    #[test]
    fn elements_mean_what_numpy_means() {
        assert_eq!(decoded("|u1", &[0, 255]), [Number::Whole(0), Number::Whole(255)]);
        assert_eq!(decoded("|i1", &[0x80, 0xFF]), [Number::Whole(-128), Number::Whole(-1)]);
        assert_eq!(decoded("<u2", &[1, 2]), [Number::Whole(513)]);
        assert_eq!(decoded(">u2", &[1, 2]), [Number::Whole(258)]);
        assert_eq!(decoded("<i8", &(-7_i64).to_le_bytes()), [Number::Whole(-7)]);
        assert_eq!(decoded("<u8", &[0xFF; 8]), [Number::Whole(i128::from(u64::MAX))]);
        assert_eq!(decoded(">f4", &1.5_f32.to_be_bytes()), [Number::Float(1.5)]);
        assert_eq!(decoded("<f8", &(-0.1_f64).to_le_bytes()), [Number::Float(-0.1)]);
        assert_eq!(decoded("<i4", &[1, 0, 0]), []);
    }
}
