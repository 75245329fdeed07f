//! Pseudoinverses of many small symmetric matrices, a matrix a thread: their factors, solves and vector-Jacobian product.
//!
//! The twin is [`lnn_autodiff::pseudoinverse`]: the same rotations in the same order, the same rule for what counts as
//! zero. Two things differ, since a device may take numbers below the smallest normal one for zero: such an eigenvalue
//! counts as zero, and one whose reciprocal would be so small, above 2¹²⁶, counts as not finite.
//!
//! Coordinates may have units u, as [velocities of different kinds](PseudoinverseSettings::units) do: with U = diag(u)
//! everything here is about U H U, and solutions are `x = U (U H U)⁺ U b`.

use bytemuck::{Pod, Zeroable};
use lnn_autodiff::pseudoinverse::Tolerance;

use crate::device::{Buffer, Device, DeviceError, Recorder, Uniforms};
use crate::kernels::{FACTOR_SYMMETRIC, SOLVE_SYMMETRIC, SOLVE_SYMMETRIC_VJP};
use crate::stage::{Stage, constants, for_each, require, variant};

/// Largest dimension d that has kernels.
pub const MAX_DIMENSION: usize = 8;

/// [Rank](SymmetricFactors::ranks) of a matrix that is not finite.
pub const NOT_FINITE: u32 = u32::MAX;

/// What is factored.
#[derive(Clone, Debug, PartialEq)]
pub struct PseudoinverseSettings {
    /// d, 1 to [`MAX_DIMENSION`].
    pub dimension: usize,
    /// Number of matrices.
    pub rows: usize,
    /// Which eigenvalues count as zero.
    pub tolerance: Tolerance,
    /// Units u of the coordinates, `[d]`, where they are not all 1.
    pub units: Option<Vec<f64>>,
}

impl PseudoinverseSettings {
    /// `rows` matrices `d × d` with units 1 and the tolerance of single precision.
    pub fn new(dimension: usize, rows: usize) -> Self {
        Self { dimension, rows, tolerance: Tolerance::for_dimension::<f32>(dimension), units: None }
    }
}

/// The constants as the kernels see them.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Constants {
    rows: u32,
    relative: f32,
    absolute: f32,
    padding: u32,
    units: [f32; MAX_DIMENSION],
}

/// Eigenfactors of a batch of matrices, in the device's memory.
#[derive(Clone, Debug)]
pub struct SymmetricFactors {
    settings: PseudoinverseSettings,
    constants: Uniforms<Constants>,
    vectors: Buffer<f32>,
    inverses: Buffer<f32>,
    ranks: Buffer<u32>,
    tally: Buffer<u32>,
    factor: Stage,
}

/// The buffers of [`SymmetricFactors::solve_vjp`].
#[derive(Clone, Copy, Debug)]
pub struct SolveVjpBuffers<'a> {
    /// Right sides, `[rows, d]`.
    pub b: &'a Buffer<f32>,
    /// Solutions, `[rows, d]`.
    pub x: &'a Buffer<f32>,
    /// Their cotangents, `[rows, d]`.
    pub lambda: &'a Buffer<f32>,
    /// Written: `v = H⁺ λ`, the cotangents of b, `[rows, d]`.
    pub v: &'a Buffer<f32>,
    /// Written: `H⁺ v`, `P b`, `P λ` and `H⁺ x`, `[4, rows, d]`; zero where the rank is full.
    pub terms: &'a Buffer<f32>,
}

impl SymmetricFactors {
    /// Plans the factors of `matrices` `[rows, d, d]`, symmetric (the upper triangles are read).
    ///
    /// # Errors
    /// There is no kernel for the dimension, the buffers do not fit on the device, or a kernel cannot be compiled.
    ///
    /// # Panics
    /// If there is another number of units, or `matrices` is too short.
    pub fn new(device: &Device, settings: PseudoinverseSettings, matrices: &Buffer<f32>) -> Result<Self, DeviceError> {
        let PseudoinverseSettings { dimension: d, rows, tolerance, ref units } = settings;
        let source = variant(&FACTOR_SYMMETRIC, d)?;
        require("matrices", matrices, rows * d * d);
        let record = Constants {
            rows: rows as u32,
            relative: tolerance.relative as f32,
            absolute: tolerance.absolute as f32,
            padding: 0,
            units: for_each(d, units.as_deref(), 1.0),
        };
        let constants = constants(device, "pseudoinverse settings", record)?;
        let vectors = device.buffer("eigenvectors", rows * d * d)?;
        let inverses = device.buffer("inverse eigenvalues", rows * d)?;
        let ranks = device.buffer("ranks", rows)?;
        let tally = device.buffer("rank tally", 2)?;
        let arguments = [
            (&constants).into(),
            matrices.into(),
            (&vectors).into(),
            (&inverses).into(),
            (&ranks).into(),
            (&tally).into(),
        ];
        let factor = Stage::new(device, source, &arguments, rows)?;
        Ok(Self { settings, constants, vectors, inverses, ranks, tally, factor })
    }

    /// Factors the matrices.
    pub fn record_factor(&self, recorder: &mut Recorder) {
        self.factor.record(recorder);
    }

    /// Plans `x = H⁺ b`; both `[rows, d]`. A matrix that is not finite solves to NaN.
    ///
    /// # Errors
    /// The kernel cannot be compiled.
    ///
    /// # Panics
    /// If a buffer is too short.
    pub fn solve(&self, device: &Device, b: &Buffer<f32>, x: &Buffer<f32>) -> Result<Stage, DeviceError> {
        let PseudoinverseSettings { dimension: d, rows, .. } = self.settings;
        require("b", b, rows * d);
        require("x", x, rows * d);
        let arguments = [(&self.constants).into(), (&self.vectors).into(), (&self.inverses).into(), b.into(), x.into()];
        Stage::new(device, variant(&SOLVE_SYMMETRIC, d)?, &arguments, rows)
    }

    /// Plans the vector-Jacobian product of `x = H⁺ b` at constant rank:
    /// `H̄ = −v xᵀ + (H⁺ v)(P b)ᵀ + (P λ)(H⁺ x)ᵀ`, where the last two are there below full rank only.
    ///
    /// # Errors
    /// The kernel cannot be compiled.
    ///
    /// # Panics
    /// If a buffer is too short.
    pub fn solve_vjp(&self, device: &Device, buffers: SolveVjpBuffers<'_>) -> Result<Stage, DeviceError> {
        let PseudoinverseSettings { dimension: d, rows, .. } = self.settings;
        let SolveVjpBuffers { b, x, lambda, v, terms } = buffers;
        for (name, buffer) in [("b", b), ("x", x), ("λ", lambda), ("v", v)] {
            require(name, buffer, rows * d);
        }
        require("terms", terms, 4 * rows * d);
        let arguments = [
            (&self.constants).into(),
            (&self.vectors).into(),
            (&self.inverses).into(),
            b.into(),
            x.into(),
            lambda.into(),
            v.into(),
            terms.into(),
        ];
        Stage::new(device, variant(&SOLVE_SYMMETRIC_VJP, d)?, &arguments, rows)
    }

    /// What is factored.
    pub fn settings(&self) -> &PseudoinverseSettings {
        &self.settings
    }
    /// Ranks of the matrices, `[rows]`; [`NOT_FINITE`] for one with an entry or eigenvalue that is not finite.
    pub fn ranks(&self) -> &Buffer<u32> {
        &self.ranks
    }
    /// How many matrices were not finite, and how many others not of full rank, added up over all factorisations since
    /// zeros were uploaded; `[2]`.
    pub fn tally(&self) -> &Buffer<u32> {
        &self.tally
    }
}
