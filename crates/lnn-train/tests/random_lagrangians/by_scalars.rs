//! The Lagrangian over any scalar, its Euler–Lagrange parts by nested duals, and the size of their terms.

use lnn_autodiff::features::Feature;
use lnn_autodiff::{Dual, Scalar, Tape};
use lnn_train::model::LagrangianWorkspace;

use crate::case::{Case, State};
use crate::reference::{Second, activation, magnitude, majorant, network, preactivations, second, taylor};

/// A direction in state space.
#[derive(Clone, Debug)]
pub(crate) struct Direction {
    pub(crate) q: Vec<f64>,
    pub(crate) q_dot: Vec<f64>,
}

impl Direction {
    pub(crate) fn zero(d: usize) -> Self {
        Self { q: vec![0.0; d], q_dot: vec![0.0; d] }
    }
    pub(crate) fn of_q(q: &[f64]) -> Self {
        Self { q: q.to_vec(), ..Self::zero(q.len()) }
    }
    pub(crate) fn of_q_dot(q_dot: &[f64]) -> Self {
        Self { q_dot: q_dot.to_vec(), ..Self::zero(q_dot.len()) }
    }
    pub(crate) fn unit(d: usize, k: usize) -> Vec<f64> {
        (0..d).map(|i| if i == k { 1.0 } else { 0.0 }).collect()
    }
}

/// How numbers enter: as they are, or by magnitude.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reading<'a> {
    Exact,
    /// With z of every hidden unit at the state.
    Majorant(&'a [f64]),
}

/// The representative of an angle in [−π, π), as a shift of the angle.
fn turns(angle: f64) -> f64 {
    let turn = std::f64::consts::TAU;
    (angle + std::f64::consts::PI).rem_euclid(turn) - std::f64::consts::PI - angle
}

/// `L = ½ m |q̇|² + net(features)` over any scalar.
pub(crate) fn lagrangian<S: Scalar>(
    case: &Case,
    parameters: &[S],
    [q, q_dot, conditionals]: [&[Second<S>]; 3],
    reading: Reading<'_>,
) -> Second<S> {
    let exact = matches!(reading, Reading::Exact);
    let feature = |feature: &Feature| match *feature {
        Feature::Position { index, scale, centre } if exact => (q[index] - centre) / scale,
        Feature::Position { index, scale, centre } => (q[index] + centre.abs()) / scale,
        // A majorant keeps the angle's size: wrapping rounds relative to it.
        Feature::WrappedAngle { index, scale } if exact => (q[index] + turns(q[index].value())) / scale,
        Feature::WrappedAngle { index, scale } => q[index] / scale,
        Feature::Sine { index } if exact => q[index].sin(),
        Feature::Cosine { index } if exact => q[index].cos(),
        Feature::Sine { index } | Feature::Cosine { index } => taylor(q[index], [1.0; 5]),
        Feature::Velocity { index, scale } => q_dot[index] / scale,
        Feature::Conditional { index, scale, centre } if exact => (conditionals[index] - centre) / scale,
        Feature::Conditional { index, scale, centre } => (conditionals[index] + centre.abs()) / scale,
    };
    let inputs: Vec<_> = case.model.features().features().iter().map(feature).collect();
    let shape = case.model.shape();
    let sigma = |unit: usize, z: Second<S>| match reading {
        Reading::Exact => activation(shape.activation(), z),
        Reading::Majorant(at) => majorant(shape.activation(), at[unit], z, f64::MIN_POSITIVE / f64::EPSILON),
    };
    let kinetic = q_dot.iter().enumerate().fold(Second::zero(), |sum, (j, &v)| {
        sum + (v / case.model.velocity_units().map_or(1.0, |units| units[j])).square()
    });
    network(shape, parameters, &inputs, sigma)[0] + kinetic * (0.5 * case.model.residual_mass())
}

/// L at `state + u ε₁ + w ε₂ + (mixed, 0) ε₁ε₂`.
pub(crate) fn along<S: Scalar>(
    case: &Case,
    state: State<'_>,
    parameters: &[S],
    lift: impl Fn(f64) -> S,
    [u, w]: [&Direction; 2],
    mixed: &[f64],
    reading: Reading<'_>,
) -> Second<S> {
    let d = case.dof();
    let q: Vec<_> = (0..d).map(|i| second(lift(state.q[i]), lift(u.q[i]), lift(w.q[i]), lift(mixed[i]))).collect();
    let q_dot: Vec<_> =
        (0..d).map(|i| second(lift(state.q_dot[i]), lift(u.q_dot[i]), lift(w.q_dot[i]), S::zero())).collect();
    let conditionals: Vec<_> =
        state.conditionals.iter().map(|&c| second(lift(c), S::zero(), S::zero(), S::zero())).collect();
    lagrangian(case, parameters, [&q, &q_dot, &conditionals], reading)
}

/// z of every hidden unit at a state.
pub(crate) fn hidden_values(case: &Case, state: State<'_>) -> Vec<f64> {
    let (features, n) = (case.model.features(), case.model.features().len());
    let (mut x, mut slope) = (vec![0.0; n], vec![0.0; n]);
    features.evaluate(state.q, state.q_dot, state.conditionals, &mut x, &mut slope);
    preactivations(case.model.shape(), &case.parameters, &x)
}

/// The parts of the Euler–Lagrange equation at one state.
#[derive(Clone, Debug)]
pub(crate) struct Parts<S> {
    pub(crate) lagrangian: S,
    pub(crate) momentum: Vec<S>,
    /// `∂L/∂q`.
    pub(crate) position_gradient: Vec<S>,
    /// `(∂²L/∂q̇∂q) q̇`.
    pub(crate) mixed: Vec<S>,
    /// `[d, d]`.
    pub(crate) mass_matrix: Vec<S>,
}

pub(crate) fn parts<S: Scalar>(
    case: &Case,
    state: State<'_>,
    parameters: &[S],
    lift: impl Fn(f64) -> S + Copy,
    reading: Reading<'_>,
) -> Parts<S> {
    let d = case.dof();
    let nothing = vec![0.0; d];
    let at = |u: &Direction, w: &Direction| along(case, state, parameters, lift, [u, w], &nothing, reading);
    let velocity = |i: usize| Direction::of_q_dot(&Direction::unit(d, i));
    let motion = Direction::of_q(state.q_dot);
    let mut parts = Parts {
        lagrangian: S::zero(),
        momentum: vec![],
        position_gradient: vec![],
        mixed: vec![],
        mass_matrix: vec![S::zero(); d * d],
    };
    for i in 0..d {
        let y = at(&velocity(i), &motion);
        parts.lagrangian = y.value.value;
        parts.momentum.push(y.value.tangent);
        parts.mixed.push(y.tangent.tangent);
        let position = Direction::of_q(&Direction::unit(d, i));
        parts.position_gradient.push(at(&position, &Direction::zero(d)).value.tangent);
        for j in i..d {
            let entry = at(&velocity(i), &velocity(j)).tangent.tangent;
            parts.mass_matrix[i * d + j] = entry;
            parts.mass_matrix[j * d + i] = entry;
        }
    }
    parts
}

/// Values by nested duals.
pub(crate) fn exact_parts(case: &Case, row: usize) -> Parts<f64> {
    parts(case, case.state(row), &case.parameters, |x| x, Reading::Exact)
}

/// `Σ |terms|` of each part, with what a relative change of all numbers adds.
pub(crate) fn part_sizes(case: &Case, row: usize) -> Parts<f64> {
    let state = case.state(row);
    let z = hidden_values(case, state);
    let parameters: Vec<_> = case.parameters.iter().map(|&p| magnitude(p)).collect();
    let sizes = parts(case, state, &parameters, magnitude, Reading::Majorant(&z));
    let size = |x: &Dual<f64>| x.value + x.tangent;
    let all = |x: &Vec<Dual<f64>>| x.iter().map(size).collect();
    Parts {
        lagrangian: size(&sizes.lagrangian),
        momentum: all(&sizes.momentum),
        position_gradient: all(&sizes.position_gradient),
        mixed: all(&sizes.mixed),
        mass_matrix: all(&sizes.mass_matrix),
    }
}

/// The size of `∂/∂θ (D_(a,0) L + D_u D_w L)` at one row, a parameter each.
pub(crate) fn functional_sizes(case: &Case, row: usize, [u, w]: [&Direction; 2], a: &[f64]) -> Vec<f64> {
    let state = case.state(row);
    let z = hidden_values(case, state);
    let tape = Tape::new();
    let parameters: Vec<_> = case.parameters.iter().map(|&p| tape.variable(magnitude(p))).collect();
    let lift = |x: f64| tape.variable(magnitude(x));
    let y = along(case, state, &parameters, lift, [u, w], a, Reading::Majorant(&z)).tangent.tangent;
    y.gradient(&parameters).iter().map(|size| size.value + size.tangent).collect()
}

pub(crate) fn norm(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// `x = H⁺ b` and `P b` of one row by the model's own factors, with bounds on what rounding did to each component.
///
/// With errors e of b and h of H, to first order and with |H⁺| the norm: `|δx| ≤ |H⁺| e + h |H⁺| (2 |x| + |H⁺| |P b|)`,
/// `|δ(P b)| ≤ e + h (|x| + |H⁺| |P b|)`: the constant-rank differentials of H⁺ and P.
struct Solved {
    x: Vec<f64>,
    x_error: f64,
    null: Vec<f64>,
    null_error: f64,
}

fn solved(workspace: &LagrangianWorkspace<f64>, row: usize, b: &[f64], e: f64, h: f64, inverse: f64) -> Solved {
    let (mut x, mut null) = (vec![f64::NAN; b.len()], vec![f64::NAN; b.len()]);
    workspace.factors().solve(row, b, &mut x);
    workspace.factors().project_onto_null_space(row, b, &mut null);
    let (size, outside) = (norm(&x), inverse * norm(&null));
    Solved { x_error: inverse * (e + h * (2.0 * size + outside)), null_error: e + h * (size + outside), x, null }
}

/// What rounding may do to `∂/∂θ Σ λ·q̈`, a parameter each; `inverse` is |H⁺|₂ of each row.
///
/// The functional is linear in its left and its right vector: it rounds by n ε itself, and carries on their errors.
pub(crate) fn gradient_tolerance(case: &Case, inverse: &[f64], deficient: bool) -> Vec<f64> {
    let (d, unit) = (case.dof(), case.unit());
    let workspace = case.evaluate(&case.parameters);
    let mut tolerance = vec![0.0; case.parameters.len()];
    for (row, &inverse) in inverse.iter().enumerate() {
        let sizes = part_sizes(case, row);
        let h = unit * norm(&sizes.mass_matrix);
        let e = unit * (norm(&sizes.position_gradient) + norm(&sizes.mixed));
        let solve = |b: &[f64], e: f64| solved(&workspace, row, b, e, h, inverse);
        let acceleration = solve(&workspace.force()[row * d..(row + 1) * d], e);
        let v = solve(case.lambda(row), 0.0);
        let mut add = |left: &[f64], right: &[f64], motion: bool, weight: f64| {
            let mut w = Direction::of_q_dot(right);
            if motion {
                w.q = case.state(row).q_dot.to_vec();
            }
            let a = if motion { left.to_vec() } else { vec![0.0; d] };
            let sizes = functional_sizes(case, row, [&Direction::of_q_dot(left), &w], &a);
            tolerance.iter_mut().zip(sizes).for_each(|(total, size)| *total += weight * size);
        };
        let mut add_all = |(left, left_error): (&[f64], f64), (right, right_error): (&[f64], f64), motion: bool| {
            add(left, right, motion, 2.0 * unit);
            add(&vec![left_error; d], right, motion, 1.0);
            add(left, &vec![right_error; d], false, 1.0);
        };
        add_all((&v.x, v.x_error), (&acceleration.x, acceleration.x_error), true);
        if deficient {
            let inverse_v = solve(&v.x, v.x_error);
            let inverse_x = solve(&acceleration.x, acceleration.x_error);
            add_all((&inverse_v.x, inverse_v.x_error), (&acceleration.null, acceleration.null_error), false);
            add_all((&v.null, v.null_error), (&inverse_x.x, inverse_x.x_error), false);
        }
    }
    tolerance
}
