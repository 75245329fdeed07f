//! What a trained model says of given states: accelerations, momenta, energy, mass matrix.
//!
//! ```text
//! table → states → StateEvaluator, block by block on every thread → quantities → table
//! ```
//!
//! [`StateEvaluator`] takes plain arrays; [`evaluate_table`] streams a file of any length through it.

mod evaluator;
mod stream;

use std::fmt;

use crate::model::Model;

pub use evaluator::{MissingMomenta, StateBlock, StateEvaluator, StateQuantities};
pub use stream::{StreamError, StreamOptions, Streamed, evaluate_table};

/// A quantity that a model gives for a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantity {
    /// The model's rate of q `[d]`, where that is not q̇ itself: of Hamiltonian networks and plain vector fields.
    Velocity,
    /// q̈ `[d]`, in the units of q over time²: H⁺ r of a Lagrangian.
    Acceleration,
    /// p `[d]`: ∂L/∂q̇, or what the system's own Lagrangian gives a model in canonical coordinates.
    Momentum,
    /// The rate of p `[d]`, −∂H/∂q: of a model in canonical coordinates.
    MomentumRate,
    /// q̇·∂L/∂q̇ − L, or H; in the units of the Lagrangian, up to a constant and, for a learned Lagrangian, a factor that
    /// data do not determine.
    Energy,
    /// H = ∂²L/∂q̇∂q̇ᵀ, its upper triangle row by row, `[d (d + 1)/2]`.
    MassMatrix,
    /// |λ|max / |λ|min over the eigenvalues of H, in the units in which the model inverts it; infinite for a singular one.
    Condition,
    /// How many eigenvalues of H the model does not take for zero.
    Rank,
}

impl Quantity {
    /// All, in the order of their columns.
    pub const ALL: [Self; 8] = [
        Self::Velocity,
        Self::Acceleration,
        Self::Momentum,
        Self::MomentumRate,
        Self::Energy,
        Self::MassMatrix,
        Self::Condition,
        Self::Rank,
    ];

    /// Its name in commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::Velocity => "velocity",
            Self::Acceleration => "acceleration",
            Self::Momentum => "momentum",
            Self::MomentumRate => "momentum-rate",
            Self::Energy => "energy",
            Self::MassMatrix => "mass-matrix",
            Self::Condition => "condition",
            Self::Rank => "rank",
        }
    }

    /// Those that `model` has, in the order of [`ALL`](Self::ALL).
    ///
    /// ```
    /// use lnn_train::config::preset;
    /// use lnn_train::experiment::build_model;
    /// use lnn_train::quantities::Quantity;
    ///
    /// let models = preset("dblpend", "fast")?.models.clone();
    /// let names = |model| -> Result<Vec<_>, lnn_train::model::ModelError> {
    ///     Ok(Quantity::of(&build_model(&models[model], 2)?).into_iter().map(Quantity::name).collect())
    /// };
    /// assert_eq!(names("lnn")?, ["acceleration", "momentum", "energy", "mass-matrix", "condition", "rank"]);
    /// assert_eq!(names("baseline")?, ["acceleration"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(model: &Model) -> Vec<Self> {
        let canonical = model.is_canonical();
        let has = |quantity: &Self| match quantity {
            Self::Velocity => !model.is_second_order(),
            Self::Acceleration => !canonical,
            Self::Momentum => model.has_mass_matrix() || canonical,
            Self::MomentumRate => canonical,
            Self::Energy => model.has_energy(),
            Self::MassMatrix | Self::Condition | Self::Rank => model.has_mass_matrix(),
        };
        Self::ALL.into_iter().filter(has).collect()
    }

    /// Names of its columns for d degrees of freedom: `q_ddot0…`, `p0…`, `energy`, `mass00`, `mass01`, ….
    pub fn columns(self, degrees_of_freedom: usize) -> Vec<String> {
        let d = degrees_of_freedom;
        let each = |stem: &str| (0..d).map(|j| format!("{stem}{j}")).collect();
        match self {
            Self::Velocity => each("q_rate"),
            Self::Acceleration => each("q_ddot"),
            Self::Momentum => each("p"),
            Self::MomentumRate => each("p_rate"),
            Self::Energy => vec!["energy".to_owned()],
            // Beyond ten coordinates two numbers side by side would be ambiguous.
            Self::MassMatrix => {
                let separator = if d > 10 { "_" } else { "" };
                (0..d).flat_map(|i| (i..d).map(move |j| format!("mass{i}{separator}{j}"))).collect()
            }
            Self::Condition => vec!["condition".to_owned()],
            Self::Rank => vec!["rank".to_owned()],
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;
