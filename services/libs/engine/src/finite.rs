//! Looking for NaN and infinities in raw tensors.

use crate::datatype::Datatype;

/// Whether all elements are finite numbers. Integers and booleans always are.
///
/// Both NaN and the infinities have an exponent of ones only; testing that bit pattern without leaving the
/// loop early lets the compiler use vector instructions.
pub(crate) fn all_finite(datatype: Datatype, bytes: &[u8]) -> bool {
    fn none<const SIZE: usize>(bytes: &[u8], bad: impl Fn([u8; SIZE]) -> bool) -> bool {
        !bytes.as_chunks::<SIZE>().0.iter().fold(false, |found, element| found | bad(*element))
    }
    const FP16: u16 = 0x7c00;
    const BF16: u16 = 0x7f80;
    const FP32: u32 = 0x7f80_0000;
    const FP64: u64 = 0x7ff0_0000_0000_0000;
    match datatype {
        Datatype::Fp16 => none(bytes, |element| u16::from_le_bytes(element) & FP16 == FP16),
        Datatype::Bf16 => none(bytes, |element| u16::from_le_bytes(element) & BF16 == BF16),
        Datatype::Fp32 => none(bytes, |element| u32::from_le_bytes(element) & FP32 == FP32),
        Datatype::Fp64 => none(bytes, |element| u64::from_le_bytes(element) & FP64 == FP64),
        Datatype::Bool
        | Datatype::Uint8
        | Datatype::Uint16
        | Datatype::Uint32
        | Datatype::Uint64
        | Datatype::Int8
        | Datatype::Int16
        | Datatype::Int32
        | Datatype::Int64 => true,
    }
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};

    use super::*;

    #[test]
    fn every_float_type_is_looked_through() {
        macro_rules! check {
            ($datatype:expr, $float:ty) => {
                let good = [<$float>::MAX, <$float>::MIN, <$float>::MIN_POSITIVE, -<$float>::MIN_POSITIVE];
                assert!(all_finite($datatype, bytemuck::cast_slice(&good)));
                for bad in [<$float>::NAN, <$float>::INFINITY, <$float>::NEG_INFINITY, -<$float>::NAN] {
                    for place in 0..good.len() {
                        let mut values = good;
                        values[place] = bad;
                        assert!(!all_finite($datatype, bytemuck::cast_slice(&values)), "{bad} at {place}");
                    }
                }
            };
        }
        check!(Datatype::Fp16, f16);
        check!(Datatype::Bf16, bf16);
        check!(Datatype::Fp32, f32);
        check!(Datatype::Fp64, f64);
        assert!(all_finite(Datatype::Int32, &[0xff; 16]));
    }
}
