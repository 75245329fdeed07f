//! One field of any size, on all threads: acceleration and energy.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use lnn_autodiff::jet::PackedMlp;
use lnn_autodiff::{Mlp, Real};
use rayon::prelude::*;

use super::FieldLagrangian;
use super::solver::MassMatrixSolver;
use crate::error::EvaluationError;
use crate::local::{Elements, Fields, LocalJets, LocalNetwork, LocalPurpose};
use crate::solve::Factored;
use crate::solve::conjugate_gradient::{ConjugateGradient, Converged, SymmetricOperator};

/// How an evaluator solves for the acceleration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SolveBy {
    /// Assembly and factorisation: banded for a line, in time linear in the sites; sparse for any other topology.
    Factorisation,
    /// Conjugate gradients on products with the mass matrix that come from the network itself, forward over reverse, so
    /// that there is no matrix: for the largest grids and graphs. Needs a positive definite mass matrix.
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
    /// What the elements of the widest network give.
    local: Vec<T>,
    force: Vec<T>,
    solver: Solver<T>,
}

#[derive(Debug)]
enum Solver<T: Real> {
    Direct { mass_matrix: Vec<T>, factors: MassMatrixSolver<T> },
    Iterative { method: ConjugateGradient<T>, tolerance: f64, most_iterations: usize, diagonal: Vec<T> },
}

/// One network's buffers, one a thread, and how its elements are cut.
#[derive(Debug)]
struct Workers<T> {
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
    fn run(
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
        let numbers = lagrangian.networks().map(|(_, _, elements)| {
            let d = elements.unknowns();
            elements.len() * (d * (d + 1) / 2 + d)
        });
        let zeros = |length: usize| vec![T::ZERO; length];
        let unknowns = lagrangian.unknowns();
        let solver = match solve_by {
            SolveBy::Factorisation => {
                let structure = &lagrangian.assembly().map_err(EvaluationError::Factorisation)?.structure;
                let factors = MassMatrixSolver::new(structure, 1).map_err(EvaluationError::Factorisation)?;
                Solver::Direct { mass_matrix: zeros(structure.entries()), factors }
            }
            SolveBy::ConjugateGradient { tolerance, most_iterations } => Solver::Iterative {
                method: ConjugateGradient::new(unknowns),
                tolerance,
                most_iterations,
                diagonal: zeros(unknowns),
            },
        };
        Ok(Self {
            networks: networks.collect(),
            equations: workers(LocalPurpose::Equations),
            slopes: workers(LocalPurpose::Slopes),
            products: workers(LocalPurpose::Products),
            local: zeros(numbers.max().unwrap_or(0)),
            force: zeros(unknowns),
            solver,
            lagrangian: lagrangian.clone(),
        })
    }

    /// The Lagrangian.
    pub fn lagrangian(&self) -> &FieldLagrangian {
        &self.lagrangian
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
        let Self { lagrangian, networks, equations, products, local, force, solver, .. } = self;
        let stride = lagrangian.unknowns();
        for (what, given) in [("phi", phi.len()), ("phi_dot", phi_dot.len()), ("phi_ddot", phi_ddot.len())] {
            if given != stride {
                let (sites, components) = (lagrangian.topology.sites(), lagrangian.density.components());
                return Err(EvaluationError::Length { what, given, sites, components, expected: stride });
            }
        }
        let mass = lagrangian.residual_mass;
        match solver {
            Solver::Direct { mass_matrix, .. } => lagrangian.built().start(mass, mass_matrix, force),
            Solver::Iterative { diagonal, .. } => {
                diagonal.fill(T::from_f64(mass));
                force.fill(T::ZERO);
            }
        }
        let fields = Fields { phi, phi_dot, stride };
        for (index, network, elements) in lagrangian.networks() {
            let d = elements.unknowns();
            let width = d * (d + 1) / 2 + d;
            let mlp = networks[index].network();
            equations[index].run(elements, width, local, |jets, rows, out| {
                jets.load(network, elements, fields, rows);
                jets.equations(network, mlp, out);
            });
            let local = &local[..elements.len() * width];
            match solver {
                Solver::Direct { mass_matrix, .. } => {
                    lagrangian.built().add((index, elements), 0, local, mass_matrix, force);
                }
                Solver::Iterative { diagonal, .. } => add_diagonal(elements, local, diagonal, force),
            }
        }
        match solver {
            Solver::Direct { mass_matrix, factors } => {
                let components = lagrangian.density.components();
                let factored = factors.factor(0, mass_matrix);
                let factored = factored.map_err(|error| EvaluationError::of_sites(error, components))?;
                phi_ddot.copy_from_slice(force);
                factors.solve_in_place(0, phi_ddot);
                Ok(Solved::Factored(factored))
            }
            Solver::Iterative { method, tolerance, most_iterations, diagonal } => {
                let mut operator = MassMatrixProducts { lagrangian, networks, workers: products, local, fields };
                phi_ddot.fill(T::ZERO);
                let converged = method.solve(&mut operator, diagonal, force, phi_ddot, *tolerance, *most_iterations)?;
                Ok(Solved::Converged(converged))
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
            Solver::Iterative { .. } => None,
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

/// Adds what the elements give for the diagonal of the mass matrix and for the force.
fn add_diagonal<T: Real>(elements: &Elements, local: &[T], diagonal: &mut [T], force: &mut [T]) {
    let d = elements.unknowns();
    let upper = d * (d + 1) / 2;
    for (element, local) in local.chunks_exact(upper + d).enumerate() {
        let mut place = 0;
        for a in 0..d {
            let Some(unknown) = elements.unknown(element, a) else {
                place += d - a;
                continue;
            };
            force[unknown] += local[upper + a];
            for b in a..d {
                if a == b {
                    diagonal[unknown] += local[place];
                } else if elements.unknown(element, b) == Some(unknown) {
                    diagonal[unknown] += local[place] + local[place];
                }
                place += 1;
            }
        }
    }
}

/// x → H x at one state, from the networks, forward over reverse: no matrix is made.
#[derive(Debug)]
pub struct MassMatrixProducts<'a, T> {
    lagrangian: &'a FieldLagrangian,
    networks: &'a [PackedMlp<T>],
    workers: &'a [Workers<T>],
    local: &'a mut [T],
    fields: Fields<'a, T>,
}

impl<T: Real> SymmetricOperator<T> for MassMatrixProducts<'_, T> {
    fn dimension(&self) -> usize {
        self.fields.stride
    }

    fn apply(&mut self, x: &[T], y: &mut [T]) {
        let mass = T::from_f64(self.lagrangian.residual_mass);
        for (y, &x) in y.iter_mut().zip(x) {
            *y = mass * x;
        }
        for (index, network, elements) in self.lagrangian.networks() {
            let mlp: Mlp<'_, T> = self.networks[index].network();
            let (d, fields) = (elements.unknowns(), self.fields);
            self.workers[index].run(elements, d, self.local, |jets, rows, out| {
                jets.load(network, elements, fields, rows);
                out.copy_from_slice(jets.product((network, elements), mlp, x, fields.stride));
            });
            elements.scatter_add(0..elements.len(), fields.stride, &self.local[..elements.len() * d], y);
        }
    }
}
