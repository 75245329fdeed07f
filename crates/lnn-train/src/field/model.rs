//! The models of fields behind one face: on any lattice, in blocks of samples, or one field at a time.

use lnn_autodiff::Real;
use lnn_autodiff::jet::Accumulate;
use lnn_graph::fields::Field;
use lnn_graph::solve::SolveError;
use lnn_graph::{
    Density, DensityError, FieldHamiltonian, FieldLagrangian, HamiltonianBlock, LagrangianBlock, PlainBlock, PlainField,
};

use super::config::{FieldModelConfig, FieldModelKind, LatticeConfig};

/// A model of a field on one lattice, without its parameters.
#[derive(Clone, Debug)]
pub enum FieldModel {
    /// φ̈ from the Euler–Lagrange equation.
    Lagrangian(FieldLagrangian),
    /// φ̈ = s · network.
    Plain {
        /// The network.
        field: PlainField,
        /// Scale s.
        output_scale: f64,
    },
    /// (φ̇, π̇) from Hamilton's equations, with φ̇ taken for π.
    Hamiltonian(FieldHamiltonian),
}

impl FieldModel {
    /// The model that `config` describes of `field`, which lives on a lattice like `lattice`.
    ///
    /// # Errors
    /// Networks that do not fit the field or its lattice.
    pub fn new(config: &FieldModelConfig, lattice: &LatticeConfig, field: &dyn Field) -> Result<Self, DensityError> {
        let density = config.density(lattice, field.components(), field.site_attribute_names().len())?;
        Self::of_density(config.kind, density, field)
    }

    /// The model of this kind, with the networks of `density`, of `field`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of_density(kind: FieldModelKind, density: Density, field: &dyn Field) -> Result<Self, DensityError> {
        let (topology, attributes) = (field.topology().clone(), field.site_attributes());
        Ok(match kind {
            FieldModelKind::Lgn { residual_mass } => {
                Self::Lagrangian(FieldLagrangian::new(density, topology, attributes, residual_mass)?)
            }
            FieldModelKind::Cnn { output_scale } => {
                Self::Plain { field: PlainField::new(density, topology, attributes)?, output_scale }
            }
            FieldModelKind::Hgn => Self::Hamiltonian(FieldHamiltonian::new(density, topology, attributes)?),
        })
    }

    /// The same networks on the lattice of `field`.
    ///
    /// # Errors
    /// A lattice without such neighbourhoods, or attributes of another number.
    pub fn on(&self, field: &dyn Field) -> Result<Self, DensityError> {
        let (topology, attributes) = (field.topology().clone(), field.site_attributes());
        Ok(match self {
            Self::Lagrangian(lagrangian) => Self::Lagrangian(lagrangian.on(topology, attributes)?),
            Self::Plain { field, output_scale } => {
                Self::Plain { field: field.on(topology, attributes)?, output_scale: *output_scale }
            }
            Self::Hamiltonian(hamiltonian) => Self::Hamiltonian(hamiltonian.on(topology, attributes)?),
        })
    }

    /// The networks.
    pub fn density(&self) -> &Density {
        match self {
            Self::Lagrangian(lagrangian) => lagrangian.density(),
            Self::Plain { field, .. } => field.network(),
            Self::Hamiltonian(hamiltonian) => hamiltonian.density(),
        }
    }

    /// Unknowns of a field: sites × components.
    pub fn unknowns(&self) -> usize {
        match self {
            Self::Lagrangian(lagrangian) => lagrangian.unknowns(),
            Self::Plain { field, .. } => field.unknowns(),
            Self::Hamiltonian(hamiltonian) => hamiltonian.unknowns(),
        }
    }

    /// Whether the rate of φ is learned too, and not φ̇ itself.
    pub fn is_first_order(&self) -> bool {
        matches!(self, Self::Hamiltonian(_))
    }

    /// Buffers for up to `capacity` samples; `training` adds what the gradient needs.
    ///
    /// # Errors
    /// No memory for sparse factors.
    pub fn block<T: Real>(&self, capacity: usize, training: bool) -> Result<FieldBlock<T>, SolveError> {
        Ok(match self {
            Self::Lagrangian(lagrangian) => {
                FieldBlock::Lagrangian(Box::new(LagrangianBlock::new(lagrangian, capacity, training)?))
            }
            Self::Plain { field, output_scale } => {
                FieldBlock::Plain(Box::new(PlainBlock::new(field, capacity, training)), T::from_f64(*output_scale))
            }
            Self::Hamiltonian(hamiltonian) => {
                FieldBlock::Hamiltonian(Box::new(HamiltonianBlock::new(hamiltonian, capacity, training)))
            }
        })
    }
}

/// One thread's buffers for blocks of samples of a [`FieldModel`]; all arrays are `[samples, sites × components]`.
#[derive(Debug)]
pub enum FieldBlock<T: Real> {
    /// Of a Lagrangian.
    Lagrangian(Box<LagrangianBlock<T>>),
    /// Of a plain network, with its output scale.
    Plain(Box<PlainBlock<T>>, T),
    /// Of a Hamiltonian.
    Hamiltonian(Box<HamiltonianBlock<T>>),
}

impl<T: Real> FieldBlock<T> {
    /// Writes the rates of φ and φ̇ of the samples; that of φ is φ̇ itself unless it is learned.
    ///
    /// A sample whose mass matrix cannot be solved with gets NaN.
    ///
    /// # Panics
    /// If there are more samples than the buffers hold, or a length does not fit.
    pub fn rates_into(&mut self, parameters: &[T], [phi, phi_dot]: [&[T]; 2], [rate, phi_ddot]: [&mut [T]; 2]) {
        match self {
            Self::Lagrangian(block) => {
                rate.copy_from_slice(phi_dot);
                phi_ddot.copy_from_slice(block.accelerate(parameters, phi, phi_dot));
            }
            Self::Plain(block, scale) => {
                rate.copy_from_slice(phi_dot);
                block.acceleration_into(parameters, phi, phi_dot, phi_ddot);
                for value in phi_ddot {
                    *value *= *scale;
                }
            }
            Self::Hamiltonian(block) => block.rates_into(parameters, phi, phi_dot, rate, phi_ddot),
        }
    }

    /// Whether every sample of the last [`rates_into`](Self::rates_into) has a gradient: its mass matrix is regular.
    pub fn is_regular(&self) -> bool {
        match self {
            Self::Lagrangian(block) => block.is_regular(),
            Self::Plain(..) | Self::Hamiltonian(_) => true,
        }
    }

    /// Writes or adds `∂(Σ λ_φ·(rate of φ) + λ·φ̈)/∂θ` of the block of the last [`rates_into`](Self::rates_into); λ_φ counts
    /// only where that rate is learned, and λ may be overwritten.
    ///
    /// # Panics
    /// If the buffers were not made for training, a length does not fit, or a sample is not
    /// [regular](Self::is_regular).
    pub fn gradient(
        &mut self,
        parameters: &[T],
        [lambda_phi, lambda]: [&mut [T]; 2],
        accumulate: Accumulate,
        gradient: &mut [T],
    ) {
        match self {
            Self::Lagrangian(block) => block.gradient(parameters, lambda, accumulate, gradient),
            Self::Plain(block, scale) => {
                for value in &mut *lambda {
                    *value *= *scale;
                }
                block.gradient(parameters, lambda, accumulate, gradient);
            }
            Self::Hamiltonian(block) => block.gradient(parameters, [lambda_phi, lambda], accumulate, gradient),
        }
    }
}
