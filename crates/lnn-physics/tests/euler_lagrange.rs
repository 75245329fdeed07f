//! The Euler–Lagrange evaluator against golden values, finite differences and bad input.

#![allow(clippy::unwrap_used)] // In a test, a failed unwrap is a failure with its line.

use lnn_physics::{EulerLagrange, EulerLagrangeError, Lagrangian, Scalar, acceleration};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use serde_json::Value;

/// L = (1 − q̇²)^(−1/2) − 1 + g q, with c = m = 1.
struct Relativistic {
    g: f64,
}

impl Lagrangian for Relativistic {
    fn degrees_of_freedom(&self) -> usize {
        1
    }
    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        (-q_dot[0].square() + 1.0).powf(-0.5) - 1.0 + q[0] * self.g
    }
}

#[test]
fn relativistic_golden_values_and_closed_form() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/relativistic_analytic.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let states = file["states"].as_array().unwrap();
    assert_eq!(states.len(), 16);
    for (k, state) in states.iter().enumerate() {
        let (q, v) = (state[0].as_f64().unwrap(), state[1].as_f64().unwrap());
        let g = file["conditionals"][k][0].as_f64().unwrap();
        let expected = file["acceleration"][k][0].as_f64().unwrap();
        let found = acceleration(&Relativistic { g }, &[q], &[v]).unwrap()[0];
        let closed = g * (1.0 - v * v).powf(2.5) / (1.0 + 2.0 * v * v);
        // 1 − q̇² loses digits near the speed of light, and enters to the power 5/2.
        let tolerance = 32.0 * f64::EPSILON * expected.abs() / (1.0 - v * v);
        assert!((found - expected).abs() <= tolerance, "state {k}");
        assert!((closed - expected).abs() <= tolerance, "closed form, state {k}");
    }
}

/// L = ½ q̇ᵀ M(q) q̇ + A(q)·q̇ − V(q) with M = I + B Bᵀ, all entries trigonometric in q.
#[derive(Clone, Debug)]
struct Trigonometric {
    d: usize,
    /// Amplitudes, phases and wave vectors in turn, cycled through.
    coefficients: Vec<f64>,
}

impl Trigonometric {
    /// Entry number k: amplitude · sin(wave·q + phase).
    fn entry<S: Scalar>(&self, k: usize, q: &[S]) -> S {
        let c = |i: usize| self.coefficients[(k * 31 + i * 7) % self.coefficients.len()];
        let mut angle = S::constant(3.0 * c(0));
        for (i, &q) in q.iter().enumerate() {
            angle += q * c(i + 1);
        }
        angle.sin() * c(q.len() + 2)
    }
}

impl Lagrangian for Trigonometric {
    fn degrees_of_freedom(&self) -> usize {
        self.d
    }
    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        let d = self.d;
        let mut sum = -self.entry(d * d + d, q);
        for j in 0..d {
            let mut row = S::zero();
            for i in 0..d {
                row += self.entry(i * d + j, q) * q_dot[i];
            }
            sum += (row.square() + q_dot[j].square()) * 0.5;
            sum += self.entry(d * d + j, q) * q_dot[j];
        }
        sum
    }
}

/// Central difference of order 8.
fn derivative(f: impl Fn(f64) -> f64, h: f64) -> f64 {
    let weights = [4.0 / 5.0, -1.0 / 5.0, 4.0 / 105.0, -1.0 / 280.0];
    let terms = weights.iter().zip(1..);
    terms.map(|(w, k)| w * (f(f64::from(k) * h) - f(f64::from(-k) * h))).sum::<f64>() / h
}

/// H and r from values of L alone; differences in q̇ use step 1, since L is quadratic in q̇.
fn by_differences(l: &Trigonometric, q: &[f64], q_dot: &[f64], h: f64) -> (DMatrix<f64>, DVector<f64>) {
    let d = l.d;
    let shifted = |x: &[f64], i: usize, by: f64| {
        let mut x = x.to_vec();
        x[i] += by;
        x
    };
    let momentum = |q: &[f64], i: usize| {
        (l.lagrangian::<f64>(q, &shifted(q_dot, i, 1.0)) - l.lagrangian::<f64>(q, &shifted(q_dot, i, -1.0))) / 2.0
    };
    let mass = DMatrix::from_fn(d, d, |i, j| {
        let at = |a: f64, b: f64| l.lagrangian::<f64>(q, &shifted(&shifted(q_dot, i, a), j, b));
        (at(1.0, 1.0) - at(1.0, -1.0) - at(-1.0, 1.0) + at(-1.0, -1.0)) / 4.0
    });
    let force = DVector::from_fn(d, |i, _| {
        let along = |s: f64| -> Vec<f64> { q.iter().zip(q_dot).map(|(q, v)| q + s * v).collect() };
        derivative(|s| l.lagrangian::<f64>(&shifted(q, i, s), q_dot), h) - derivative(|s| momentum(&along(s), i), h)
    });
    (mass, force)
}

fn cases() -> impl Strategy<Value = (Trigonometric, Vec<f64>, Vec<f64>)> {
    (1..=6_usize).prop_flat_map(|d| {
        (
            prop::collection::vec(-1.0..1.0_f64, 101),
            prop::collection::vec(-2.0..2.0_f64, d),
            prop::collection::vec(-1.0..1.0_f64, d),
        )
            .prop_map(move |(coefficients, q, q_dot)| (Trigonometric { d, coefficients }, q, q_dot))
    })
}

proptest! {
    #[test]
    fn any_lagrangian_agrees_with_finite_differences((l, q, q_dot) in cases()) {
        let d = l.d;
        let h = 0.01;
        let (mass, force) = by_differences(&l, &q, &q_dot, h);
        let expected = mass.clone().cholesky().unwrap().solve(&force);
        let mut motion = EulerLagrange::new(&l).unwrap();
        let found = motion.evaluate(&q, &q_dot).unwrap();

        // |L| ≤ scale for |q̇ᵢ| ≤ 2; each entry has wave numbers at most 1, a product of two of them 2, so the
        // ninth derivative along q̇ (|q̇| ≤ √d) grows by at most (2 d)⁹. The weight of the
        // truncation is h⁸/630.
        let scale = (d * d * (d + 1)) as f64 * 4.0;
        let truncation = h.powi(8) / 630.0 * (2.0 * d as f64).powi(9) * scale;
        let error = truncation + 16.0 * f64::EPSILON * scale / h;
        // M = I + BBᵀ: the smallest eigenvalue is at least 1.
        let condition = found.condition_number();
        let tolerance = error * (1.0 + condition * expected.amax());
        for i in 0..d {
            prop_assert!((found.acceleration[i] - expected[i]).abs() <= tolerance,
                "d = {d}: {} against {}, allowed {tolerance:e}", found.acceleration[i], expected[i]);
            for j in 0..d {
                prop_assert!((found.mass_matrix[i * d + j] - mass[(i, j)]).abs() <= 16.0 * f64::EPSILON * scale);
            }
        }
        prop_assert!(found.is_regular());
        // E = ½ q̇ᵀ M q̇ + V: the part linear in q̇ carries no energy.
        let still: f64 = l.lagrangian(&q, &vec![0.0; d]);
        let v = DVector::from_column_slice(&q_dot);
        let energy = 0.5 * v.dot(&(&mass * &v)) - still;
        prop_assert!((found.energy - energy).abs() <= 32.0 * f64::EPSILON * scale);
    }
}

#[test]
fn a_wrong_force_is_noticed() {
    // The comparator of the test above, fed with a Lagrangian whose potential is off by one part in
    // 10⁶.
    let l = Trigonometric { d: 2, coefficients: (0..101).map(|k| (f64::from(k) * 0.7).sin()).collect() };
    struct Off(Trigonometric);
    impl Lagrangian for Off {
        fn degrees_of_freedom(&self) -> usize {
            self.0.d
        }
        fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
            self.0.lagrangian(q, q_dot) + q[0].sin() * 1e-6
        }
    }
    let (q, q_dot) = ([0.3, -0.8], [0.5, 0.9]);
    let (mass, force) = by_differences(&l, &q, &q_dot, 0.01);
    let expected = mass.cholesky().unwrap().solve(&force);
    let good = acceleration(&l, &q, &q_dot).unwrap();
    let bad = acceleration(&Off(l), &q, &q_dot).unwrap();
    assert!((good[0] - expected[0]).abs() < 1e-10);
    assert!((bad[0] - expected[0]).abs() > 1e-8);
}

/// The mass matrix is the all-ones matrix of d dimensions, rank 1.
struct OneVelocity {
    d: usize,
}

impl Lagrangian for OneVelocity {
    fn degrees_of_freedom(&self) -> usize {
        self.d
    }
    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        let mut sum = S::zero();
        for &v in q_dot {
            sum += v;
        }
        sum.square() * 0.5 + q[0] * 6.0
    }
}

#[test]
fn evaluate_reports_the_rank_and_the_least_squares_acceleration() {
    for d in [2, 3, 16, 17, 24] {
        let mut motion = EulerLagrange::new(OneVelocity { d }).unwrap();
        let q: Vec<f64> = (0..d).map(|i| i as f64 * 0.1).collect();
        let dynamics = motion.evaluate(&q, &vec![0.25; d]).unwrap();
        assert_eq!(dynamics.rank, 1);
        assert!(!dynamics.is_regular());
        assert_eq!(dynamics.condition_number(), f64::INFINITY);
        // 1 1ᵀ has the pseudoinverse 1 1ᵀ/d², and r = (6, 0, …).
        let n = d as f64;
        for value in &dynamics.acceleration {
            assert!((value - 6.0 / (n * n)).abs() <= 16.0 * n * f64::EPSILON);
        }
    }
}

#[test]
fn a_singular_equation_without_solution_is_refused() {
    for d in [2, 3, 16, 17, 24] {
        let (q, q_dot) = (vec![0.1; d], vec![0.25; d]);
        let mut motion = EulerLagrange::new(OneVelocity { d }).unwrap();
        let mut q_ddot = vec![7.0; d];
        let mut state_dot = vec![0.0; 2 * d];
        let state = [q.clone(), q_dot.clone()].concat();
        // H q̈ has equal components and r = (6, 0, …): the nearest is 6/d, which leaves 6 − 6/d.
        let n = d as f64;
        for error in [
            acceleration(&OneVelocity { d }, &q, &q_dot).unwrap_err(),
            motion.acceleration_into(&q, &q_dot, &mut q_ddot).unwrap_err(),
            motion.state_derivative_into(&state, &mut state_dot).unwrap_err(),
        ] {
            let EulerLagrangeError::SingularMassMatrix { rank, degrees_of_freedom, residual } = error else {
                panic!("{error}")
            };
            assert_eq!((rank, degrees_of_freedom), (1, d));
            assert!((residual - (6.0 - 6.0 / n)).abs() <= 6.0 * 16.0 * n * f64::EPSILON, "{residual}");
            let expected = format!("rank 1 with {d} degrees of freedom");
            assert!(error.to_string().contains(&expected), "{error}");
        }
        assert_eq!(q_ddot, vec![7.0; d]);
    }
}

/// L = ½ ẏ² − ½ k y² + y² ẏ + `push`·(q₀ − q₁) with y = Σ sin(wᵢ qᵢ): for `push` = 0 only y moves, and
/// y² ẏ = d/dt y³/3 adds terms to r that cancel.
struct Gauge {
    waves: Vec<f64>,
    push: f64,
}

impl Gauge {
    const STIFFNESS: f64 = 3.0;
}

impl Lagrangian for Gauge {
    fn degrees_of_freedom(&self) -> usize {
        self.waves.len()
    }
    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        let (mut y, mut y_dot) = (S::zero(), S::zero());
        for ((&q, &v), &w) in q.iter().zip(q_dot).zip(&self.waves) {
            y += (q * w).sin();
            y_dot += (q * w).cos() * v * w;
        }
        y_dot.square() * 0.5 - y.square() * (0.5 * Self::STIFFNESS) + y.square() * y_dot + (q[0] - q[1]) * self.push
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn a_gauge_freedom_has_the_least_norm_solution(
        d in 2_usize..=18,
        waves in prop::collection::vec(0.2..2.0, 18),
        q in prop::collection::vec(-3.0..3.0, 18),
        q_dot in prop::collection::vec(-3.0..3.0, 18),
    ) {
        let (q, q_dot) = (&q[..d], &q_dot[..d]);
        let mut gauge = Gauge { waves: waves[..d].to_vec(), push: 0.0 };
        let angle: Vec<f64> = gauge.waves.iter().zip(q).map(|(w, q)| w * q).collect();
        let rate: Vec<f64> = gauge.waves.iter().zip(q_dot).map(|(w, v)| w * v).collect();
        let slope: Vec<f64> = gauge.waves.iter().zip(&angle).map(|(w, a)| w * a.cos()).collect();
        let square: f64 = slope.iter().map(|j| j * j).sum();
        prop_assume!(square > 0.1);
        // ÿ = J q̈ + J̇ q̇ = −k y with J̇ q̇ = −Σ (wᵢ q̇ᵢ)² sin wᵢ qᵢ, and the least q̈ lies along J.
        let y: f64 = angle.iter().map(|a| a.sin()).sum();
        let bend: f64 = rate.iter().zip(&angle).map(|(r, a)| r * r * a.sin()).sum();
        let along = (bend - Gauge::STIFFNESS * y) / square;
        // Terms of one component of r: w ≤ 2 and |q̇| ≤ 3 bound each by 2 (36 d + 3 d) from ẏ² and y²,
        // twice 2·2·d·6 d from y² ẏ. H⁺ = J Jᵀ/|J|⁴ sums d of them and divides by |J|².
        let n = d as f64;
        let terms = n.sqrt() * (78.0 * n + 48.0 * n * n);
        let tolerance = 4.0 * f64::EPSILON * terms / square * (1.0 + 1.0 / square);
        let found = acceleration(&gauge, q, q_dot);
        prop_assert!(found.is_ok(), "{found:?}");
        for (value, j) in found.unwrap().iter().zip(&slope) {
            prop_assert!((value - along * j).abs() <= tolerance, "{value} ≠ {} ± {tolerance}", along * j);
        }
        // A force across the range of H, far above round-off and far below r, leaves no solution.
        prop_assume!((slope[0] + slope[1]).abs() > 0.1);
        gauge.push = 1e-6;
        let error = acceleration(&gauge, q, q_dot).unwrap_err();
        prop_assert!(
            matches!(error, EulerLagrangeError::SingularMassMatrix { rank: 1, residual, .. } if residual < 2e-6),
            "{error}"
        );
    }
}

#[test]
fn a_total_time_derivative_moves_nothing() {
    // L = d/dt (q₀³ sin q₁): H = 0 and r = 0 but for round-off.
    struct Total;
    impl Lagrangian for Total {
        fn degrees_of_freedom(&self) -> usize {
            2
        }
        fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
            q[0].square() * q[1].sin() * q_dot[0] * 3.0 + q[0].square() * q[0] * q[1].cos() * q_dot[1]
        }
    }
    let mut round_off_seen = false;
    for k in 0..50 {
        let x = f64::from(k);
        let (q, q_dot) = ([0.37 * x - 5.0, (1.7 * x).sin()], [(x + 0.3).cos() * 9.0, 0.21 * x - 4.0]);
        assert_eq!(acceleration(&Total, &q, &q_dot), Ok(vec![0.0; 2]), "state {k}");
        let mut motion = EulerLagrange::new(Total).unwrap();
        round_off_seen |= motion.evaluate(&q, &q_dot).unwrap().force.iter().any(|r| *r != 0.0);
    }
    assert!(round_off_seen, "no state tells round-off from zero");
}

#[test]
fn an_indefinite_mass_matrix_is_solved() {
    struct Saddle;
    impl Lagrangian for Saddle {
        fn degrees_of_freedom(&self) -> usize {
            2
        }
        fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
            q_dot[0] * q_dot[1] - q[0] * q[1]
        }
    }
    let found = acceleration(&Saddle, &[2.0, 3.0], &[0.1, 0.2]).unwrap();
    for (value, exact) in found.iter().zip([-2.0, -3.0]) {
        assert!((value - exact).abs() <= 8.0 * f64::EPSILON * 3.0);
    }
}

#[test]
fn bad_input_is_named() {
    struct Nothing;
    impl Lagrangian for Nothing {
        fn degrees_of_freedom(&self) -> usize {
            0
        }
        fn lagrangian<S: Scalar>(&self, _q: &[S], _q_dot: &[S]) -> S {
            S::zero()
        }
    }
    assert_eq!(acceleration(&Nothing, &[], &[]).unwrap_err(), EulerLagrangeError::NoDegreeOfFreedom);
    let l = Relativistic { g: 1.0 };
    assert_eq!(
        acceleration(&l, &[0.0, 1.0], &[0.0]).unwrap_err(),
        EulerLagrangeError::WrongLength { quantity: "q", given: 2, expected: 1 }
    );
    let error = acceleration(&l, &[0.0], &[f64::NAN]).unwrap_err();
    assert!(error.to_string().contains("q_dot[0] = NaN"), "{error}");
    // Faster than light.
    let error = acceleration(&l, &[0.0], &[1.5]).unwrap_err();
    assert!(matches!(error, EulerLagrangeError::NonFiniteDerivative { quantity: "value", .. }), "{error}");
    let mut motion = EulerLagrange::new(l).unwrap();
    let error = motion.acceleration_into(&[0.0], &[0.0], &mut [0.0; 3]).unwrap_err();
    assert_eq!(error, EulerLagrangeError::WrongLength { quantity: "q_ddot", given: 3, expected: 1 });
    // An error leaves the evaluator usable.
    assert_eq!(motion.evaluate(&[0.0], &[0.0]).unwrap().acceleration, [1.0]);
}
