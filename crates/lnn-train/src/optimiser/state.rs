//! Optimiser state as named flat tensors, for a checkpoint writer that knows no optimiser.

use std::borrow::Cow;

use lnn_autodiff::Real;

use super::OptimiserError;

/// State tensors by name, in the order their owner fixes.
pub type NamedState<'a, T> = Vec<(String, StateTensor<'a, T>)>;

/// One flat tensor of state: borrowed when exported, owned when read from a file.
#[derive(Clone, Debug, PartialEq)]
pub enum StateTensor<'a, T: Real> {
    /// Numbers in the precision of the parameters.
    Values(Cow<'a, [T]>),
    /// Unsigned 64-bit integers: counters, and bit patterns of `f64` numbers (`f64::to_bits`).
    Words(Cow<'a, [u64]>),
}

impl<'a, T: Real> StateTensor<'a, T> {
    /// Borrow numbers.
    #[must_use]
    pub fn values(values: &'a [T]) -> Self {
        Self::Values(Cow::Borrowed(values))
    }

    /// Own a few integers.
    #[must_use]
    pub fn words(words: Vec<u64>) -> Self {
        Self::Words(Cow::Owned(words))
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Values(values) => values.len(),
            Self::Words(words) => words.len(),
        }
    }

    /// Whether the tensor has no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn first_non_finite(&self) -> Option<usize> {
        match self {
            Self::Values(values) => values.iter().position(|value| !value.is_finite()),
            Self::Words(_) => None,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Values(_) => "numbers",
            Self::Words(_) => "integers",
        }
    }
}

/// Refuse a state with a number that is not finite, which [`check_state`] would refuse to load.
pub(crate) fn check_finite<T: Real>(state: &[(String, StateTensor<'_, T>)]) -> Result<(), OptimiserError> {
    for (name, tensor) in state {
        if let Some(index) = tensor.first_non_finite() {
            return Err(OptimiserError::StateOverflow { name: name.clone(), index });
        }
    }
    Ok(())
}

/// Refuse `given` unless it has exactly the tensors of `own`, in any order, with finite numbers.
pub(super) fn check_state<T: Real>(
    own: &[(String, StateTensor<'_, T>)],
    given: &[(String, StateTensor<'_, T>)],
) -> Result<(), OptimiserError> {
    for (name, expected) in own {
        let tensor = find(given, name)?;
        if tensor.kind() != expected.kind() {
            return Err(OptimiserError::StateKind {
                name: name.clone(),
                given: tensor.kind(),
                expected: expected.kind(),
            });
        }
        if tensor.len() != expected.len() {
            return Err(OptimiserError::StateLength {
                name: name.clone(),
                given: tensor.len(),
                expected: expected.len(),
            });
        }
        if let Some(index) = tensor.first_non_finite() {
            return Err(OptimiserError::StateValue { name: name.clone(), index });
        }
    }
    for (name, _) in given {
        find(own, name).map_err(|_| OptimiserError::StateUnknown { name: name.clone() })?;
    }
    Ok(())
}

fn find<'s, 'a, T: Real>(
    state: &'s [(String, StateTensor<'a, T>)],
    name: &str,
) -> Result<&'s StateTensor<'a, T>, OptimiserError> {
    state
        .iter()
        .find(|(candidate, _)| candidate == name)
        .map(|(_, tensor)| tensor)
        .ok_or_else(|| OptimiserError::StateMissing { name: name.to_owned() })
}

/// Copy the numbers of tensor `name` to `target`, which has its length.
pub(super) fn load_values<T: Real>(
    state: &[(String, StateTensor<'_, T>)],
    name: &str,
    target: &mut [T],
) -> Result<(), OptimiserError> {
    match find(state, name)? {
        StateTensor::Values(values) if values.len() == target.len() => {
            target.copy_from_slice(values);
            Ok(())
        }
        StateTensor::Values(values) => {
            Err(OptimiserError::StateLength { name: name.to_owned(), given: values.len(), expected: target.len() })
        }
        tensor @ StateTensor::Words(_) => {
            Err(OptimiserError::StateKind { name: name.to_owned(), given: tensor.kind(), expected: "numbers" })
        }
    }
}

/// The integers of tensor `name`, which has `N` of them.
pub(super) fn load_words<T: Real, const N: usize>(
    state: &[(String, StateTensor<'_, T>)],
    name: &str,
) -> Result<[u64; N], OptimiserError> {
    match find(state, name)? {
        StateTensor::Words(words) => words.as_ref().try_into().map_err(|_| OptimiserError::StateLength {
            name: name.to_owned(),
            given: words.len(),
            expected: N,
        }),
        tensor @ StateTensor::Values(_) => {
            Err(OptimiserError::StateKind { name: name.to_owned(), given: tensor.kind(), expected: "integers" })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_finite_exactly_where_it_can_be_loaded() {
        for (bad, finite) in [(0.0, true), (f64::NAN, false), (f64::NEG_INFINITY, false)] {
            let values = [1.0, bad];
            let words = vec![f64::NAN.to_bits()];
            let state =
                vec![("steps".to_owned(), StateTensor::words(words)), ("m".to_owned(), StateTensor::values(&values))];
            assert_eq!(check_state(&state, &state).is_ok(), finite);
            match check_finite(&state) {
                Ok(()) => assert!(finite),
                Err(OptimiserError::StateOverflow { name, index }) => {
                    assert_eq!((name.as_str(), index, finite), ("m", 1, false));
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}
