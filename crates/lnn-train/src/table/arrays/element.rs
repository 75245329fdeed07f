//! Numbers of a numpy array as they lie in the file.

use npyz::{DType, Endianness, TypeChar};

/// Type and byte order of one real number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    kind: Kind,
    big_endian: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    F4,
    F8,
    I1,
    I2,
    I4,
    I8,
    U1,
    U2,
    U4,
    U8,
}

/// An integer without an exact double: its row in the block, and its digits.
#[derive(Debug, PartialEq)]
pub(super) struct NoDouble {
    pub(super) row: usize,
    pub(super) value: String,
}

/// Where the numbers of one column lie in a block of bytes, `stride` apart, the first at `offset`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placement {
    pub(super) offset: usize,
    pub(super) stride: usize,
}

impl Element {
    /// The element of a type, or numpy's description of what cannot be read.
    pub(super) fn of(dtype: &DType) -> Result<Self, String> {
        let DType::Plain(name) = dtype else { return Err(dtype.descr()) };
        let kind = match (name.type_char(), name.size_field()) {
            (TypeChar::Float, 4) => Kind::F4,
            (TypeChar::Float, 8) => Kind::F8,
            (TypeChar::Int, 1) => Kind::I1,
            (TypeChar::Int, 2) => Kind::I2,
            (TypeChar::Int, 4) => Kind::I4,
            (TypeChar::Int, 8) => Kind::I8,
            (TypeChar::Uint, 1) => Kind::U1,
            (TypeChar::Uint, 2) => Kind::U2,
            (TypeChar::Uint, 4) => Kind::U4,
            (TypeChar::Uint, 8) => Kind::U8,
            _ => return Err(name.to_string()),
        };
        Ok(Self { kind, big_endian: name.endianness() == Endianness::Big })
    }

    /// Writes the numbers at `placement` of `bytes` to every `width`-th place of `out`, one for each row of `out`.
    pub(super) fn decode(
        self,
        bytes: &[u8],
        placement: Placement,
        out: &mut [f64],
        width: usize,
    ) -> Result<(), NoDouble> {
        macro_rules! each {
            ($number:ty, $to_double:expr) => {{
                const SIZE: usize = size_of::<$number>();
                let to_double = $to_double;
                for (row, out) in out.iter_mut().step_by(width).enumerate() {
                    let place = placement.offset + row * placement.stride;
                    let mut one = [0; SIZE];
                    one.copy_from_slice(&bytes[place..place + SIZE]);
                    let number =
                        if self.big_endian { <$number>::from_be_bytes(one) } else { <$number>::from_le_bytes(one) };
                    *out = match to_double(number) {
                        Some(double) => double,
                        None => return Err(NoDouble { row, value: number.to_string() }),
                    };
                }
            }};
        }
        macro_rules! exact {
            ($number:ty) => {
                each!($number, |number: $number| Some(f64::from(number)))
            };
        }
        match self.kind {
            Kind::F4 => exact!(f32),
            Kind::F8 => exact!(f64),
            Kind::I1 => exact!(i8),
            Kind::I2 => exact!(i16),
            Kind::I4 => exact!(i32),
            Kind::U1 => exact!(u8),
            Kind::U2 => exact!(u16),
            Kind::U4 => exact!(u32),
            // Back through i128, where no rounding hides at the ends of the range.
            Kind::I8 => each!(i64, |number: i64| Some(number as f64).filter(|&x| x as i128 == i128::from(number))),
            Kind::U8 => each!(u64, |number: u64| Some(number as f64).filter(|&x| x as i128 == i128::from(number))),
        }
        Ok(())
    }
}
