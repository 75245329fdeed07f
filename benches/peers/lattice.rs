//! An acceleration of a field on a periodic line: our side of the work `lattice`.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use lnn::autodiff::Activation;
use lnn::graph::solve::Method;
use lnn::graph::topology::{Boundary, Topology};
use lnn::graph::{Density, FieldEvaluator, FieldFeatures, FieldLagrangian, Neighbourhood, SolveBy, Solved};
use serde_json::Value;

use super::work::products;
use super::{LatticeSize, first_parameters, read_recipe, report, timed, uniform};

/// Seconds of each acceleration of a field.
pub(super) fn time(size: &LatticeSize) -> Result<Value, Box<dyn Error>> {
    let LatticeSize { points, ref network } = *size;
    let recipe = read_recipe(&network.recipe)?;
    let hidden = vec![network.hidden; network.layers];
    let density = Density::new(Neighbourhood::Line, FieldFeatures::scalar(), &hidden, Activation::Softplus)?;
    let shape = density.shapes().next().ok_or("a density of ordered neighbours has a network")?;
    let parameters = first_parameters(shape, recipe.gains);
    let of_field = |place: usize| {
        let [low, high] = if place < points { recipe.field } else { recipe.field_rate };
        (low + (high - low) * uniform(parameters.len() + place)) as f32
    };
    let [phi, phi_dot] = [0, points].map(|first| (first..first + points).map(of_field).collect::<Vec<f32>>());
    let mut phi_ddot = vec![0.0; points];
    let operations = products::operations(&products::evaluate(shape, points, Neighbourhood::Line.widths()[0]));
    let ring = Topology::line(points, Boundary::Periodic)?;
    let lagrangian = FieldLagrangian::new(density.clone(), Arc::new(ring), &[], recipe.residual_mass)?;
    let mut evaluator = FieldEvaluator::new(&lagrangian, &parameters, SolveBy::Factorisation)?;
    let seconds = timed(&recipe, &network.timings, || {
        let start = Instant::now();
        let solved = evaluator.acceleration_into(&phi, &phi_dot, &mut phi_ddot)?;
        let elapsed = start.elapsed().as_secs_f64();
        // The other side leaves small eigenvalues out; here there must be none, or the two do not do the same.
        match solved {
            Solved::Factored(factored) if factored.method == Method::Definite => Ok(elapsed),
            other => Err(format!("the mass matrix is not definite: {other:?}").into()),
        }
    })?;
    let found: Vec<f64> = phi_ddot.iter().map(|&value| f64::from(value)).collect();
    let mean = found.iter().map(|value| value.abs()).sum::<f64>() / points as f64;
    let check = [&[mean], &found[..found.len().min(4)]].concat();
    let mut report = report("lattice", network, ("points", points), &seconds, &check);
    report["operations"] = operations.into();
    Ok(report)
}
