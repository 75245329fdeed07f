//! A Hamiltonian network through the jets, against golden values from plain nested automatic differentiation.
//!
//! The field is one reverse sweep; the loss gradient is the directional functional without its second-order part:
//! with λ the cotangent of (q̇, ṗ) = (∂H/∂p, −∂H/∂q) it is `∂/∂θ D_a H` along a = (−λ_p, λ_q).

use std::path::Path;

use lnn_autodiff::jet::{Accumulate, JetWorkspace, Purpose};
use lnn_autodiff::{Activation, MlpShape, Real};
use serde_json::Value;

struct Golden {
    shape: MlpShape,
    parameters: Vec<f64>,
    states: Vec<f64>,
    target: Vec<f64>,
    field: Vec<f64>,
    loss: f64,
    gradient: Vec<f64>,
}

#[derive(Clone)]
struct Found {
    field: Vec<f64>,
    loss: f64,
    gradient: Vec<f64>,
}

fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().expect("a number")],
    }
}

fn layers(value: &Value) -> Vec<f64> {
    let layers = value.as_array().expect("a list of layers");
    layers.iter().flat_map(|layer| [flat(&layer["weight"]), flat(&layer["bias"])].concat()).collect()
}

fn golden() -> Golden {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/hnn.json");
    let text = std::fs::read_to_string(path).expect("the golden file is in the repository");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    let sizes = json["layers"].as_array().expect("layers").iter().map(|layer| flat(&layer["bias"]).len());
    let sizes: Vec<usize> = std::iter::once(2).chain(sizes).collect();
    Golden {
        shape: MlpShape::new(&sizes, Activation::Softplus).expect("sizes"),
        parameters: layers(&json["layers"]),
        states: flat(&json["states"]),
        target: flat(&json["target_field"]),
        field: flat(&json["field"]),
        loss: json["l2_loss"].as_f64().expect("l2_loss"),
        gradient: layers(&json["loss_gradient"]),
    }
}

/// Field, mean squared error and its gradient, in blocks of up to `block` rows.
fn evaluate<T: Real>(golden: &Golden, block: usize) -> Found {
    let cast = |values: &[f64]| values.iter().map(|&x| T::from_f64(x)).collect::<Vec<T>>();
    let (parameters, states) = (cast(&golden.parameters), cast(&golden.states));
    let network = golden.shape.bind(&parameters).expect("as many parameters as the shape has");
    let mut jets = JetWorkspace::<T>::new(&golden.shape, 1, block, Purpose::Functional);
    let rows = states.len() / 2;
    let mut gradient = vec![T::ZERO; parameters.len()];
    let mut found = Found { field: vec![], loss: 0.0, gradient: vec![] };
    for start in (0..rows).step_by(block) {
        let end = rows.min(start + block);
        let inputs = jets.start(end - start);
        inputs.value.copy_from_slice(&states[2 * start..2 * end]);
        // u = w = 0 takes no direction, so this one must not show.
        inputs.tangents.fill(T::ONE);
        jets.forward(network);
        jets.reverse(network, &vec![T::ONE; end - start]);
        let field: Vec<T> = jets.input_bar().chunks_exact(2).flat_map(|bar| [bar[1], -bar[0]]).collect();
        let target = &golden.target[2 * start..2 * end];
        let error: Vec<T> = field.iter().zip(target).map(|(&field, &target)| field - T::from_f64(target)).collect();
        found.loss += error.iter().map(|error| error.to_f64().powi(2)).sum::<f64>() / rows as f64;
        found.field.extend(field.iter().map(|field| field.to_f64()));
        let weight = T::from_f64(2.0 / rows as f64);
        let a: Vec<T> = error.chunks_exact(2).flat_map(|error| [-error[1] * weight, error[0] * weight]).collect();
        let nothing = vec![T::ZERO; end - start];
        jets.functional_gradient(network, &a, &nothing, &nothing, Accumulate::Add, &mut gradient);
    }
    found.gradient = gradient.iter().map(|gradient| gradient.to_f64()).collect();
    found
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

/// The first array whose error exceeds `unit` times its largest value.
fn refusal(golden: &Golden, found: &Found, unit: f64) -> Option<&'static str> {
    let mut parts =
        vec![("field", &found.field[..], &golden.field[..]), ("loss", &[found.loss][..], &[golden.loss][..])]
            .into_iter()
            .map(|(name, got, want)| (name, got.to_vec(), want.to_vec()))
            .collect::<Vec<_>>();
    for layer in golden.shape.layers() {
        for range in [layer.weight.clone(), layer.bias.clone()] {
            parts.push(("gradient", found.gradient[range.clone()].to_vec(), golden.gradient[range].to_vec()));
        }
    }
    let refused = |(_, got, want): &(&str, Vec<f64>, Vec<f64>)| {
        let bound = unit * largest(want);
        got.len() != want.len() || got.iter().zip(want).any(|(got, want)| (got - want).abs() > bound || got.is_nan())
    };
    parts.iter().find(|&part| refused(part)).map(|part| part.0)
}

/// n ε with n the longest chain of roundings: a layer's products and its activation, and the sum over rows.
fn unit<T: Real>(golden: &Golden) -> f64 {
    let chain: usize = golden.shape.dimensions().iter().map(|width| width + 8).sum();
    (chain + golden.states.len() / 2) as f64 * T::EPSILON.to_f64()
}

fn matches_in<T: Real>() {
    let golden = golden();
    for block in [1, 3, golden.states.len() / 2] {
        let found = evaluate::<T>(&golden, block);
        assert_eq!(refusal(&golden, &found, unit::<T>(&golden)), None, "{} in blocks of {block}", T::NAME);
    }
}

#[test]
fn field_loss_and_gradient_match_in_double_precision() {
    assert!(unit::<f64>(&golden()) < 1e-9, "the promised bound");
    matches_in::<f64>();
}

#[test]
fn field_loss_and_gradient_match_in_single_precision() {
    matches_in::<f32>();
}

#[test]
fn the_comparison_refuses_a_perturbed_result() {
    let golden = golden();
    let good = evaluate::<f64>(&golden, 3);
    for wrong in [|x: f64| x * (1.0 + 1e-9), |_: f64| f64::NAN] {
        let scale = |values: &[f64]| values.iter().map(|&x| wrong(x)).collect::<Vec<_>>();
        for (name, found) in [
            ("field", Found { field: scale(&good.field), ..good.clone() }),
            ("loss", Found { loss: wrong(good.loss), ..good.clone() }),
            ("gradient", Found { gradient: scale(&good.gradient), ..good.clone() }),
        ] {
            assert_eq!(refusal(&golden, &found, unit::<f64>(&golden)), Some(name));
        }
    }
    for place in golden.shape.layers().iter().map(|layer| layer.weight.start) {
        let mut wrong = Golden { parameters: golden.parameters.clone(), ..self::golden() };
        wrong.parameters[place] += 1e-8;
        assert!(refusal(&wrong, &evaluate::<f64>(&wrong, 3), unit::<f64>(&golden)).is_some(), "weight {place}");
    }
}
