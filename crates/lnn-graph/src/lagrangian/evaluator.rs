//! One field of any size, on all threads: acceleration and energy.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use lnn_autodiff::Real;
use lnn_autodiff::jet::PackedMlp;
use rayon::prelude::*;

use super::FieldLagrangian;
use super::iterative::{ElementMatrices, MassMatrixProducts, add_diagonal};
use super::solver::MassMatrixSolver;
use crate::error::EvaluationError;
use crate::local::{Elements, Fields, LocalJets, LocalNetwork, LocalPurpose};
use crate::solve::Factored;
use crate::solve::conjugate_gradient::{ConjugateGradient, Converged};

/// How an evaluator solves for the acceleration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SolveBy {
    /// Assembly and factorisation: banded for a line, in time linear in the sites; sparse for any other topology.
    Factorisation,
    /// Conjugate gradients on products with the elements' own matrices, which are kept but never assembled: for grids and
    /// graphs whose factors would fill in. Needs a positive definite mass matrix.
    ElementByElement {
        /// Largest relative residual ‖H φ̈ − r‖ / ‖r‖.
        tolerance: f64,
        /// Most products.
        most_iterations: usize,
    },
    /// Conjugate gradients on products with the mass matrix that come from the network itself, forward over reverse, so
    /// that there is no matrix at all: least memory, four layer products an iteration. Needs a positive definite mass
    /// matrix.
    ConjugateGradient {
        /// Largest relative residual ‖H φ̈ − r‖ / ‖r‖.
        tolerance: f64,
        /// Most products.
        most_iterations: usize,
    },
}

/// How an acceleration was solved for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Solved {
    /// By factors.
    Factored(Factored),
    /// By conjugate gradients.
    Converged(Converged),
}

/// A Lagrangian with its parameters, and the buffers for one field at a time.
///
/// Elements are cut into chunks whose size follows from their number alone, a thread takes a chunk, and what the chunks
/// give is added up in their order: the number of threads does not change a result. Time and memory are linear in the
/// sites of a line. An acceleration allocates nothing, except on the pivoted sparse rung and for the pseudoinverse.
#[derive(Debug)]
pub struct FieldEvaluator<T: Real> {
    lagrangian: FieldLagrangian,
    networks: Vec<PackedMlp<T>>,
    /// For each network, a thread's buffers.
    equations: Vec<Workers<T>>,
    slopes: Vec<Workers<T>>,
    products: Vec<Workers<T>>,
    /// What the elements of one network give at a time.
    local: Vec<T>,
    force: Vec<T>,
    solver: Solver<T>,
}

#[derive(Debug)]
enum Solver<T: Real> {
    Direct { mass_matrix: Vec<T>, factors: MassMatrixSolver<T> },
    Iterative(Iteration<T>),
}

/// A solve by conjugate gradients.
#[derive(Debug)]
struct Iteration<T> {
    method: ConjugateGradient<T>,
    tolerance: f64,
    most_iterations: usize,
    /// Sum of the diagonals of the elements' matrices: what the iteration is scaled by.
    diagonal: Vec<T>,
    /// For each network what its elements give, `[elements, d(d + 1)/2 + d]`, if products are made of that.
    matrices: Option<Vec<Vec<T>>>,
}

/// One network's buffers, one a thread, and how its elements are cut.
#[derive(Debug)]
pub(super) struct Workers<T> {
    jets: Vec<Mutex<LocalJets<T>>>,
    chunk: usize,
}

impl<T: Real> Workers<T> {
    fn new(network: &LocalNetwork, elements: &Elements, purpose: LocalPurpose) -> Self {
        // Eight chunks of a small field employ some threads, 64 rows fill the products of a large one.
        let chunk = elements.len().div_ceil(8).next_multiple_of(4).clamp(8, 64).min(elements.len().max(1));
        let jets = (0..rayon::current_num_threads()).map(|_| Mutex::new(LocalJets::new(network, chunk, purpose)));
        Self { jets: jets.collect(), chunk }
    }

    /// Runs `run` on every chunk, which writes `width` numbers an element to its part of `out`.
    pub(super) fn run(
        &self,
        elements: &Elements,
        width: usize,
        out: &mut [T],
        run: impl Fn(&mut LocalJets<T>, Range<usize>, &mut [T]) + Sync,
    ) {
        let count = elements.len();
        let chunks = out[..count * width].par_chunks_mut(self.chunk * width);
        chunks.enumerate().for_each(|(number, out)| {
            let thread = rayon::current_thread_index().unwrap_or(0);
            // Uncontended in the pool that they were made in: a thread works on one chunk at a time.
            let mut jets = self.jets[thread % self.jets.len()].lock().unwrap_or_else(PoisonError::into_inner);
            let first = number * self.chunk;
            run(&mut jets, first..(first + self.chunk).min(count), out);
        });
    }
}

impl<T: Real> FieldEvaluator<T> {
    /// An evaluator with these parameters, packed here once. Make it in the thread pool that it runs in.
    ///
    /// # Errors
    /// No memory for sparse factors.
    ///
    /// # Panics
    /// If `parameters` has another length than the density's.
    pub fn new(lagrangian: &FieldLagrangian, parameters: &[T], solve_by: SolveBy) -> Result<Self, EvaluationError> {
        let density = &lagrangian.density;
        let networks = (0..density.networks().len()).map(|index| {
            let network = density.network(index, parameters);
            PackedMlp::new(network.shape(), network.parameters()).unwrap_or_else(|error| panic!("{error}"))
        });
        let workers = |purpose: LocalPurpose| -> Vec<_> {
            let networks = lagrangian.networks();
            networks.map(|(_, network, elements)| Workers::new(network, elements, purpose)).collect()
        };
        let zeros = |length: usize| vec![T::ZERO; length];
        let unknowns = lagrangian.unknowns();
        let numbers = |of: &dyn Fn(&Elements) -> usize| -> Vec<usize> {
            lagrangian.networks().map(|(_, _, elements)| elements.len() * of(elements)).collect()
        };
        let iteration = |tolerance, most_iterations, kept: bool| {
            let matrices = kept.then(|| numbers(&Elements::matrix_and_force).into_iter().map(zeros).collect());
            let (method, diagonal) = (ConjugateGradient::new(unknowns), zeros(unknowns));
            Solver::Iterative(Iteration { method, tolerance, most_iterations, diagonal, matrices })
        };
        let (solver, local) = match solve_by {
            SolveBy::Factorisation => {
                let structure = &lagrangian.assembly().map_err(EvaluationError::Factorisation)?.structure;
                let factors = MassMatrixSolver::new(structure, 1).map_err(EvaluationError::Factorisation)?;
                let direct = Solver::Direct { mass_matrix: zeros(structure.entries()), factors };
                (direct, numbers(&Elements::matrix_and_force))
            }
            SolveBy::ElementByElement { tolerance, most_iterations } => {
                (iteration(tolerance, most_iterations, true), numbers(&|elements| 2 * elements.unknowns()))
            }
            SolveBy::ConjugateGradient { tolerance, most_iterations } => {
                (iteration(tolerance, most_iterations, false), numbers(&|elements| 2 * elements.unknowns()))
            }
        };
        Ok(Self {
            networks: networks.collect(),
            equations: workers(LocalPurpose::Equations),
            slopes: workers(LocalPurpose::Slopes),
            products: workers(LocalPurpose::Products),
            local: zeros(local.into_iter().max().unwrap_or(0)),
            force: zeros(unknowns),
            solver,
            lagrangian: lagrangian.clone(),
        })
    }

    /// The Lagrangian.
    pub fn lagrangian(&self) -> &FieldLagrangian {
        &self.lagrangian
    }

    /// Makes the mass matrix H and the force r at a field and its rate, `[sites × components]` each: an acceleration without
    /// its solve, H φ̈ = r. Returns r. H is kept as the solver takes it: assembled, as the elements' own matrices, or its
    /// diagonal alone.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn assemble(&mut self, phi: &[T], phi_dot: &[T]) -> &[T] {
        let Self { lagrangian, networks, equations, local, force, solver, .. } = self;
        let stride = lagrangian.unknowns();
        require([phi.len(), phi_dot.len(), stride], stride);
        let mass = lagrangian.residual_mass;
        match solver {
            Solver::Direct { mass_matrix, .. } => lagrangian.built().start(mass, mass_matrix, force),
            Solver::Iterative(Iteration { diagonal, .. }) => {
                diagonal.fill(T::from_f64(mass));
                force.fill(T::ZERO);
            }
        }
        let fields = Fields { phi, phi_dot, stride };
        for (index, network, elements) in lagrangian.networks() {
            let (mlp, workers) = (networks[index].network(), &equations[index]);
            let width = elements.matrix_and_force();
            let whole = |jets: &mut LocalJets<T>, rows: Range<usize>, out: &mut [T]| {
                jets.load(network, elements, fields, rows);
                jets.equations(network, mlp, out);
            };
            match solver {
                Solver::Direct { mass_matrix, .. } => {
                    workers.run(elements, width, local, whole);
                    let local = &local[..elements.len() * width];
                    lagrangian.built().add((index, elements), 0, local, mass_matrix, force);
                }
                Solver::Iterative(Iteration { diagonal, matrices: Some(matrices), .. }) => {
                    workers.run(elements, width, &mut matrices[index], whole);
                    add_diagonal(elements, &matrices[index], true, diagonal, force);
                }
                Solver::Iterative(Iteration { diagonal, matrices: None, .. }) => {
                    workers.run(elements, 2 * elements.unknowns(), local, |jets, rows, out| {
                        jets.load(network, elements, fields, rows);
                        jets.diagonal_equations(network, mlp, out);
                    });
                    add_diagonal(elements, local, false, diagonal, force);
                }
            }
        }
        &self.force
    }

    /// Writes φ̈ of a field and its rate, `[sites × components]` each, to `phi_ddot`.
    ///
    /// # Errors
    /// A length that does not fit, a mass matrix that cannot be solved with, or conjugate gradients that do not converge.
    pub fn acceleration_into(
        &mut self,
        phi: &[T],
        phi_dot: &[T],
        phi_ddot: &mut [T],
    ) -> Result<Solved, EvaluationError> {
        let stride = self.lagrangian.unknowns();
        for (what, given) in [("phi", phi.len()), ("phi_dot", phi_dot.len()), ("phi_ddot", phi_ddot.len())] {
            if given != stride {
                let (sites, components) = (self.lagrangian.topology.sites(), self.lagrangian.density.components());
                return Err(EvaluationError::Length { what, given, sites, components, expected: stride });
            }
        }
        self.assemble(phi, phi_dot);
        let Self { lagrangian, networks, products, local, force, solver, .. } = self;
        match solver {
            Solver::Direct { mass_matrix, factors } => {
                let components = lagrangian.density.components();
                let factored = factors.factor(0, mass_matrix);
                let factored = factored.map_err(|error| EvaluationError::of_sites(error, components))?;
                phi_ddot.copy_from_slice(force);
                factors.solve_in_place(0, phi_ddot);
                Ok(Solved::Factored(factored))
            }
            Solver::Iterative(Iteration { method, tolerance, most_iterations, diagonal, matrices }) => {
                phi_ddot.fill(T::ZERO);
                let (tolerance, most) = (*tolerance, *most_iterations);
                let converged = match matrices {
                    Some(matrices) => {
                        let mut operator = ElementMatrices { lagrangian, matrices, local };
                        method.solve(&mut operator, diagonal, force, phi_ddot, tolerance, most)
                    }
                    None => {
                        let fields = Fields { phi, phi_dot, stride };
                        let mut operator =
                            MassMatrixProducts { lagrangian, networks, workers: products, local, fields };
                        method.solve(&mut operator, diagonal, force, phi_ddot, tolerance, most)
                    }
                };
                Ok(Solved::Converged(converged?))
            }
        }
    }

    /// `‖H φ̈ − r‖∞ / (‖H‖∞ ‖φ̈‖∞ + ‖r‖∞)` of the last [`acceleration_into`](Self::acceleration_into) by factorisation: how far
    /// H and r must be changed for φ̈ to be exact, as a share of their size. `None` for conjugate gradients, which report
    /// their own.
    ///
    /// # Panics
    /// If `phi_ddot` has another length.
    pub fn relative_residual(&self, phi_ddot: &[T]) -> Option<f64> {
        match &self.solver {
            Solver::Direct { mass_matrix, .. } => {
                Some(self.lagrangian.built().structure.relative_residual(mass_matrix, phi_ddot, &self.force))
            }
            Solver::Iterative(_) => None,
        }
    }

    /// Products with the mass matrix at a field and its rate, `[sites × components]` each.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn mass_matrix_products<'a>(&'a mut self, phi: &'a [T], phi_dot: &'a [T]) -> MassMatrixProducts<'a, T> {
        let Self { lagrangian, networks, products, local, .. } = self;
        let stride = lagrangian.unknowns();
        require([phi.len(), phi_dot.len(), stride], stride);
        MassMatrixProducts { lagrangian, networks, workers: products, local, fields: Fields { phi, phi_dot, stride } }
    }

    /// Writes the energy density `φ̇·∂ℓ/∂φ̇ − ℓ` of every site, its share of the residual mass's ½ m φ̇² included, to
    /// `energy` `[sites]`. Its sum is the conserved energy. What lies beyond a fixed end counts for the end site.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn energy_density_into(&mut self, phi: &[T], phi_dot: &[T], energy: &mut [T]) {
        let Self { lagrangian, networks, slopes, local, .. } = self;
        let (stride, c) = (lagrangian.unknowns(), lagrangian.density.components());
        require([phi.len(), phi_dot.len(), energy.len() * c], stride);
        let half_mass = T::from_f64(0.5 * lagrangian.residual_mass);
        for (energy, rates) in energy.iter_mut().zip(phi_dot.chunks_exact(c)) {
            *energy = rates.iter().fold(T::ZERO, |sum, &rate| sum + half_mass * rate * rate);
        }
        let fields = Fields { phi, phi_dot, stride };
        for (index, network, elements) in lagrangian.networks() {
            let mlp = networks[index].network();
            slopes[index].run(elements, 1, local, |jets, rows, out| {
                jets.load(network, elements, fields, rows);
                jets.slopes(network, mlp, true).energies(out);
            });
            elements.add_to_owners(0..elements.len(), 1, energy.len(), &local[..elements.len()], energy);
        }
    }

    /// The conserved energy, the [densities](Self::energy_density_into) summed in double precision.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn energy(&mut self, phi: &[T], phi_dot: &[T]) -> f64 {
        let mut densities = vec![T::ZERO; self.lagrangian.topology.sites()];
        self.energy_density_into(phi, phi_dot, &mut densities);
        densities.iter().map(|density| density.to_f64()).sum()
    }
}

/// # Panics
/// If a length is not `wanted`.
fn require(given: [usize; 3], wanted: usize) {
    assert_eq!(given, [wanted; 3], "sites × components");
}
