//! The same network over a differentiable scalar, and the size of its terms.
//!
//! Two evaluations share one program. The *reference* applies each activation as elementary functions of nested duals.
//! The *majorant* takes every number by its magnitude and each activation by the magnitudes of its derivatives, so that
//! sums that cancel in the reference add up in it: `Σ |terms|`, what rounding errors are relative to. The tangent of
//! its innermost dual, along which every number changes by its own size, is what a relative change of all numbers by
//! one unit can do to the result.

use lnn_autodiff::{Activation, Dual, MlpShape, Scalar};

/// Two directions and their second derivative over any scalar.
pub(crate) type Second<S> = Dual<Dual<S>>;

/// A number that changes by its own size.
pub(crate) fn magnitude(x: f64) -> Dual<f64> {
    Dual::new(x.abs(), x.abs())
}

/// `value + U ε₁ + W ε₂ + mixed ε₁ε₂`.
pub(crate) fn second<S>(value: S, u: S, w: S, mixed: S) -> Second<S> {
    Dual::new(Dual::new(value, u), Dual::new(w, mixed))
}

fn scaled<S: Scalar>(x: Second<S>, by: S) -> Second<S> {
    second(x.value.value * by, x.value.tangent * by, x.tangent.value * by, x.tangent.tangent * by)
}

/// The network's outputs; `sigma` is given the hidden unit's number, counted through all layers.
pub(crate) fn network<S: Scalar>(
    shape: &MlpShape,
    parameters: &[S],
    input: &[Second<S>],
    sigma: impl Fn(usize, Second<S>) -> Second<S>,
) -> Vec<Second<S>> {
    let mut values = input.to_vec();
    let mut unit = 0;
    for (index, layer) in shape.layers().iter().enumerate() {
        let (weight, bias) = (&parameters[layer.weight.clone()], &parameters[layer.bias.clone()]);
        let product = |j: usize| {
            let row = &weight[j * layer.inputs..(j + 1) * layer.inputs];
            let bias = second(bias[j], S::zero(), S::zero(), S::zero());
            row.iter().zip(&values).fold(bias, |sum, (&weight, &x)| sum + scaled(x, weight))
        };
        let outputs: Vec<_> = (0..layer.outputs).map(product).collect();
        values = outputs;
        if index < shape.hidden_layers() {
            for value in &mut values {
                *value = sigma(unit, *value);
                unit += 1;
            }
        }
    }
    values
}

/// σ in elementary functions.
pub(crate) fn activation<S: Scalar>(activation: Activation, z: S) -> S {
    let positive = z.value() > 0.0;
    let logistic = |z: S| if positive { ((-z).exp() + 1.0).recip() } else { z.exp() / (z.exp() + 1.0) };
    match activation {
        Activation::Softplus if positive => z + (-z).exp().ln_1p(),
        Activation::Softplus => z.exp().ln_1p(),
        Activation::Tanh => z.tanh(),
        Activation::Sigmoid => logistic(z),
        Activation::Silu => z * logistic(z),
        // erf is no elementary function: its Taylor series at z, whose coefficients have a test of their own.
        Activation::Gelu => taylor(z, gelu_derivatives(z.value())),
        Activation::Relu if positive => z,
        Activation::Relu2 if positive => z.square(),
        Activation::Relu3 if positive => z.powi(3),
        Activation::Relu | Activation::Relu2 | Activation::Relu3 => S::zero(),
    }
}

/// `Σ_k c_k (Z − z)^k / k!`, exact for up to four nested derivatives.
pub(crate) fn taylor<S: Scalar>(z: S, coefficients: [f64; 5]) -> S {
    let step = z - z.value();
    let [c0, c1, c2, c3, c4] = coefficients;
    (((step * (c4 / 24.0) + c3 / 6.0) * step + c2 / 2.0) * step + c1) * step + c0
}

fn gelu_derivatives(z: f64) -> [f64; 5] {
    let [value, first, second, third] = Activation::Gelu.derivatives(z);
    let density = (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
    [value, first, second, third, density * (-z.powi(4) + 7.0 * z * z - 4.0)]
}

/// `σ … σ⁗` at one point.
fn derivatives(function: Activation, z: f64) -> [f64; 5] {
    type D2 = Dual<Dual<f64>>;
    let inner = Dual::variable(Dual::variable(z));
    let lifted: Dual<Dual<D2>> = Dual::variable(Dual::variable(inner));
    let y = activation(function, lifted);
    [
        y.value.value.value.value,
        y.value.value.value.tangent,
        y.value.value.tangent.tangent,
        y.value.tangent.tangent.tangent,
        y.tangent.tangent.tangent.tangent,
    ]
}

/// A function whose derivatives are magnitudes of σ's at the actual `z`.
///
/// Near a zero of σ″ or σ‴ its terms, which are of the size of the neighbouring derivatives, cancel; so each of these
/// stands for its neighbours too, with 1 + |z| for the change by a relative change of z.
///
/// `floor` is the smallest normal number of the precision under test over its ε: the engine's exponential goes no lower
/// than that number, which is then an error relative to nothing. It is multiplied by up to z⁴ (GELU).
pub(crate) fn majorant<S: Scalar>(function: Activation, z: f64, size: S, floor: f64) -> S {
    let [value, first, rest @ ..] = derivatives(function, z).map(f64::abs);
    let higher = (1.0 + z.abs()) * rest.iter().sum::<f64>() + floor * (1.0 + z.powi(4));
    taylor(size, [value + first + higher, first + higher, higher, higher, higher])
}

/// z of every hidden unit.
pub(crate) fn preactivations(shape: &MlpShape, parameters: &[f64], x: &[f64]) -> Vec<f64> {
    let units: usize = shape.dimensions()[1..=shape.hidden_layers()].iter().sum();
    let seen = std::cell::RefCell::new(vec![f64::NAN; units]);
    let input: Vec<_> = x.iter().map(|&x| Second::constant(x)).collect();
    network(shape, parameters, &input, |unit, z| {
        seen.borrow_mut()[unit] = z.value();
        activation(shape.activation(), z)
    });
    seen.into_inner()
}

#[test]
fn the_fourth_derivative_of_gelu_is_that_of_its_third() {
    let h = f64::EPSILON.cbrt();
    for k in -40..=40 {
        let z = f64::from(k) * 0.2;
        let difference = (Activation::Gelu.derivatives(z + h)[3] - Activation::Gelu.derivatives(z - h)[3]) / (2.0 * h);
        // |σ⁽⁶⁾| ≤ 16 and σ‴ itself is rounded.
        assert!((difference - gelu_derivatives(z)[4]).abs() <= 3.0 * h * h + 8.0 * f64::EPSILON / h, "{z}");
    }
}
