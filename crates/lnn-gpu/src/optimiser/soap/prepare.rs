//! The first bases.

use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{MatMut, MatRef, Par};

use super::layout::Factor;
use super::{Soap, SoapError};
use crate::device::{Device, DeviceError};
use crate::step::StepControl;

impl Soap {
    /// After [`record_preparation`](Self::record_preparation): the eigenvectors of the factors by falling eigenvalue,
    /// computed on the processor. Nothing if the gradient was skipped in every model; then the preparation is to be
    /// repeated at the next step. A model whose gradient was skipped while another's was not starts from the unit matrix.
    ///
    /// The step does not count as an update of the optimiser. What is given back are the
    /// [eigendecompositions](SoapError::Eigendecomposition) that did not converge, one a model at most: nothing can be
    /// learned by that model, and the others go on.
    ///
    /// # Errors
    /// The device is lost or does not answer in time.
    pub fn prepare(&self, device: &Device, control: &StepControl) -> Result<Option<Vec<SoapError>>, DeviceError> {
        let mut states = control.download_states(device)?;
        if states.iter().all(|state| state.apply == 0) {
            return Ok(None);
        }
        let mut failed = Vec::new();
        let mut factors = vec![0.0; self.factors.len()];
        device.download(&self.factors, 0, &mut factors)?;
        let mut bases = vec![0.0; factors.len()];
        let matrices = self.layout.matrices;
        for (model, state) in states.iter_mut().enumerate() {
            let range = model * matrices..(model + 1) * matrices;
            let decomposed = self.decompose(state.apply == 1, model, &factors[range.clone()], &mut bases[range]);
            failed.extend(decomposed.err());
            state.updates = 0;
        }
        device.upload(&self.bases, 0, &bases)?;
        control.upload_states(device, &states)?;
        Ok(Some(failed))
    }

    /// Unit matrices as the bases of a model: after a checkpoint that has those of other models only.
    ///
    /// # Errors
    /// The device is lost.
    pub fn upload_unit_bases(&self, device: &Device, model: usize) -> Result<(), DeviceError> {
        let matrices = self.layout.matrices;
        let mut bases = vec![0.0; matrices];
        for factor in &self.layout.factors {
            factor.set_columns(&mut bases, &unit_matrix(factor));
        }
        device.upload(&self.bases, model * matrices, &bases)
    }

    fn decompose(&self, usable: bool, model: usize, factors: &[f32], bases: &mut [f32]) -> Result<(), SoapError> {
        for (block, matrix) in self.layout.blocks.iter().enumerate() {
            let Some(matrix) = matrix else { continue };
            for factor in matrix.left.into_iter().chain([matrix.right]) {
                let factor = self.layout.factors[factor];
                let basis = if usable { eigenvectors(&factor, factors) } else { Some(unit_matrix(&factor)) };
                let dimension = factor.dimension as usize;
                let basis = basis.ok_or(SoapError::Eigendecomposition { model, block, dimension })?;
                factor.set_columns(bases, &basis);
            }
        }
        Ok(())
    }
}

fn unit_matrix(factor: &Factor) -> Vec<f32> {
    let n = factor.dimension as usize;
    (0..n * n).map(|at| f32::from(u8::from(at % n == at / n))).collect()
}

/// Column-major, by falling eigenvalue; nothing if the decomposition does not converge.
fn eigenvectors(factor: &Factor, factors: &[f32]) -> Option<Vec<f32>> {
    let n = factor.dimension as usize;
    let symmetric = factor.columns(factors);
    let mut values = vec![0.0; n];
    let mut rising = vec![0.0; n * n];
    let mut memory =
        MemBuffer::new(self_adjoint_evd_scratch::<f32>(n, ComputeEigenvectors::Yes, Par::Seq, Default::default()));
    self_adjoint_evd(
        MatRef::from_column_major_slice(&symmetric, n, n),
        DiagMut::from_slice_mut(&mut values),
        Some(MatMut::from_column_major_slice_mut(&mut rising, n, n)),
        Par::Seq,
        MemStack::new(&mut memory),
        Default::default(),
    )
    .ok()?;
    Some(rising.rchunks_exact(n).flatten().copied().collect())
}
