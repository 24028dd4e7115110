//! The element types of tensors, named as the Open Inference Protocol names them.

use std::fmt;

use crate::error::EngineError;

macro_rules! datatypes {
    ($($(#[$doc:meta])* $variant:ident => $text:literal, $size:literal;)*) => {
        /// The type of a tensor's elements.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Datatype { $($(#[$doc])* $variant,)* }

        impl Datatype {
            /// Every type.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The protocol's name, as in `FP32`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Bytes an element takes.
            pub const fn size(self) -> usize {
                match self { $(Self::$variant => $size,)* }
            }
        }
    };
}

datatypes! {
    /// One byte, 0 or 1.
    Bool => "BOOL", 1;
    /// Unsigned 8-bit integer.
    Uint8 => "UINT8", 1;
    /// Unsigned 16-bit integer.
    Uint16 => "UINT16", 2;
    /// Unsigned 32-bit integer.
    Uint32 => "UINT32", 4;
    /// Unsigned 64-bit integer.
    Uint64 => "UINT64", 8;
    /// Signed 8-bit integer.
    Int8 => "INT8", 1;
    /// Signed 16-bit integer.
    Int16 => "INT16", 2;
    /// Signed 32-bit integer.
    Int32 => "INT32", 4;
    /// Signed 64-bit integer.
    Int64 => "INT64", 8;
    /// IEEE 754 half precision.
    Fp16 => "FP16", 2;
    /// IEEE 754 single precision.
    Fp32 => "FP32", 4;
    /// IEEE 754 double precision.
    Fp64 => "FP64", 8;
    /// The upper half of a single-precision number.
    Bf16 => "BF16", 2;
}

impl Datatype {
    /// The type with this protocol name.
    ///
    /// `BYTES` is a name of the protocol too but no classifier takes strings: it is refused like any unknown
    /// text, with [`EngineError::UnsupportedDatatype`].
    pub fn from_text(text: &str) -> Result<Self, EngineError> {
        Self::ALL
            .iter()
            .copied()
            .find(|datatype| datatype.as_str() == text)
            .ok_or_else(|| EngineError::UnsupportedDatatype { found: text.chars().take(40).collect() })
    }
}

impl fmt::Display for Datatype {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use gifthorse_api::catalogue::{Coded, ErrorCode};

    use super::*;

    #[test]
    fn names_are_found_again() {
        for datatype in Datatype::ALL {
            assert_eq!(Datatype::from_text(datatype.as_str()), Ok(*datatype));
        }
    }

    #[test]
    fn bytes_and_other_spellings_are_refused_by_name() {
        for text in ["BYTES", "fp32", "FLOAT", ""] {
            let error = Datatype::from_text(text).unwrap_err();
            assert_eq!(error.code(), ErrorCode::TensorType);
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }
}
