//! Each elementary function by every generic route, against its textbook derivatives and finite
//! differences, over both tails of its domain.

use lnn_autodiff::{Adjoints, Dual, Scalar, Tape};

/// Roundings of a partial and of its reference together: about a dozen library calls and products,
/// each within one unit in the last place.
const ROUNDINGS: f64 = 16.0;

/// Whether `got` is `expected` up to a dozen roundings, or to the smallest normal number where the
/// result underflows.
fn close(got: f64, expected: f64) -> bool {
    if expected.is_infinite() {
        return got == expected;
    }
    (got - expected).abs() <= ROUNDINGS * f64::EPSILON * expected.abs() + f64::MIN_POSITIVE
}

/// `(f, f', f'')` on nested duals.
fn by_duals(f: impl Fn(Dual<Dual<f64>>) -> Dual<Dual<f64>>, x: f64) -> [f64; 3] {
    let y = f(Dual::variable(Dual::variable(x)));
    assert_eq!(y.value.tangent.to_bits(), y.tangent.value.to_bits());
    [y.value.value, y.value.tangent, y.tangent.tangent]
}

/// Central difference of `g` at `x`, and a bound on its error.
///
/// The truncation error is c h², so the step 2h is off by three times as much more: the difference
/// of the two estimates bounds it. Rounding of `g` adds ε |g| / h, and of `x` itself ε |x g'| / h.
fn central_difference(g: impl Fn(f64) -> f64, x: f64, scale: f64) -> (f64, f64) {
    let estimate = |h: f64| {
        let (right, left) = (x + h, x - h);
        let (above, below) = (g(right), g(left));
        let magnitude = above.abs().max(below.abs());
        let width = right - left;
        ((above - below) / width, f64::EPSILON * magnitude / width)
    };
    let h = f64::EPSILON.cbrt() * scale;
    let (fine, rounding) = estimate(h);
    let (coarse, _) = estimate(2.0 * h);
    (fine, (coarse - fine).abs() + 4.0 * rounding)
}

/// A test of the one-variable function `$f`, written over any scalar.
macro_rules! elementary {
    (
        $name:ident: |$x:ident| $f:expr,
        first: $first:expr, second: $second:expr, scale: $scale:expr, points: $points:expr
    ) => {
        #[test]
        fn $name() {
            fn f<S: Scalar>($x: S) -> S {
                $f
            }
            let (first, second): (fn(f64) -> f64, fn(f64) -> f64) = ($first, $second);
            let scale: fn(f64) -> f64 = $scale;
            for x in $points {
                let x: f64 = x;
                let value = f(x);
                let (expected_first, expected_second) = (first(x), second(x));
                let context = |route: &str, got: f64, expected: f64| {
                    format!("{route} at x = {x:e}: {got:e} instead of {expected:e}")
                };

                let dual = f(Dual::variable(x));
                let nested = by_duals(f, x);
                let tape = Tape::new();
                let reverse = {
                    let variable = tape.variable(x);
                    let y = f(variable);
                    assert_eq!(y.value().to_bits(), value.to_bits());
                    y.gradient(&[variable])[0]
                };
                let dual_tape = Tape::new();
                let variable = dual_tape.variable(Dual::variable(x));
                let y = f(variable);
                let mut adjoints = Adjoints::new();
                dual_tape.reverse(y, &mut adjoints);
                let forward_over_reverse = adjoints.of(variable);

                for route_value in [dual.value, nested[0], y.value()] {
                    assert_eq!(route_value.to_bits(), value.to_bits());
                }
                for (route, got) in [
                    ("dual", dual.tangent),
                    ("nested dual", nested[1]),
                    ("tape", reverse),
                    ("tape of duals, value", forward_over_reverse.value),
                    ("tape of duals, tangent", y.primal().tangent),
                ] {
                    assert!(close(got, expected_first), "{}", context(route, got, expected_first));
                }
                for (route, got) in
                    [("nested dual, second", nested[2]), ("tape of duals, second", forward_over_reverse.tangent)]
                {
                    assert!(close(got, expected_second), "{}", context(route, got, expected_second));
                }

                let (difference, bound) = central_difference(f, x, scale(x));
                assert!(
                    (difference - dual.tangent).abs() <= bound,
                    "{}",
                    context("finite difference", difference, dual.tangent)
                );
                let slope = |x: f64| f(Dual::variable(x)).tangent;
                let (difference, bound) = central_difference(slope, x, scale(x));
                assert!(
                    (difference - nested[2]).abs() <= bound,
                    "{}",
                    context("finite difference, second", difference, nested[2])
                );
            }
        }
    };
}

/// The function varies over a length of order 1, or of |x| where that is larger.
fn unit(x: f64) -> f64 {
    x.abs().max(1.0)
}

/// The function varies over a length of order |x|: powers and logarithms.
fn relative(x: f64) -> f64 {
    x.abs()
}

const REAL_LINE: [f64; 13] = [-700.0, -40.0, -19.0, -3.0, -0.5, -1e-9, 0.0, 1e-9, 0.5, 3.0, 19.0, 40.0, 700.0];
const MODERATE: [f64; 11] = [-300.0, -40.0, -19.0, -3.0, -0.5, 0.0, 0.5, 3.0, 19.0, 40.0, 300.0];
const ANGLES: [f64; 12] = [-1e4, -20.0, -3.0, -1.5, -0.5, -1e-9, 0.0, 1e-9, 0.5, 1.5, 20.0, 1e4];
const POSITIVE: [f64; 9] = [1e-90, 1e-9, 0.01, 0.5, 1.0, 3.0, 100.0, 1e9, 1e90];
const NON_ZERO: [f64; 10] = [-1e60, -1e3, -2.0, -0.3, -1e-9, 1e-9, 0.3, 2.0, 1e3, 1e60];

elementary!(sin: |x| x.sin(), first: f64::cos, second: |x| -x.sin(), scale: |_| 1.0, points: ANGLES);
elementary!(cos: |x| x.cos(), first: |x| -x.sin(), second: |x| -x.cos(), scale: |_| 1.0, points: ANGLES);
elementary!(tan: |x| x.tan(), first: |x| x.cos().powi(-2),
    second: |x| 2.0 * x.sin() * x.cos().powi(-3), scale: |_| 0.01, points: ANGLES);
elementary!(exp: |x| x.exp(), first: f64::exp, second: f64::exp, scale: |_| 1.0, points: REAL_LINE);
elementary!(exp_m1: |x| x.exp_m1(), first: f64::exp, second: f64::exp, scale: |_| 1.0, points: REAL_LINE);
elementary!(sinh: |x| x.sinh(), first: f64::cosh, second: f64::sinh, scale: |_| 1.0, points: REAL_LINE);
elementary!(cosh: |x| x.cosh(), first: f64::sinh, second: f64::cosh, scale: |_| 1.0, points: REAL_LINE);
elementary!(tanh: |x| x.tanh(), first: |x| x.cosh().recip().powi(2),
    second: |x| -2.0 * x.tanh() * x.cosh().recip().powi(2), scale: |_| 1.0, points: MODERATE);
elementary!(ln: |x| x.ln(), first: |x| 1.0 / x, second: |x| -1.0 / (x * x), scale: relative, points: POSITIVE);
elementary!(ln_1p: |x| x.ln_1p(), first: |x| 1.0 / (1.0 + x), second: |x| -(1.0 + x).powi(-2),
    scale: |x| 1.0 + x, points: [-0.999, -0.5, -1e-9, 0.0, 1e-9, 1.0, 1e9, 1e90]);
elementary!(sqrt: |x| x.sqrt(), first: |x| 0.5 * x.powf(-0.5), second: |x| -0.25 * x.powf(-1.5),
    scale: relative, points: POSITIVE);
elementary!(recip: |x| x.recip(), first: |x| -1.0 / (x * x), second: |x| 2.0 / (x * x * x),
    scale: relative, points: NON_ZERO);
elementary!(square: |x| x.square(), first: |x| 2.0 * x, second: |_| 2.0, scale: unit, points: NON_ZERO);
elementary!(abs: |x| x.abs(), first: f64::signum, second: |_| 0.0, scale: relative, points: NON_ZERO);
elementary!(negation: |x| -x, first: |_| -1.0, second: |_| 0.0, scale: unit, points: NON_ZERO);
elementary!(powi_0: |x| x.powi(0), first: |_| 0.0, second: |_| 0.0, scale: unit, points: ANGLES);
elementary!(powi_1: |x| x.powi(1), first: |_| 1.0, second: |_| 0.0, scale: unit, points: ANGLES);
elementary!(powi_2: |x| x.powi(2), first: |x| 2.0 * x, second: |_| 2.0, scale: unit, points: ANGLES);
elementary!(powi_5: |x| x.powi(5), first: |x| 5.0 * x.powf(4.0), second: |x| 20.0 * x.powf(3.0),
    scale: unit, points: ANGLES);
elementary!(powi_minus_3: |x| x.powi(-3), first: |x| -3.0 * x.powf(-4.0), second: |x| 12.0 * x.powf(-5.0),
    scale: relative, points: NON_ZERO);
elementary!(powf_five_halves: |x| x.powf(2.5), first: |x| 2.5 * x * x.sqrt(), second: |x| 3.75 * x.sqrt(),
    scale: relative, points: POSITIVE);
elementary!(powf_minus_three_halves: |x| x.powf(-1.5), first: |x| -1.5 / (x * x * x.sqrt()),
    second: |x| 3.75 / (x * x * x * x.sqrt()), scale: relative, points: [1e-60, 0.01, 0.5, 1.0, 3.0, 1e9, 1e60]);
elementary!(atan2_numerator: |x| x.atan2(S::constant(1.5)), first: |x| 1.5 / (x * x + 2.25),
    second: |x| -3.0 * x / (x * x + 2.25).powi(2), scale: unit, points: ANGLES);
elementary!(atan2_denominator: |x| S::constant(2.0).atan2(x), first: |x| -2.0 / (x * x + 4.0),
    second: |x| 4.0 * x / (x * x + 4.0).powi(2), scale: unit, points: ANGLES);
elementary!(quotient: |x| x / (x.square() + 1.0), first: |x| (1.0 - x * x) / (x * x + 1.0).powi(2),
    second: |x| 2.0 * x * (x * x - 3.0) / (x * x + 1.0).powi(3), scale: |_| 1.0,
    points: [-20.0, -3.0, -0.5, 0.0, 0.5, 3.0, 20.0]);
elementary!(float_operands: |x| (x * 3.0 - 2.0) / 4.0 + 1.0, first: |_| 0.75, second: |_| 0.0,
    scale: unit, points: ANGLES);

#[test]
fn the_comparators_reject_a_perturbed_derivative() {
    let x = 0.7_f64;
    let exact = x.cos();
    assert!(close(Dual::variable(x).sin().tangent, exact));
    assert!(!close(exact * (1.0 + 20.0 * f64::EPSILON), exact));
    assert!(!close(f64::NAN, exact));
    let (difference, bound) = central_difference(f64::sin, x, 1.0);
    assert!((difference - exact).abs() <= bound);
    assert!((difference - exact * (1.0 + 1e-8)).abs() > bound);
}
