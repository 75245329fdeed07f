//! Blocks of samples with their gradients, and one field at a time.

use std::sync::Arc;

use lnn_autodiff::Activation;
use lnn_autodiff::jet::Accumulate;
use lnn_graph::topology::{Boundary, Topology};
use lnn_graph::{
    Density, FieldEvaluator, FieldFeatures, FieldHamiltonian, FieldLagrangian, HamiltonianBlock, LagrangianBlock,
    Neighbourhood, PlainBlock, PlainField, SolveBy,
};

use crate::allocations;

const SAMPLES: usize = 3;

pub(crate) fn check() {
    let ring = Arc::new(Topology::line(20, Boundary::Periodic).unwrap());
    let grid = Arc::new(Topology::grid([4, 5], [Boundary::Periodic, Boundary::Fixed]).unwrap());
    for (topology, neighbourhood) in
        [(&ring, Neighbourhood::Line), (&ring, Neighbourhood::Pairs), (&grid, Neighbourhood::Grid)]
    {
        let density = Density::new(neighbourhood, FieldFeatures::scalar(), &[16, 16], Activation::Softplus).unwrap();
        let parameters: Vec<f32> = (0..density.parameter_count()).map(|k| 0.3 * (1.7 * k as f32).sin()).collect();
        let mut gradient = vec![0.0; parameters.len()];
        let n = topology.sites() * SAMPLES;
        let phi: Vec<f32> = (0..n).map(|k| (0.9 * k as f32).sin()).collect();
        let phi_dot: Vec<f32> = (0..n).map(|k| (1.3 * k as f32).cos()).collect();
        let (mut first, mut second) = (vec![0.0; n], vec![0.0; n]);

        let lagrangian = FieldLagrangian::new(density.clone(), Arc::clone(topology), &[], 1.0).unwrap();
        let mut block = LagrangianBlock::new(&lagrangian, SAMPLES, true).unwrap();
        let step = allocations(|| {
            block.accelerate(&parameters, &phi, &phi_dot);
            assert!(block.is_regular());
            block.gradient(&parameters, &phi, Accumulate::Replace, &mut gradient);
        });
        assert_eq!(step, 0, "{neighbourhood:?}: a Lagrangian's step");

        let mut energy = vec![0.0_f64; SAMPLES];
        let hamiltonian = FieldHamiltonian::new(density, Arc::clone(topology), &[]).unwrap();
        let mut block = HamiltonianBlock::new(&hamiltonian, SAMPLES, true);
        let step = allocations(|| {
            block.energy_into(&parameters, &phi, &phi_dot, &mut energy);
            block.rates_into(&parameters, &phi, &phi_dot, &mut first, &mut second);
            block.gradient(&parameters, [&phi, &phi_dot], Accumulate::Replace, &mut gradient);
        });
        assert_eq!(step, 0, "{neighbourhood:?}: a Hamiltonian's step");

        let network =
            Density::with_outputs(neighbourhood, FieldFeatures::scalar(), &[16, 16], 1, Activation::Relu).unwrap();
        let plain = PlainField::new(network, Arc::clone(topology), &[]).unwrap();
        let mut block = PlainBlock::new(&plain, SAMPLES, true);
        let step = allocations(|| {
            block.acceleration_into(&parameters, &phi, &phi_dot, &mut first);
            block.gradient(&parameters, &phi, Accumulate::Replace, &mut gradient);
        });
        assert_eq!(step, 0, "{neighbourhood:?}: a plain network's step");

        let n = topology.sites();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        pool.install(|| {
            let conjugate = SolveBy::ConjugateGradient { tolerance: 1e-5, most_iterations: 200 };
            let stored = SolveBy::ElementByElement { tolerance: 1e-5, most_iterations: 200 };
            for solve_by in [SolveBy::Factorisation, conjugate, stored] {
                let mut evaluator = FieldEvaluator::new(&lagrangian, &parameters, solve_by).unwrap();
                let one = allocations(|| {
                    evaluator.acceleration_into(&phi[..n], &phi_dot[..n], &mut first[..n]).unwrap();
                    evaluator.energy_density_into(&phi[..n], &phi_dot[..n], &mut second[..n]);
                });
                assert_eq!(one, 0, "{neighbourhood:?}, {solve_by:?}: an acceleration");
            }
        });
    }
}
