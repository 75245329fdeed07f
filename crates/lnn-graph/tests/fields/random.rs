//! Random states: functions of their index, with the moments and the smoothness they claim.

use std::f64::consts::{PI, TAU};

use lnn_graph::fields::{FieldDistribution, RandomStates};
use lnn_graph::topology::Boundary::{Fixed, Free, Periodic};
use lnn_graph::topology::Topology;
use lnn_physics::sampling::{Distribution, StateSampler};

const SAMPLER: StateSampler = StateSampler::new(3, 9);

fn mixed() -> RandomStates {
    RandomStates {
        smooth_share: 0.3,
        rough_share: 0.3,
        modes: 3,
        field_amplitude: 2.0,
        rate_amplitude: 0.5,
        offset: None,
    }
}

fn smooth() -> RandomStates {
    RandomStates::smooth(3, 2.0, 0.5)
}

fn rough() -> RandomStates {
    RandomStates::rough(2.0, 0.5)
}

fn draw(topology: &Topology, components: usize, states: RandomStates, count: usize) -> Vec<Vec<f64>> {
    let distribution = FieldDistribution::new(topology, components, states).unwrap();
    let length = distribution.state_length();
    let mut out = vec![f64::NAN; count * length];
    distribution.fill(&SAMPLER, 17, 0, &mut out);
    out.chunks_exact(length).map(<[f64]>::to_vec).collect()
}

fn lattices() -> Vec<Topology> {
    vec![
        Topology::line(10, Periodic).unwrap(),
        Topology::line(7, Fixed).unwrap(),
        Topology::line(8, Free).unwrap(),
        Topology::grid([4, 9], [Free, Periodic]).unwrap(),
        Topology::grid([5, 3], [Fixed, Periodic]).unwrap(),
    ]
}

#[test]
fn a_state_depends_on_its_index_only() {
    for topology in lattices() {
        for components in [1, 3] {
            let offset = Some(Distribution::uniform(0.0, TAU).unwrap());
            let states = RandomStates { offset, ..mixed() };
            let distribution = FieldDistribution::new(&topology, components, states).unwrap();
            let length = distribution.state_length();
            assert_eq!(length, 2 * topology.sites() * components);
            let mut all = vec![f64::NAN; 12 * length];
            distribution.fill(&SAMPLER, 5, 100, &mut all);
            assert!(all.iter().all(|value| value.is_finite()));
            let mut some = vec![f64::NAN; 4 * length];
            for first in [0, 3, 8] {
                distribution.fill(&SAMPLER, 5, 100 + first as u64, &mut some);
                assert_eq!(some, all[first * length..][..4 * length]);
            }
            for other in [
                (SAMPLER, 6, 108),
                (SAMPLER, 5, 107),
                (StateSampler::new(3, 8), 5, 108),
                (StateSampler::new(4, 9), 5, 108),
            ] {
                let mut different = vec![f64::NAN; 4 * length];
                distribution.fill(&other.0, other.1, other.2, &mut different);
                assert!(different.iter().zip(&some).all(|(a, b)| a != b), "{other:?}");
            }
        }
    }
}

/// The layout of the numbers in the sampler's stream, state by state, with another formula for the waves.
#[test]
fn states_are_made_of_the_documented_numbers() {
    let (n, modes, components, index) = (50_usize, 20_usize, 2_usize, 7_u64);
    let ring = Topology::line(n, Periodic).unwrap();
    let (half, waves) = (n * components, 2 * modes);
    let states = RandomStates { smooth_share: 0.0, rough_share: 0.0, modes, ..mixed() };
    let distribution = FieldDistribution::new(&ring, components, states).unwrap();
    let count = 2 + components + 2 * components * waves + 2 * half;
    assert_eq!(distribution.numbers_per_state(), count as u64);
    let read = |from: usize, of: Distribution, count_read: usize| {
        let mut out = vec![f64::NAN; count_read];
        SAMPLER.fill_from(17, index * count as u64 + from as u64, &[of], &mut out);
        out
    };
    let normal = Distribution::normal(0.0, 1.0).unwrap();
    let weight = read(1, Distribution::uniform(0.0, 1.0).unwrap(), 1)[0];
    let coefficients = read(2 + components, normal, 2 * components * waves);
    let noise = read(2 + components + coefficients.len(), normal, 2 * half);
    let mut state = vec![f64::NAN; 2 * half];
    distribution.fill(&SAMPLER, 17, index, &mut state);
    for (at, value) in state.iter().enumerate() {
        let (part, site, component) = (at / half, at % half / components, at % components);
        let of_part = &coefficients[(part * components + component) * waves..][..waves];
        let wave: f64 = (0..modes)
            .map(|m| {
                let (sin, cos) = (TAU * ((m + 1) * site) as f64 / n as f64).sin_cos();
                2.0_f64.sqrt() * (of_part[2 * m] * cos + of_part[2 * m + 1] * sin)
            })
            .sum();
        let smooth = (weight / waves as f64).sqrt() * wave;
        let expected = [2.0, 0.5][part] * (smooth + (1.0 - weight).sqrt() * noise[at]);
        // Forty waves, their arguments up to 20 turns.
        let tolerance = 40.0 * 20.0 * TAU * f64::EPSILON;
        assert!((value - expected).abs() <= tolerance, "{at}: {value} and {expected}");
    }
}

/// Mean square and its standard error over all states, from the mean square of each: the states are
/// independent.
fn mean_square(states: &[Vec<f64>], part: usize, component: usize, components: usize) -> (f64, f64) {
    let squares: Vec<f64> = states
        .iter()
        .map(|state| {
            let values = state[part * state.len() / 2..][..state.len() / 2].iter().skip(component).step_by(components);
            values.map(|v| v * v).sum::<f64>() / (state.len() / 2 / components) as f64
        })
        .collect();
    let count = squares.len() as f64;
    let mean = squares.iter().sum::<f64>() / count;
    let variance = squares.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

#[test]
fn amplitudes_are_root_mean_squares() {
    for topology in lattices() {
        for states in [smooth(), rough(), mixed()] {
            let drawn = draw(&topology, 2, states.clone(), 4000);
            for (part, amplitude) in [2.0_f64, 0.5].into_iter().enumerate() {
                for component in 0..2 {
                    let (mean, error) = mean_square(&drawn, part, component, 2);
                    let expected = amplitude * amplitude;
                    assert!((mean - expected).abs() <= 5.0 * error, "{mean} ± {error}, {expected}: {states:?}");
                    assert!(error < 0.05 * expected, "{error} for {expected}");
                }
            }
        }
    }
}

/// Field and rate, both components, and neighbouring sites of rough states are uncorrelated.
#[test]
fn parts_are_independent() {
    let ring = Topology::line(10, Periodic).unwrap();
    let correlation = |pairs: &mut dyn Iterator<Item = (f64, f64)>| {
        let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
        for (a, b) in pairs {
            sum += a * b;
            squares += (a * b).powi(2);
            count += 1.0;
        }
        (sum / count, (squares / count / count).sqrt())
    };
    let count = 4000;
    for states in [smooth(), rough()] {
        let is_rough = states.rough_share == 1.0;
        let drawn = draw(&ring, 2, states, count);
        // One pair a state: those of one state are not independent of each other.
        let mut pairs = vec![(0, 1), (0, 20), (1, 21), (1, 20)];
        if is_rough {
            pairs.extend([(0, 2), (1, 3), (20, 22)]);
        }
        for (i, j) in pairs {
            let (mean, error) = correlation(&mut drawn.iter().map(|state| (state[i], state[j])));
            assert!(mean.abs() <= 5.0 * error, "{i} {j}: {mean} ± {error}");
        }
        // The comparison sees a correlation.
        let (mean, error) = correlation(&mut drawn.iter().map(|state| (state[0], state[0] + state[1])));
        assert!(mean.abs() > 5.0 * error);
    }
}

/// Σ (φ_{i+1} − φ_i)² over a ring, relative to Σ φ²: at most 4 sin²(k/2) for waves up to k.
fn roughness(phi: &[f64]) -> f64 {
    let n = phi.len();
    let steps: f64 = (0..n).map(|i| (phi[(i + 1) % n] - phi[i]).powi(2)).sum();
    steps / phi.iter().map(|v| v * v).sum::<f64>()
}

#[test]
fn smooth_states_hold_low_waves_only() {
    let n = 20;
    let ring = Topology::line(n, Periodic).unwrap();
    let bound = 4.0 * (PI * 3.0 / n as f64).sin().powi(2);
    let mut roughest: f64 = 0.0;
    for state in draw(&ring, 1, smooth(), 500) {
        for half in [&state[..n], &state[n..]] {
            let mean = half.iter().sum::<f64>() / n as f64;
            assert!(mean.abs() <= 4.0 * n as f64 * f64::EPSILON, "{mean:e}");
            let roughness = roughness(half);
            assert!(roughness <= bound * (1.0 + 10.0 * n as f64 * f64::EPSILON), "{roughness} > {bound}");
            roughest = roughest.max(roughness);
        }
    }
    assert!(roughest > 0.8 * bound, "the highest wave is there: {roughest} of {bound}");
    let rough = draw(&ring, 1, rough(), 500);
    assert!(rough.iter().filter(|state| roughness(&state[..n]) > bound).count() > 490);
}

#[test]
fn smooth_states_fit_the_ends() {
    // A sine that vanishes one site beyond a fixed end: the second difference with 0 outside is −4 sin²(k/2)
    // times the state, k = π/(n + 1).
    let one = RandomStates { modes: 1, ..smooth() };
    let n = 6;
    for (boundary, k) in [(Fixed, PI / 7.0), (Free, PI / 6.0)] {
        for state in draw(&Topology::line(n, boundary).unwrap(), 1, one.clone(), 5) {
            let at = |i: isize| match (boundary, usize::try_from(i)) {
                (_, Ok(i)) if i < n => state[i],
                (Fixed, _) => 0.0,
                (_, Ok(_)) => state[n - 1],
                _ => state[0],
            };
            for i in 0..n as isize {
                let second = at(i - 1) - 2.0 * at(i) + at(i + 1);
                let expected = -4.0 * (0.5 * k).sin().powi(2) * at(i);
                let scale = state[..n].iter().fold(0.0_f64, |most, v| most.max(v.abs()));
                assert!((second - expected).abs() <= 16.0 * f64::EPSILON * scale, "{boundary:?} {i}");
            }
        }
    }
}

#[test]
fn shares_are_probabilities() {
    let n = 20;
    let ring = Topology::line(n, Periodic).unwrap();
    let count = 4000;
    let states = RandomStates { smooth_share: 0.25, rough_share: 0.75, ..mixed() };
    let bound = 4.0 * (PI * 3.0 / n as f64).sin().powi(2) * (1.0 + 1e-12);
    let drawn = draw(&ring, 1, states, count);
    // A rough state is smooth by chance in hardly any of them: both halves below the bound.
    let smooth =
        drawn.iter().filter(|state| roughness(&state[..n]) <= bound && roughness(&state[n..]) <= bound).count();
    let deviation = (0.25 * 0.75 / count as f64).sqrt();
    assert!((smooth as f64 / count as f64 - 0.25).abs() <= 5.0 * deviation, "{smooth} of {count}");
}

#[test]
fn offsets_shift_each_component() {
    let ring = Topology::line(10, Periodic).unwrap();
    let offset = Some(Distribution::uniform(5.0, 7.0).unwrap());
    let drawn = draw(&ring, 2, RandomStates { offset, ..smooth() }, 200);
    let plain = draw(&ring, 2, smooth(), 200);
    let mut differ = 0;
    for (state, plain) in drawn.iter().zip(&plain) {
        let shift = [state[0] - plain[0], state[1] - plain[1]];
        for (i, (a, b)) in state.iter().zip(plain).enumerate() {
            let expected = if i < 20 { shift[i % 2] } else { 0.0 };
            assert!((a - b - expected).abs() <= 8.0 * f64::EPSILON * 20.0, "{i}");
        }
        assert!(shift.iter().all(|s| (5.0 - 1e-12..7.0 + 1e-12).contains(s)), "{shift:?}");
        differ += usize::from((shift[0] - shift[1]).abs() > 0.01);
    }
    assert!(differ > 150);
}

#[test]
fn rough_states_need_no_positions() {
    let graph = Topology::graph(5, &[[0, 1], [1, 2], [2, 3]]).unwrap();
    let states = draw(&graph, 1, rough(), 4000);
    let (mean, error) = mean_square(&states, 0, 0, 1);
    assert!((mean - 4.0).abs() <= 5.0 * error);
}

#[test]
#[should_panic(expected = "do not hold whole states of 20")]
fn a_part_of_a_state_is_refused() {
    let ring = Topology::line(10, Periodic).unwrap();
    FieldDistribution::new(&ring, 1, mixed()).unwrap().fill(&SAMPLER, 0, 0, &mut [0.0; 30]);
}

#[test]
#[should_panic(expected = "lies beyond the 2⁶⁴ numbers of a stream")]
fn a_state_beyond_the_stream_is_refused() {
    let ring = Topology::line(10, Periodic).unwrap();
    FieldDistribution::new(&ring, 1, mixed()).unwrap().fill(&SAMPLER, 0, u64::MAX / 20, &mut [0.0; 20]);
}
