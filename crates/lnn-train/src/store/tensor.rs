//! Tensors on their way to and from a file.

use safetensors::{Dtype, View};
use std::borrow::Cow;

use super::error::TensorProblem;

/// A number type that files can hold: `f32`, `f64` or `u64`.
pub trait Element: sealed::Sealed + Copy + PartialEq + Send + Sync + 'static {
    /// Name of the type in messages.
    const NAME: &'static str;
    /// Puts values of this type into the untyped list.
    fn into_elements(values: Vec<Self>) -> Elements;
    /// The values, if they are of this type.
    fn of(elements: &Elements) -> Option<&[Self]>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for u64 {}
}

/// The values of a tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
    /// Counters.
    U64(Vec<u64>),
}

macro_rules! element {
    ($t:ty, $variant:ident, $name:literal) => {
        impl Element for $t {
            const NAME: &'static str = $name;

            fn into_elements(values: Vec<Self>) -> Elements {
                Elements::$variant(values)
            }

            fn of(elements: &Elements) -> Option<&[Self]> {
                match elements {
                    Elements::$variant(values) => Some(values),
                    _ => None,
                }
            }
        }
    };
}
element!(f32, F32, "f32");
element!(f64, F64, "f64");
element!(u64, U64, "u64");

impl Elements {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::U64(values) => values.len(),
        }
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Name of the element type in messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::F32(_) => f32::NAME,
            Self::F64(_) => f64::NAME,
            Self::U64(_) => u64::NAME,
        }
    }

    /// The values as `T`, for a tensor called `name`.
    ///
    /// # Errors
    /// [`TensorProblem::ElementType`] if they are of another type.
    pub fn typed<T: Element>(&self, name: &str) -> Result<&[T], TensorProblem> {
        T::of(self).ok_or_else(|| TensorProblem::ElementType {
            name: name.to_owned(),
            found: self.type_name(),
            expected: T::NAME,
        })
    }

    /// Index and value of the first number that is infinite or NaN.
    pub(super) fn first_non_finite(&self) -> Option<(usize, f64)> {
        match self {
            Self::F32(values) => {
                let index = values.iter().position(|value| !value.is_finite())?;
                Some((index, f64::from(values[index])))
            }
            Self::F64(values) => {
                let index = values.iter().position(|value| !value.is_finite())?;
                Some((index, values[index]))
            }
            Self::U64(_) => None,
        }
    }

    /// Little-endian bytes, as the file format wants them on every machine.
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::F32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Self::F64(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Self::U64(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }

    /// Values from little-endian bytes, or `None` for an element type that is not written here.
    pub(super) fn from_bytes(dtype: Dtype, bytes: &[u8]) -> Option<Self> {
        // The file format's reader has checked that the length is a multiple of the element size.
        let (four, _) = bytes.as_chunks::<4>();
        let (eight, _) = bytes.as_chunks::<8>();
        match dtype {
            Dtype::F32 => Some(Self::F32(four.iter().copied().map(f32::from_le_bytes).collect())),
            Dtype::F64 => Some(Self::F64(eight.iter().copied().map(f64::from_le_bytes).collect())),
            Dtype::U64 => Some(Self::U64(eight.iter().copied().map(u64::from_le_bytes).collect())),
            _ => None,
        }
    }
}

/// A tensor with its shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Sizes, outermost first; their product is the number of elements.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub elements: Elements,
}

impl Tensor {
    /// A tensor with one index.
    pub fn flat(elements: Elements) -> Self {
        Self { shape: vec![elements.len()], elements }
    }
}

impl View for &Tensor {
    fn dtype(&self) -> Dtype {
        match self.elements {
            Elements::F32(_) => Dtype::F32,
            Elements::F64(_) => Dtype::F64,
            Elements::U64(_) => Dtype::U64,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.elements.bytes())
    }

    fn data_len(&self) -> usize {
        let size = match self.elements {
            Elements::F32(_) => size_of::<f32>(),
            Elements::F64(_) => size_of::<f64>(),
            Elements::U64(_) => size_of::<u64>(),
        };
        self.elements.len() * size
    }
}
