//! Parameters and optimiser state to and from the tensors of a checkpoint.

use std::borrow::Cow;

use lnn_autodiff::Real;

use super::checkpoint::Checkpoint;
use super::error::TensorProblem;
use super::tensor::{Element, Elements};
use crate::optimiser::{NamedState, StateTensor};

impl Checkpoint {
    /// Adds a flat vector under `name`.
    pub fn insert<T: Element>(&mut self, name: &str, values: &[T]) {
        self.tensors.insert(name.to_owned(), T::into_elements(values.to_vec()));
    }

    /// The flat vector under `name`, of length `len`.
    ///
    /// # Errors
    /// A [`TensorProblem`] that names the tensor if it is missing, of another type or of another length.
    pub fn vector<T: Element>(&self, name: &str, len: usize) -> Result<&[T], TensorProblem> {
        let Some(elements) = self.tensors.get(name) else {
            return Err(TensorProblem::Missing { name: name.to_owned() });
        };
        if elements.len() != len {
            let (found, expected) = (vec![elements.len()], vec![len]);
            return Err(TensorProblem::Shape { name: name.to_owned(), found, expected });
        }
        elements.typed(name)
    }

    /// Adds the state of `owner` (such as `optimiser`): each of its tensors under `owner.tensor`.
    pub fn insert_state<T: Element + Real>(&mut self, owner: &str, state: &NamedState<'_, T>) {
        for (name, tensor) in state {
            let name = format!("{owner}.{name}");
            match tensor {
                StateTensor::Values(values) => self.insert(&name, values),
                StateTensor::Words(words) => self.insert(&name, words),
            }
        }
    }

    /// The state of `owner` as added by [`Checkpoint::insert_state`], in the order of the names.
    ///
    /// # Errors
    /// [`TensorProblem::ElementType`] if its numbers are of another precision than `T`.
    pub fn state<T: Element + Real>(&self, owner: &str) -> Result<NamedState<'_, T>, TensorProblem> {
        let prefix = format!("{owner}.");
        self.tensors
            .iter()
            .filter_map(|(name, elements)| Some((name, name.strip_prefix(&prefix)?, elements)))
            .map(|(name, own_name, elements)| {
                let tensor = match elements {
                    Elements::U64(words) => StateTensor::Words(Cow::Borrowed(words)),
                    _ => StateTensor::Values(Cow::Borrowed(elements.typed(name)?)),
                };
                Ok((own_name.to_owned(), tensor))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::optimiser::{OptimiserConfig, ParameterBlock};
    use crate::store::{CheckpointRecord, load_checkpoint, save_checkpoint};

    #[test]
    fn an_optimiser_restored_from_disk_continues_bit_for_bit() {
        let blocks =
            [ParameterBlock { offset: 0, rows: 3, columns: 2 }, ParameterBlock { offset: 6, rows: 3, columns: 1 }];
        let gradient = |step: usize| -> Vec<f32> { (0..9).map(|i| ((i * 7 + step * 3) as f32 * 0.37).sin()).collect() };
        let mut optimiser = OptimiserConfig::default().build::<f32>(&blocks).expect("valid");
        let mut parameters = vec![0.1_f32; 9];
        for step in 0..13 {
            optimiser.step(&mut parameters, &gradient(step), 1e-2).expect("finite");
        }
        let record = CheckpointRecord { model: "lnn".to_owned(), step: 13, ..CheckpointRecord::default() };
        let mut saved = Checkpoint { record, tensors: BTreeMap::new() };
        saved.insert("parameters", &parameters);
        saved.insert_state("optimiser", &optimiser.state());
        let folder = tempfile::tempdir().expect("temporary folder");
        save_checkpoint(folder.path(), &saved).expect("writable");

        let found = load_checkpoint(folder.path(), "lnn").expect("readable").expect("saved").checkpoint;
        let mut again = found.vector::<f32>("parameters", 9).expect("saved").to_vec();
        let mut restored = OptimiserConfig::default().build::<f32>(&blocks).expect("valid");
        restored.load_state(&found.state("optimiser").expect("same precision")).expect("same optimiser");
        for step in 13..40 {
            optimiser.step(&mut parameters, &gradient(step), 1e-2).expect("finite");
            restored.step(&mut again, &gradient(step), 1e-2).expect("finite");
        }
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&again), bits(&parameters));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let mut checkpoint = Checkpoint { record: CheckpointRecord::default(), tensors: BTreeMap::new() };
        checkpoint.insert("parameters", &[1.0_f64, 2.0]);
        checkpoint.insert("optimiser.mean", &[1.0_f64, 2.0]);
        assert_eq!(checkpoint.vector::<f64>("parameters", 2), Ok(&[1.0, 2.0][..]));
        let message = |problem: TensorProblem| problem.to_string();
        let length = message(checkpoint.vector::<f64>("parameters", 3).expect_err("length"));
        assert_eq!(length, "the tensor `parameters` has the shape [2], expected [3]");
        let kind = message(checkpoint.vector::<f32>("parameters", 2).expect_err("type"));
        assert_eq!(kind, "the tensor `parameters` has elements of type f64, expected f32");
        let missing = message(checkpoint.vector::<f32>("weights", 2).expect_err("missing"));
        assert_eq!(missing, "the tensor `weights` is missing");
        let state = message(checkpoint.state::<f32>("optimiser").expect_err("type"));
        assert!(state.contains("`optimiser.mean`"), "{state}");
        assert_eq!(checkpoint.state::<f64>("clipping").expect("none").len(), 0);
    }
}
