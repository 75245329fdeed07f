//! A learned Lagrangian of a field: L(φ, φ̇) = Σ_i density(neighbourhood of i) + ½ m Σ_i φ̇_i².
//!
//! The data flow of an acceleration, and of the way back:
//!
//! | step | file | cost |
//! |---|---|---|
//! | fields → elements' inputs → jets → local mass matrices and forces | `local/jets.rs` | linear in sites |
//! | → mass matrix H of the field, sparse, and force r | `assembly.rs` | linear |
//! | → φ̈ = H⁻¹ r | `solve/` | linear for lines |
//! | loss's λ → v = H⁻¹ λ → elements → gradient of `Σ (D_(v,0) − D_(0,v) D_(φ̇,φ̈)) density` | `block.rs` | linear |

mod assembly;
mod block;
mod evaluator;
mod iterative;
mod solver;

use std::sync::{Arc, OnceLock};

use crate::density::Density;
use crate::error::DensityError;
use crate::local::{Elements, LocalNetwork};
use crate::solve::SolveError;
use crate::topology::Topology;
use assembly::Assembly;

pub use block::LagrangianBlock;
pub use evaluator::{FieldEvaluator, SolveBy, Solved};
pub use iterative::MassMatrixProducts;

/// A density on a topology: a Lagrangian of the whole field, without its parameters.
#[derive(Clone, Debug)]
pub struct FieldLagrangian {
    density: Density,
    topology: Arc<Topology>,
    residual_mass: f64,
    elements: Arc<Vec<Elements>>,
    /// Made when first needed: a matrix-free solve has no use for it.
    assembly: Arc<OnceLock<Result<Assembly, SolveError>>>,
}

impl FieldLagrangian {
    /// `density` at every site of `topology`, whose sites have the attributes `[sites, a]`; with the residual mass m, whose
    /// term ½ m φ̇² makes the mass matrix regular from the first step of a training on.
    ///
    /// # Errors
    /// A neighbourhood that the topology does not have, attributes of another number or not finite, a site without
    /// neighbours that no mass is sure to move, a density of more than one output, or a residual mass that makes no sense.
    pub fn new(
        density: Density,
        topology: Arc<Topology>,
        site_attributes: &[f64],
        residual_mass: f64,
    ) -> Result<Self, DensityError> {
        if density.outputs() != 1 {
            return Err(DensityError::Outputs { model: "Lagrangian", expected: 1, given: density.outputs() });
        }
        for shape in density.shapes() {
            let activation = shape.activation();
            if shape.hidden_layers() == 0 || !activation.has_second_derivative() {
                return Err(DensityError::FlatActivation(activation));
            }
        }
        if !(residual_mass.is_finite() && residual_mass >= 0.0) {
            return Err(DensityError::ResidualMass { given: residual_mass });
        }
        if residual_mass == 0.0
            && let Some(site) = topology.isolated().next()
        {
            return Err(DensityError::IsolatedSite { site });
        }
        let elements = density.elements(&topology, site_attributes)?;
        let (elements, assembly) = (Arc::new(elements), Arc::new(OnceLock::new()));
        Ok(Self { density, topology, residual_mass, elements, assembly })
    }

    /// The same density on another topology: what was learned on a small lattice, at any size.
    ///
    /// The ends should be those that it was learned with. A periodic lattice does not show a density's behaviour at a free
    /// end: fluxes between neighbours cancel around a ring, and do not at an end. A fixed end is a neighbour at rest.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn on(&self, topology: Arc<Topology>, site_attributes: &[f64]) -> Result<Self, DensityError> {
        Self::new(self.density.clone(), topology, site_attributes, self.residual_mass)
    }

    /// The density.
    pub fn density(&self) -> &Density {
        &self.density
    }
    /// Where the sites are.
    pub fn topology(&self) -> &Arc<Topology> {
        &self.topology
    }
    /// The residual mass m.
    pub fn residual_mass(&self) -> f64 {
        self.residual_mass
    }
    /// Unknowns of a field: sites × components.
    pub fn unknowns(&self) -> usize {
        self.topology.sites() * self.density.components()
    }
    /// Evaluations of the density's networks for one field: what the cost of an acceleration is proportional to.
    pub fn evaluations(&self) -> usize {
        self.elements.iter().map(Elements::len).sum()
    }

    /// Where the elements' numbers go, made at the first call.
    fn assembly(&self) -> Result<&Assembly, SolveError> {
        let made = self.assembly.get_or_init(|| Assembly::new(&self.density, &self.elements, &self.topology));
        made.as_ref().map_err(|error| *error)
    }

    /// The same, once it was made without an error.
    fn built(&self) -> &Assembly {
        self.assembly().expect("a block or evaluator is made after its assembly")
    }

    /// Each network with its evaluations.
    fn networks(&self) -> impl Iterator<Item = (usize, &LocalNetwork, &Elements)> {
        let networks = self.density.networks().iter().zip(&*self.elements);
        networks.enumerate().map(|(index, (network, elements))| (index, network, elements))
    }
}
