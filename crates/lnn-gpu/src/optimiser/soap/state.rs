//! The state as a checkpoint has it: the processor's tensors, without the device's padding.

use super::Soap;
use super::layout::{Factor, MatrixBlock, ParameterBlock};
use crate::device::{Device, DeviceError};

/// One side of a block: S, and Q column by column.
#[derive(Clone, Debug, PartialEq)]
pub struct FactorState {
    /// S, `[n, n]`.
    pub factor: Vec<f32>,
    /// Q, column-major: one approximate eigenvector of S after another, by falling eigenvalue.
    pub basis: Vec<f32>,
}

/// What SOAP keeps of one parameter block.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockState {
    /// M̃, `[rows, columns]`, in the rotated space; of a block of one column Adam's m.
    pub first_moment: Vec<f32>,
    /// Ṽ alike.
    pub second_moment: Vec<f32>,
    /// Absent for one row, and for one column.
    pub left: Option<FactorState>,
    /// Absent for one column.
    pub right: Option<FactorState>,
}

impl Factor {
    /// The matrix of this factor without padding, column-major.
    pub(super) fn columns(&self, matrices: &[f32]) -> Vec<f32> {
        let (n, start, stride) = (self.dimension as usize, self.matrix as usize, self.stride as usize);
        (0..n * n).map(|at| matrices[start + at % n * stride + at / n]).collect()
    }

    /// The inverse of [`columns`](Self::columns).
    pub(super) fn set_columns(&self, matrices: &mut [f32], columns: &[f32]) {
        let (n, start, stride) = (self.dimension as usize, self.matrix as usize, self.stride as usize);
        assert_eq!(columns.len(), n * n, "a matrix of {n} rows");
        for (at, &number) in columns.iter().enumerate() {
            matrices[start + at % n * stride + at / n] = number;
        }
    }
}

impl ParameterBlock {
    fn places(self) -> impl Iterator<Item = usize> {
        let row = move |row: usize| (0..self.columns).map(move |column| self.offset + row * self.stride + column);
        (0..self.rows).flat_map(row)
    }
}

impl Soap {
    /// Reads the state of one model's blocks, in their order, and waits for what was submitted.
    ///
    /// # Errors
    /// The device is lost or does not answer in time.
    pub fn download(&self, device: &Device, model: usize) -> Result<Vec<BlockState>, DeviceError> {
        let (parameters, matrices) = (self.parameters, self.layout.matrices);
        let [mut first, mut second] = [(); 2].map(|()| vec![0.0; parameters]);
        device.download(&self.first_moment, model * parameters, &mut first)?;
        device.download(&self.second_moment, model * parameters, &mut second)?;
        let [mut factors, mut bases] = [(); 2].map(|()| vec![0.0; matrices]);
        device.download(&self.factors, model * matrices, &mut factors)?;
        device.download(&self.bases, model * matrices, &mut bases)?;
        let side = |factor: usize| {
            let factor = self.layout.factors[factor];
            // S is symmetric up to round-off; as on the processor it is stored by columns.
            FactorState { factor: factor.columns(&factors), basis: factor.columns(&bases) }
        };
        let state = |(block, matrix): (&ParameterBlock, &Option<MatrixBlock>)| BlockState {
            first_moment: block.places().map(|at| first[at]).collect(),
            second_moment: block.places().map(|at| second[at]).collect(),
            left: matrix.and_then(|matrix| matrix.left).map(side),
            right: matrix.map(|matrix| side(matrix.right)),
        };
        Ok(self.blocks.iter().zip(&self.layout.blocks).map(state).collect())
    }

    /// Goes back to the state of one model that [`download`](Self::download) gave.
    ///
    /// # Errors
    /// The device is lost.
    ///
    /// # Panics
    /// If it is that of other blocks.
    pub fn upload(&self, device: &Device, model: usize, states: &[BlockState]) -> Result<(), DeviceError> {
        let (parameters, matrices) = (self.parameters, self.layout.matrices);
        assert_eq!(states.len(), self.blocks.len(), "a state for each block");
        let [mut first, mut second] = [(); 2].map(|()| vec![0.0; parameters]);
        let [mut factors, mut bases] = [(); 2].map(|()| vec![0.0; matrices]);
        for ((block, matrix), state) in self.blocks.iter().zip(&self.layout.blocks).zip(states) {
            for (own, given) in [(&mut first, &state.first_moment), (&mut second, &state.second_moment)] {
                assert_eq!(given.len(), block.rows * block.columns, "moments of {block:?}");
                block.places().zip(given).for_each(|(at, &number)| own[at] = number);
            }
            let sides = [(matrix.and_then(|matrix| matrix.left), &state.left), (matrix.map(|m| m.right), &state.right)];
            for (own, given) in sides {
                assert_eq!(own.is_some(), given.is_some(), "factors of {block:?}");
                let (Some(own), Some(given)) = (own, given) else { continue };
                self.layout.factors[own].set_columns(&mut factors, &given.factor);
                self.layout.factors[own].set_columns(&mut bases, &given.basis);
            }
        }
        device.upload(&self.first_moment, model * parameters, &first)?;
        device.upload(&self.second_moment, model * parameters, &second)?;
        device.upload(&self.factors, model * matrices, &factors)?;
        device.upload(&self.bases, model * matrices, &bases)
    }
}
