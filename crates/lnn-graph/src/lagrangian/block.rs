//! Some samples of a field at once: accelerations, and the way back to the parameters.

use lnn_autodiff::Real;
use lnn_autodiff::jet::Accumulate;

use super::FieldLagrangian;
use super::solver::MassMatrixSolver;
use crate::local::{CHUNK, Fields, LocalJets, LocalPurpose, chunk_jets, clear_without_rows, for_each_chunk};
use crate::solve::{Factored, Method, SolveError};

/// One thread's buffers for blocks of up to a number of samples of one Lagrangian, and its mathematics on them.
///
/// All arrays are `[samples, sites × components]`, components side by side. Nothing is allocated after construction,
/// unless a mass matrix is singular and falls back to the pseudoinverse.
#[derive(Debug)]
pub struct LagrangianBlock<T: Real> {
    lagrangian: FieldLagrangian,
    capacity: usize,
    samples: usize,
    /// For each network its chunks; those of a block for training stay for the way back.
    jets: Vec<Vec<LocalJets<T>>>,
    /// `[CHUNK, d(d + 1)/2 + d]` of the widest network.
    local: Vec<T>,
    /// `[samples, entries]`.
    mass_matrix: Vec<T>,
    force: Vec<T>,
    acceleration: Vec<T>,
    v: Vec<T>,
    solver: MassMatrixSolver<T>,
    /// `[samples]`.
    factored: Vec<Result<Factored, SolveError>>,
}

impl<T: Real> LagrangianBlock<T> {
    /// Buffers for up to `capacity` samples; `training` adds what the gradient needs.
    ///
    /// # Errors
    /// No memory for sparse factors, or a matrix of more than 2³¹ stored numbers.
    pub fn new(lagrangian: &FieldLagrangian, capacity: usize, training: bool) -> Result<Self, SolveError> {
        let purpose = if training { LocalPurpose::EquationsGradient } else { LocalPurpose::Equations };
        lagrangian.assembly()?;
        let unknowns = lagrangian.unknowns();
        let zeros = |length: usize| vec![T::ZERO; length];
        let jets = lagrangian
            .networks()
            .map(|(_, network, elements)| chunk_jets(network, capacity * elements.len(), CHUNK, purpose, training));
        let numbers = |d: usize| d * (d + 1) / 2 + d;
        let widest = lagrangian.networks().map(|(_, network, _)| numbers(network.unknowns())).max().unwrap_or(0);
        Ok(Self {
            capacity,
            samples: 0,
            jets: jets.collect(),
            local: zeros(CHUNK * widest),
            mass_matrix: zeros(capacity * lagrangian.built().structure.entries()),
            force: zeros(capacity * unknowns),
            acceleration: zeros(capacity * unknowns),
            v: zeros(if training { capacity * unknowns } else { 0 }),
            solver: MassMatrixSolver::new(&lagrangian.built().structure, capacity)?,
            factored: Vec::with_capacity(capacity),
            lagrangian: lagrangian.clone(),
        })
    }

    /// φ̈ of the samples, from their fields and rates.
    ///
    /// A sample whose mass matrix cannot be solved with gets NaN; [`factored`](Self::factored) has the reason.
    ///
    /// # Panics
    /// If there are more samples than the buffers hold, or a length does not fit.
    pub fn accelerate(&mut self, parameters: &[T], phi: &[T], phi_dot: &[T]) -> &[T] {
        let Self { lagrangian, jets, local, mass_matrix, force, acceleration, solver, factored, .. } = self;
        let stride = lagrangian.unknowns();
        let samples = phi.len() / stride;
        assert_eq!((phi.len(), phi_dot.len()), (samples * stride, samples * stride), "samples × sites × components");
        assert!(samples <= self.capacity, "{samples} samples do not fit into a block for {}", self.capacity);
        self.samples = samples;
        let assembly = lagrangian.built();
        let entries = assembly.structure.entries();
        for sample in 0..samples {
            let matrix = &mut mass_matrix[sample * entries..(sample + 1) * entries];
            assembly.start(lagrangian.residual_mass, matrix, &mut force[sample * stride..(sample + 1) * stride]);
        }
        let fields = Fields { phi, phi_dot, stride };
        for (index, network, elements) in lagrangian.networks() {
            let mlp = lagrangian.density.network(index, parameters);
            let (rows, d) = (samples * elements.len(), elements.unknowns());
            let width = d * (d + 1) / 2 + d;
            for_each_chunk(&mut jets[index], rows, CHUNK, |jets, chunk| {
                jets.load(network, elements, fields, chunk.clone());
                let local = &mut local[..chunk.len() * width];
                jets.equations(network, mlp, local);
                for (sample, run, at) in elements.runs(chunk) {
                    let matrix = &mut mass_matrix[sample * entries..(sample + 1) * entries];
                    let force = &mut force[sample * stride..(sample + 1) * stride];
                    let local = &local[at * width..(at + run.len()) * width];
                    assembly.add((index, elements), run.start, local, matrix, force);
                }
            });
        }
        factored.clear();
        acceleration[..samples * stride].copy_from_slice(&force[..samples * stride]);
        for (sample, solution) in acceleration[..samples * stride].chunks_exact_mut(stride).enumerate() {
            let outcome = solver.factor(sample, &mass_matrix[sample * entries..(sample + 1) * entries]);
            match outcome {
                Ok(_) => solver.solve_in_place(sample, solution),
                Err(_) => solution.fill(T::from_f64(f64::NAN)),
            }
            factored.push(outcome);
        }
        &acceleration[..samples * stride]
    }

    /// Writes or adds `∂(Σ λ·φ̈)/∂θ` of the block accelerated last to `gradient`, laid out as the parameters, for λ
    /// `[samples, sites × components]`; the parameters are those of that call.
    ///
    /// A sample whose mass matrix was singular, or close to it, and fell back to the pseudoinverse has no gradient: a
    /// training leaves the step out, and counts it.
    ///
    /// # Panics
    /// If the buffers were not made for training, a length does not fit, or a sample is not
    /// [regular](Self::is_regular).
    pub fn gradient(&mut self, parameters: &[T], lambda: &[T], accumulate: Accumulate, gradient: &mut [T]) {
        let Self { lagrangian, jets, acceleration, v, solver, .. } = self;
        let (stride, length) = (lagrangian.unknowns(), self.samples * lagrangian.unknowns());
        assert_eq!(lambda.len(), length, "λ: samples × sites × components");
        assert!(v.len() >= length, "the block was made without training");
        assert!(self.factored.iter().all(regular), "a gradient through a singular mass matrix");
        assert_eq!(gradient.len(), lagrangian.density.parameter_count(), "gradient: as many numbers as parameters");
        v[..length].copy_from_slice(lambda);
        for (sample, v) in v[..length].chunks_exact_mut(stride).enumerate() {
            solver.solve_in_place(sample, v);
        }
        let directions = (&v[..length], &acceleration[..length]);
        for (index, network, elements) in lagrangian.networks() {
            let mlp = lagrangian.density.network(index, parameters);
            let gradient = &mut gradient[lagrangian.density.range(index)];
            clear_without_rows(accumulate, self.samples * elements.len(), gradient);
            let mut accumulate = accumulate;
            for_each_chunk(&mut jets[index], self.samples * elements.len(), CHUNK, |jets, _| {
                jets.equations_gradient((network, elements), mlp, directions, stride, accumulate, gradient);
                accumulate = Accumulate::Add;
            });
        }
    }

    /// The samples' forces r, `[samples, sites × components]`.
    pub fn force(&self) -> &[T] {
        &self.force[..self.samples * self.lagrangian.unknowns()]
    }
    /// How each sample's mass matrix was factored, or why it could not be.
    pub fn factored(&self) -> &[Result<Factored, SolveError>] {
        &self.factored
    }
    /// Whether every sample's mass matrix was factored without the pseudoinverse, so that there is a gradient.
    pub fn is_regular(&self) -> bool {
        self.factored.iter().all(regular)
    }
    /// A sample's mass matrix in full, `[n, n]` with n = sites × components: for tests and small lattices.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn dense_mass_matrix(&self, sample: usize) -> Vec<T> {
        assert!(sample < self.samples, "sample {sample} of {}", self.samples);
        let structure = &self.lagrangian.built().structure;
        let entries = structure.entries();
        structure.to_dense(&self.mass_matrix[sample * entries..(sample + 1) * entries])
    }
}

fn regular(outcome: &Result<Factored, SolveError>) -> bool {
    outcome.as_ref().is_ok_and(|factored| factored.method != Method::Pseudoinverse)
}
