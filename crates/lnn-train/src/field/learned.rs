//! A learned equation of motion with its parameters, for one field at a time.

use lnn_autodiff::Real;
use lnn_graph::solve::Factored;
use lnn_graph::{EvaluationError, FieldEvaluator, HamiltonianBlock, PlainBlock, SolveBy, Solved};

use super::model::{FieldBlock, FieldModel};

/// A model of a field with its parameters, and the buffers for one field. Make it in the thread pool that it runs in.
#[derive(Debug)]
pub struct LearnedEquation<T: Real> {
    parameters: Vec<T>,
    unknowns: usize,
    equation: Equation<T>,
}

#[derive(Debug)]
enum Equation<T: Real> {
    Lagrangian(Box<FieldEvaluator<T>>),
    Plain(Box<PlainBlock<T>>, T),
    Hamiltonian(Box<HamiltonianBlock<T>>),
}

impl<T: Real> LearnedEquation<T> {
    /// `model` with `parameters`.
    ///
    /// # Errors
    /// No memory for sparse factors.
    ///
    /// # Panics
    /// If there is another number of parameters than the model has.
    pub fn new(model: &FieldModel, parameters: &[T]) -> Result<Self, EvaluationError> {
        assert_eq!(parameters.len(), model.density().parameter_count(), "parameters of the model");
        let equation = match model {
            FieldModel::Lagrangian(lagrangian) => {
                let evaluator = FieldEvaluator::new(lagrangian, parameters, SolveBy::Factorisation)?;
                Equation::Lagrangian(Box::new(evaluator))
            }
            FieldModel::Plain { .. } | FieldModel::Hamiltonian(_) => {
                match model.block(1, false).map_err(EvaluationError::Factorisation)? {
                    FieldBlock::Plain(block, scale) => Equation::Plain(block, scale),
                    FieldBlock::Hamiltonian(block) => Equation::Hamiltonian(block),
                    FieldBlock::Lagrangian(_) => unreachable!("a model's block is of its own kind"),
                }
            }
        };
        Ok(Self { parameters: parameters.to_vec(), unknowns: model.unknowns(), equation })
    }

    /// Writes the rates `[φ̇, φ̈]` of a state `[φ, φ̇]`, both `[2 n c]`; says how a mass matrix was solved with.
    ///
    /// # Errors
    /// A mass matrix that cannot be solved with.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn rates_into(&mut self, state: &[T], rates: &mut [T]) -> Result<Option<Factored>, EvaluationError> {
        let (phi, phi_dot) = state.split_at(self.unknowns);
        let (rate, phi_ddot) = rates.split_at_mut(self.unknowns);
        match &mut self.equation {
            Equation::Lagrangian(evaluator) => {
                rate.copy_from_slice(phi_dot);
                return Ok(match evaluator.acceleration_into(phi, phi_dot, phi_ddot)? {
                    Solved::Factored(factored) => Some(factored),
                    Solved::Converged(_) => None,
                });
            }
            Equation::Plain(block, scale) => {
                rate.copy_from_slice(phi_dot);
                block.acceleration_into(&self.parameters, phi, phi_dot, phi_ddot);
                for value in phi_ddot {
                    *value *= *scale;
                }
            }
            Equation::Hamiltonian(block) => block.rates_into(&self.parameters, phi, phi_dot, rate, phi_ddot),
        }
        Ok(None)
    }

    /// The learned energy of a state `[φ, φ̇]`, if the model has one.
    ///
    /// # Panics
    /// If the state has another length than 2 n c.
    pub fn energy(&mut self, state: &[T]) -> Option<f64> {
        let (phi, phi_dot) = state.split_at(self.unknowns);
        match &mut self.equation {
            Equation::Lagrangian(evaluator) => Some(evaluator.energy(phi, phi_dot)),
            Equation::Plain(..) => None,
            Equation::Hamiltonian(block) => {
                let mut energy = [0.0];
                block.energy_into(&self.parameters, phi, phi_dot, &mut energy);
                Some(energy[0])
            }
        }
    }
}
