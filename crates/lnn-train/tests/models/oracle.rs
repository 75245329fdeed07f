//! The models over any scalar, written from their formulas, and what duals and the tape make of them.

use lnn_autodiff::features::{Feature, FeatureMap};
use lnn_autodiff::pseudoinverse::{SymmetricFactors, Tolerance};
use lnn_autodiff::{MlpShape, Scalar, Tape};
use lnn_train::model::{DeepLagrangianSettings, HamiltonianNetwork, Model, PlainOutput};

use crate::case::Case;
use crate::reference::{Second, activation, second};

/// A state over any scalar.
struct State<S> {
    q: Vec<S>,
    q_dot: Vec<S>,
    conditionals: Vec<S>,
}

fn features<S: Scalar>(map: &FeatureMap, state: &State<S>) -> Vec<S> {
    let turn = std::f64::consts::TAU;
    let wrapped = |angle: S| {
        let value = angle.value();
        angle + ((value + std::f64::consts::PI).rem_euclid(turn) - std::f64::consts::PI - value)
    };
    map.features()
        .iter()
        .map(|feature| match *feature {
            Feature::Position { index, scale, centre } => (state.q[index] - centre) / scale,
            Feature::WrappedAngle { index, scale } => wrapped(state.q[index]) / scale,
            Feature::Sine { index } => state.q[index].sin(),
            Feature::Cosine { index } => state.q[index].cos(),
            Feature::Velocity { index, scale } => state.q_dot[index] / scale,
            Feature::Conditional { index, scale, centre } => (state.conditionals[index] - centre) / scale,
        })
        .collect()
}

fn network<S: Scalar>(shape: &MlpShape, parameters: &[S], inputs: Vec<S>) -> Vec<S> {
    let mut values = inputs;
    for (index, layer) in shape.layers().iter().enumerate() {
        let (weight, bias) = (&parameters[layer.weight.clone()], &parameters[layer.bias.clone()]);
        let rows = weight.chunks_exact(layer.inputs).zip(bias);
        values = rows.map(|(row, &bias)| row.iter().zip(&values).fold(bias, |sum, (&w, &x)| sum + w * x)).collect();
        if index < shape.hidden_layers() {
            for value in &mut values {
                *value = activation(shape.activation(), *value);
            }
        }
    }
    values
}

/// Both networks' parameters.
fn split<'a, S>(model: &Model, parameters: &'a [S]) -> (&'a [S], &'a [S]) {
    parameters.split_at(model.shape().parameter_count())
}

/// `L` of a Lagrangian or deep Lagrangian network; for the others there is none.
fn lagrangian<S: Scalar>(model: &Model, parameters: &[S], state: &State<S>) -> Option<S> {
    let (first, second) = split(model, parameters);
    match model {
        Model::Lagrangian(model) => {
            let unit = |j: usize| model.velocity_units().map_or(1.0, |units| units[j]);
            let scaled = state.q_dot.iter().enumerate().map(|(j, &v)| v / unit(j));
            let kinetic = scaled.fold(S::zero(), |sum, v| sum + v * v);
            let mut value = network(model.shape(), first, features(model.features(), state))[0];
            value += kinetic * (0.5 * model.residual_mass());
            if let Some(potential) = model.potential() {
                let inputs = features(potential.features(), state);
                value += network(potential.shape(), second, inputs)[0] * potential.scale();
            }
            Some(value)
        }
        Model::DeepLagrangian(deep) => {
            let outputs = network(deep.shape(), first, features(deep.features(), state));
            let DeepLagrangianSettings { diagonal, regularisation, .. } = deep.settings();
            let mut places = outputs.into_iter();
            let mut y = vec![S::zero(); state.q_dot.len()];
            for (i, &velocity) in state.q_dot.iter().enumerate() {
                for (j, y) in y.iter_mut().enumerate().take(i + 1) {
                    let entry = places.next().expect("d (d + 1)/2 outputs");
                    *y += velocity * if i == j { entry + diagonal } else { entry };
                }
            }
            let squares = |x: &[S]| x.iter().fold(S::zero(), |sum, &x| sum + x * x);
            let kinetic = (squares(&y) + squares(&state.q_dot) * regularisation) * 0.5;
            let inputs = features(deep.potential().features(), state);
            let potential = network(deep.potential().shape(), second, inputs)[0] * deep.potential().scale();
            Some(kinetic - potential)
        }
        Model::Hamiltonian(_) | Model::Plain(_) => None,
    }
}

/// H over any scalar.
fn energy<S: Scalar>(model: &HamiltonianNetwork, parameters: &[S], state: &State<S>) -> S {
    let (first, second) = parameters.split_at(model.shape().parameter_count());
    let mut value = network(model.shape(), first, features(model.features(), state))[0];
    if let Some(potential) = model.potential() {
        value += network(potential.shape(), second, features(potential.features(), state))[0] * potential.scale();
    }
    value
}

/// A function of the parameters and the state.
type Value<'a> = dyn Fn(&[Second<f64>], &State<Second<f64>>) -> Second<f64> + 'a;

/// What duals say of one row.
pub(crate) struct Row {
    pub(crate) rates: [Vec<f64>; 2],
    pub(crate) energy: Option<f64>,
    /// v = H⁺ λ, for models with a mass matrix.
    v: Vec<f64>,
    /// |λ|max / |λ|min of the mass matrix, 1 without one.
    pub(crate) condition: f64,
    /// ∂L/∂q̇ and H of a model with a Lagrangian.
    pub(crate) momentum: Vec<f64>,
    pub(crate) mass_matrix: Vec<f64>,
}

/// `value` at the state moved along u and w.
fn along<S: Scalar>(
    case: &Case,
    row: usize,
    [u, w]: [[&[S]; 2]; 2],
    mixed: &[S],
    lift: impl Fn(f64) -> S,
    parameters: &[S],
    [q, q_dot]: [&[S]; 2],
    value: impl Fn(&[Second<S>], &State<Second<S>>) -> Second<S>,
) -> Second<S> {
    let constant = |x: S| second(x, S::zero(), S::zero(), S::zero());
    let state = State {
        q: (0..case.d).map(|i| second(q[i], u[0][i], w[0][i], mixed[i])).collect(),
        q_dot: (0..case.d).map(|i| second(q_dot[i], u[1][i], w[1][i], S::zero())).collect(),
        conditionals: case.row(&case.conditionals, row).iter().map(|&c| constant(lift(c))).collect(),
    };
    let parameters: Vec<_> = parameters.iter().map(|&p| constant(p)).collect();
    value(&parameters, &state)
}

/// Rates and energy of one row by nested duals.
pub(crate) fn row(case: &Case, row: usize) -> Row {
    let (d, model) = (case.d, &case.model);
    let (q, q_dot) = (case.row(&case.q, row), case.row(&case.q_dot, row));
    let unit = |k: usize| (0..d).map(|i| f64::from(u8::from(i == k))).collect::<Vec<_>>();
    let zero = vec![0.0; d];
    let at = |u: [&[f64]; 2], w: [&[f64]; 2], value: &Value<'_>| {
        along(case, row, [u, w], &zero, |x| x, &case.parameters, [q, q_dot], value)
    };
    match model {
        Model::Plain(plain) => {
            let plain_value = |parameters: &[Second<f64>], state: &State<Second<f64>>| {
                network(plain.shape(), parameters, features(plain.features(), state))
            };
            let outputs = std::cell::RefCell::new(vec![]);
            at([&zero, &zero], [&zero, &zero], &|parameters, state| {
                *outputs.borrow_mut() = plain_value(parameters, state);
                Second::zero()
            });
            let outputs: Vec<f64> = outputs.borrow().iter().map(|y| y.value.value).collect();
            let [velocity_scale, scale] = plain.scales();
            let scaled = |values: &[f64], scale: f64| values.iter().map(|y| scale * y).collect::<Vec<_>>();
            let rates = match plain.output() {
                PlainOutput::Acceleration => [q_dot.to_vec(), scaled(&outputs, scale)],
                PlainOutput::VectorField => [scaled(&outputs[..d], velocity_scale), scaled(&outputs[d..], scale)],
            };
            Row { rates, energy: None, v: vec![], condition: 1.0, momentum: vec![], mass_matrix: vec![] }
        }
        Model::Hamiltonian(hamiltonian) => {
            let value = |parameters: &[Second<f64>], state: &State<Second<f64>>| energy(hamiltonian, parameters, state);
            let derivative = |u: [&[f64]; 2]| at(u, [&zero, &zero], &value).value.tangent;
            let velocity = (0..d).map(|i| derivative([&zero, &unit(i)])).collect();
            let force = (0..d).map(|i| -derivative([&unit(i), &zero])).collect();
            let energy = at([&zero, &zero], [&zero, &zero], &value).value.value;
            let (rates, energy) = ([velocity, force], Some(energy));
            Row { rates, energy, v: vec![], condition: 1.0, momentum: vec![], mass_matrix: vec![] }
        }
        Model::Lagrangian(_) | Model::DeepLagrangian(_) => {
            let value = |parameters: &[Second<f64>], state: &State<Second<f64>>| {
                lagrangian(model, parameters, state).expect("a Lagrangian")
            };
            let mut matrix = vec![0.0; d * d];
            let (mut force, mut momentum, mut energy) = (vec![0.0; d], vec![0.0; d], 0.0);
            for i in 0..d {
                let motion = at([&zero, &unit(i)], [q_dot, &zero], &value);
                momentum[i] = motion.value.tangent;
                energy += q_dot[i] * momentum[i];
                force[i] = at([&unit(i), &zero], [&zero, &zero], &value).value.tangent - motion.tangent.tangent;
                for j in 0..d {
                    matrix[i * d + j] = at([&zero, &unit(i)], [&zero, &unit(j)], &value).tangent.tangent;
                }
            }
            energy -= at([&zero, &zero], [&zero, &zero], &value).value.value;
            let mut factors = SymmetricFactors::new(d, 1);
            factors.factor(&matrix, Tolerance::for_dimension::<f64>(d));
            assert!(factors.is_full_rank(0), "these cases keep their mass matrices regular");
            let sizes = factors.eigenvalues(0).iter().map(|x| x.abs());
            let condition = sizes.clone().fold(0.0, f64::max) / sizes.fold(f64::INFINITY, f64::min);
            let (mut acceleration, mut v) = (vec![0.0; d], vec![0.0; d]);
            factors.solve(0, &force, &mut acceleration);
            factors.solve(0, case.row(&case.lambda[1], row), &mut v);
            let (rates, energy) = ([q_dot.to_vec(), acceleration], Some(energy));
            Row { rates, energy, v, condition, momentum, mass_matrix: matrix }
        }
    }
}

/// Parameter gradient and states' cotangents of Σ λ·rates on a tape, all rows together.
pub(crate) struct Gradients {
    pub(crate) parameters: Vec<f64>,
    pub(crate) states: [Vec<f64>; 2],
}

pub(crate) fn gradients(case: &Case) -> Gradients {
    let (d, model) = (case.d, &case.model);
    let tape = Tape::new();
    let lift = |x: f64| tape.variable(x);
    let parameters: Vec<_> = case.parameters.iter().map(|&p| lift(p)).collect();
    let (q, q_dot): (Vec<_>, Vec<_>) =
        (case.q.iter().map(|&x| lift(x)).collect(), case.q_dot.iter().map(|&x| lift(x)).collect());
    let mut total = lift(0.0);
    for number in 0..case.rows {
        let Row { rates, v, .. } = row(case, number);
        let range = number * d..(number + 1) * d;
        let (q, q_dot) = (&q[range.clone()], &q_dot[range]);
        let lambda = case.lambda.each_ref().map(|lambda| case.row(lambda, number));
        let constants = |x: &[f64]| x.iter().map(|&x| lift(x)).collect::<Vec<_>>();
        let zero = constants(&vec![0.0; d]);
        let passed_on = || lambda[0].iter().zip(q_dot).fold(lift(0.0), |sum, (&lambda, &q_dot)| sum + q_dot * lambda);
        match model {
            Model::Plain(plain) => {
                let outputs = std::cell::RefCell::new(vec![]);
                along(case, number, [[&zero, &zero]; 2], &zero, lift, &parameters, [q, q_dot], |parameters, state| {
                    *outputs.borrow_mut() = network(plain.shape(), parameters, features(plain.features(), state));
                    second(lift(0.0), lift(0.0), lift(0.0), lift(0.0))
                });
                let [velocity_scale, scale] = plain.scales();
                let weights: Vec<f64> = match plain.output() {
                    PlainOutput::Acceleration => lambda[1].iter().map(|x| scale * x).collect(),
                    PlainOutput::VectorField => lambda[0]
                        .iter()
                        .map(|x| velocity_scale * x)
                        .chain(lambda[1].iter().map(|x| scale * x))
                        .collect(),
                };
                for (y, weight) in outputs.borrow().iter().zip(weights) {
                    total += y.value.value * weight;
                }
                if plain.output() == PlainOutput::Acceleration {
                    total += passed_on();
                }
            }
            Model::Hamiltonian(hamiltonian) => {
                let backwards: Vec<_> = lambda[1].iter().map(|&x| lift(-x)).collect();
                let u: [&[_]; 2] = [&backwards, &constants(lambda[0])];
                let y = along(case, number, [u, [&zero, &zero]], &zero, lift, &parameters, [q, q_dot], |p, state| {
                    energy(hamiltonian, p, state)
                });
                total += y.value.tangent;
            }
            Model::Lagrangian(_) | Model::DeepLagrangian(_) => {
                // v·(r − H q̈) with v and q̈ held is −(D_u D_w + D_(−v, 0)) L for u = (0, v), w = (q̇, q̈).
                let backwards: Vec<_> = v.iter().map(|&v| lift(-v)).collect();
                let u: [&[_]; 2] = [&zero, &constants(&v)];
                let acceleration = constants(&rates[1]);
                let w: [&[_]; 2] = [q_dot, &acceleration];
                let y = along(case, number, [u, w], &backwards, lift, &parameters, [q, q_dot], |p, state| {
                    lagrangian(model, p, state).expect("a Lagrangian")
                });
                total += passed_on() - y.tangent.tangent;
            }
        }
    }
    Gradients { parameters: total.gradient(&parameters), states: [total.gradient(&q), total.gradient(&q_dot)] }
}
