//! Adam's update against its formula in double precision.

use bytemuck::{Pod, Zeroable};
use lnn_gpu::kernels;

use crate::close::close;
use crate::ground::Case;

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct AdamStep {
    beta1: f32,
    beta2: f32,
    fresh1: f32,
    fresh2: f32,
    correction1: f32,
    correction2: f32,
    epsilon: f32,
    keep: f32,
    rate: f32,
    count: u32,
}

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;
const RATE: f64 = 0.01;
const DECAY: f64 = 0.1;

struct State {
    gradient: Vec<f32>,
    parameters: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
}

fn state(count: usize) -> State {
    let wave = |rate: f64| (0..count).map(|i| (rate * (i + 1) as f64).sin() as f32).collect::<Vec<_>>();
    let second = wave(0.3).iter().map(|x| 0.5 * x * x).collect();
    State { gradient: wave(0.7), parameters: wave(0.11), first: wave(0.05), second }
}

/// θ, m, v after update number `step`.
fn run(state: &State, step: i32) -> [Vec<f32>; 3] {
    let count = state.gradient.len();
    let constants = AdamStep {
        beta1: BETA1 as f32,
        beta2: BETA2 as f32,
        fresh1: (1.0 - BETA1) as f32,
        fresh2: (1.0 - BETA2) as f32,
        correction1: (1.0 / (1.0 - BETA1.powi(step))) as f32,
        correction2: (1.0 / (1.0 - BETA2.powi(step))) as f32,
        epsilon: EPSILON as f32,
        keep: (1.0 - RATE * DECAY) as f32,
        rate: RATE as f32,
        count: count as u32,
    };
    let outputs = Case::new(kernels::ADAM.only())
        .constants(&constants)
        .read(&state.gradient)
        .update(&state.parameters)
        .update(&state.first)
        .update(&state.second)
        .run([count.div_ceil(256) as u32, 1, 1]);
    outputs.try_into().unwrap()
}

/// Value and scale of θ, m, v by the formula.
fn expected(state: &State, step: i32) -> [(Vec<f64>, Vec<f64>); 3] {
    let mut expected = [(); 3].map(|()| (Vec::new(), Vec::new()));
    for i in 0..state.gradient.len() {
        let [g, theta, m, v] =
            [&state.gradient, &state.parameters, &state.first, &state.second].map(|numbers| f64::from(numbers[i]));
        let m_new = BETA1 * m + (1.0 - BETA1) * g;
        let m_scale = BETA1 * m.abs() + (1.0 - BETA1) * g.abs();
        let v_new = BETA2 * v + (1.0 - BETA2) * g * g;
        let denominator = (v_new / (1.0 - BETA2.powi(step))).sqrt() + EPSILON;
        let per_m = RATE / (1.0 - BETA1.powi(step)) / denominator;
        let theta_new = (1.0 - RATE * DECAY) * theta - per_m * m_new;
        let values = [theta_new, m_new, v_new];
        let scales = [theta.abs() + per_m * m_scale, m_scale, v_new];
        for ((values, scales), (value, scale)) in expected.iter_mut().zip(values.into_iter().zip(scales)) {
            values.push(value);
            scales.push(scale);
        }
    }
    expected
}

/// Eight roundings at most on any way to a result.
const FACTOR: f64 = 8.0;

#[test]
fn adam_follows_its_formula_at_any_length() {
    for count in [1, 3, 255, 256, 257, 1000] {
        for step in [1, 2, 1000] {
            let state = state(count);
            let names = ["θ", "m", "v"];
            for ((got, (want, scale)), name) in run(&state, step).iter().zip(expected(&state, step)).zip(names) {
                close(got, &want, &scale, FACTOR).unwrap_or_else(|far| panic!("{name}, {count}, step {step}: {far:?}"));
            }
        }
    }
}

#[test]
fn a_perturbed_gradient_is_seen() {
    let state = state(300);
    let mut perturbed = self::state(300);
    perturbed.gradient[299] *= 1.1;
    let [(theta, theta_scale), (m, m_scale), _] = expected(&state, 2);
    let [theta_got, m_got, _] = run(&perturbed, 2);
    assert_eq!(close(&m_got, &m, &m_scale, FACTOR).unwrap_err().at, 299);
    assert_eq!(close(&theta_got, &theta, &theta_scale, FACTOR).unwrap_err().at, 299);
}

#[test]
fn averages_of_a_vanished_gradient_end_at_zero() {
    let tiny = State { gradient: vec![0.0], parameters: vec![1.0], first: vec![1.2e-38], second: vec![-1.1754944e-38] };
    let [theta, m, v] = run(&tiny, 7);
    assert_eq!((m, v), (vec![0.0], vec![0.0]));
    assert_eq!(theta, [(1.0 - RATE * DECAY) as f32]);
}
