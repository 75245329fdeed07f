//! The Lagrangian network against golden values from plain nested automatic differentiation.
//!
//! `golden/README.md` says how the files were made. One derived tolerance serves both precisions; in `f64` it is
//! also held against the promised 1e-9 · cond(H).

use std::path::Path;

use lnn_autodiff::features::{Feature, FeatureMap};
use lnn_autodiff::jet::{Accumulate, JetWorkspace, Purpose};
use lnn_autodiff::{Activation, MlpShape, Real};
use lnn_train::loss::Loss;
use lnn_train::model::{LagrangianNetwork, LagrangianWorkspace, States};
use serde_json::Value;

/// One file, its numbers as they stand there.
#[derive(Clone)]
struct Golden {
    name: &'static str,
    model: LagrangianNetwork,
    parameters: Vec<f64>,
    q: Vec<f64>,
    q_dot: Vec<f64>,
    conditionals: Vec<f64>,
    target: Vec<f64>,
    rank: usize,
    json: Value,
}

/// All numbers of nested lists, in order.
fn numbers(value: &Value, into: &mut Vec<f64>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| numbers(item, into)),
        number => into.push(number.as_f64().expect("a number")),
    }
}

fn flat(value: &Value) -> Vec<f64> {
    let mut list = Vec::new();
    numbers(value, &mut list);
    list
}

/// Each layer's weight, then its bias: the layout of the flat parameters.
fn layers(value: &Value) -> Vec<f64> {
    let layers = value.as_array().expect("a list of layers");
    layers.iter().flat_map(|layer| [flat(&layer["weight"]), flat(&layer["bias"])].concat()).collect()
}

impl Golden {
    fn load(name: &'static str, features: Vec<Feature>, rank: usize) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden").join(name).with_extension("json");
        let text = std::fs::read_to_string(&path).expect("the golden file is in the repository");
        let json: Value = serde_json::from_str(&text).expect("JSON");
        let d = json["dof"].as_u64().expect("dof") as usize;
        let sizes = json["layers"].as_array().expect("layers").iter().map(|layer| flat(&layer["bias"]).len());
        let sizes: Vec<usize> = std::iter::once(features.len()).chain(sizes).collect();
        assert_eq!(json["activation"], "softplus");
        let shape = MlpShape::new(&sizes, Activation::Softplus).expect("sizes");
        let conditionals = flat(&json["conditionals"]);
        let states = flat(&json["states"]);
        let map = FeatureMap::new(d, conditionals.len() * 2 * d / states.len(), features).expect("features");
        let mass = json["residual_mass"].as_f64().expect("residual_mass");
        Self {
            name,
            model: LagrangianNetwork::new(shape, map, mass, None).expect("a valid model"),
            parameters: layers(&json["layers"]),
            q: states.chunks_exact(2 * d).flat_map(|state| &state[..d]).copied().collect(),
            q_dot: states.chunks_exact(2 * d).flat_map(|state| &state[d..]).copied().collect(),
            conditionals,
            target: flat(&json["target_acceleration"]),
            rank,
            json,
        }
    }

    fn dof(&self) -> usize {
        self.model.features().degrees_of_freedom()
    }
    fn rows(&self) -> usize {
        self.q.len() / self.dof()
    }
    fn loss(&self) -> f64 {
        self.json["l1_loss"].as_f64().expect("l1_loss")
    }
    fn field(&self, name: &str) -> Vec<f64> {
        flat(&self.json[name])
    }

    /// Longest chain of roundings: each layer adds its inputs' products, and some for the activation.
    fn operations(&self) -> f64 {
        self.model.shape().dimensions().iter().map(|&width| (width + 8) as f64).sum()
    }
}

fn positions(d: usize, scale: f64) -> Vec<Feature> {
    (0..d).map(|index| Feature::Position { index, scale, centre: 0.0 }).collect()
}
fn velocities(d: usize, scale: f64) -> Vec<Feature> {
    (0..d).map(|index| Feature::Velocity { index, scale }).collect()
}

fn all() -> Vec<Golden> {
    let wrapped = (0..2).map(|index| Feature::WrappedAngle { index, scale: 1.0 });
    let sines = (0..2).map(|index| Feature::Sine { index });
    let cosines = (0..2).map(|index| Feature::Cosine { index });
    let conditional = Feature::Conditional { index: 0, scale: 10.0, centre: 0.0 };
    vec![
        Golden::load("lnn_wrap", wrapped.chain(velocities(2, 1.0)).collect(), 2),
        Golden::load("lnn_sincos_mass", sines.chain(cosines).chain(velocities(2, 5.0)).collect(), 2),
        Golden::load("lnn_conditional", [positions(1, 10.0), velocities(1, 1.0), vec![conditional]].concat(), 1),
        Golden::load("lnn_dof5", [positions(5, 1.0), velocities(5, 1.0)].concat(), 5),
        Golden::load("lnn_rank_deficient", [positions(2, 1.0), velocities(1, 1.0)].concat(), 1),
    ]
}

/// What the network gave, in double precision, whatever it was computed in.
struct Found {
    lagrangian: Vec<f64>,
    force: Vec<f64>,
    position_gradient: Vec<f64>,
    mixed: Vec<f64>,
    mass_matrix: Vec<f64>,
    acceleration: Vec<f64>,
    energy: Vec<f64>,
    loss: f64,
    gradient: Vec<f64>,
    /// Smallest |eigenvalue| of H that counts, a row.
    smallest: Vec<f64>,
    /// cond(H) over the eigenvalues that count, a row.
    conditions: Vec<f64>,
    ranks: Vec<usize>,
}

fn single<T: Real>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&x| T::from_f64(x)).collect()
}
fn double<T: Real>(values: &[T]) -> impl Iterator<Item = f64> {
    values.iter().map(|&x| x.to_f64())
}

/// Loss, gradient and all else in blocks of up to `block` rows.
fn evaluate<T: Real>(golden: &Golden, block: usize) -> Found {
    let (d, rows, model) = (golden.dof(), golden.rows(), &golden.model);
    let c = model.features().conditionals();
    let parameters: Vec<T> = single(&golden.parameters);
    let (q, q_dot): (Vec<T>, Vec<T>) = (single(&golden.q), single(&golden.q_dot));
    let (conditionals, target): (Vec<T>, Vec<T>) = (single(&golden.conditionals), single(&golden.target));
    let mut workspace: LagrangianWorkspace<T> = model.workspace(block, true);
    let mut gradient = vec![T::ZERO; parameters.len()];
    let mut found = Found {
        lagrangian: vec![],
        force: vec![],
        position_gradient: vec![],
        mixed: vec![],
        mass_matrix: vec![],
        acceleration: vec![],
        energy: vec![],
        loss: 0.0,
        gradient: vec![],
        smallest: vec![],
        conditions: vec![],
        ranks: vec![],
    };
    for start in (0..rows).step_by(block) {
        let end = rows.min(start + block);
        let states = States {
            q: &q[start * d..end * d],
            q_dot: &q_dot[start * d..end * d],
            conditionals: &conditionals[start * c..end * c],
        };
        let network = model.shape().bind(&parameters).expect("golden parameters fit their shape");
        model.evaluate(network.into(), states, &mut workspace);
        found.lagrangian.extend(double(workspace.lagrangian()));
        found.force.extend(double(workspace.force()));
        found.mass_matrix.extend(double(workspace.mass_matrix()));
        found.acceleration.extend(double(workspace.acceleration()));
        found.energy.extend(double(workspace.energy()));
        for row in 0..end - start {
            let counted = workspace.factors().eigenvalues(row).iter().map(|value| value.to_f64().abs());
            let largest = counted.clone().fold(0.0, f64::max);
            let threshold = 10.0 * d as f64 * T::EPSILON.to_f64() * largest;
            let smallest = counted.filter(|&value| value > threshold).fold(f64::INFINITY, f64::min);
            found.smallest.push(smallest);
            found.conditions.push(largest / smallest);
            found.ranks.push(workspace.factors().rank(row));
        }
        let mut lambda = vec![T::ZERO; (end - start) * d];
        let part = Loss::L1.evaluate(workspace.acceleration(), &target[start * d..end * d], rows, &mut lambda);
        assert_eq!(part.non_finite, 0, "{}", golden.name);
        found.loss += part.value;
        model.gradient(network.into(), &lambda, &mut workspace, Accumulate::Add, &mut gradient);
    }
    found.gradient.extend(double(&gradient));
    (found.position_gradient, found.mixed) = first_and_mixed(golden, &parameters, &q, &q_dot, &conditionals);
    found
}

/// ∂L/∂q and (∂²L/∂q̇∂q) q̇, which the model adds up to the force, straight from the jets.
fn first_and_mixed<T: Real>(
    golden: &Golden,
    parameters: &[T],
    q: &[T],
    q_dot: &[T],
    conditionals: &[T],
) -> (Vec<f64>, Vec<f64>) {
    let (d, rows, features) = (golden.dof(), golden.rows(), golden.model.features());
    let network = golden.model.shape().bind(parameters).expect("as many parameters as the shape has");
    let mut jets = JetWorkspace::new(golden.model.shape(), d + 1, rows, Purpose::Hessian);
    let mut slope = vec![T::ZERO; rows * features.len()];
    features.seed(q, q_dot, conditionals, jets.start(rows), &mut slope);
    jets.forward(network);
    jets.reverse(network, &vec![T::ONE; rows]);
    let pairs: Vec<(usize, usize)> = (0..d).map(|i| (i, d)).collect();
    let mut mixed = vec![T::ZERO; rows * d];
    jets.hessian(&pairs, &mut mixed);
    let (mut q_bar, mut q_dot_bar) = (vec![T::ZERO; rows * d], vec![T::ZERO; rows * d]);
    features.pull_back(&slope, jets.input_bar(), &mut q_bar, &mut q_dot_bar);
    (double(&q_bar).collect(), double(&mixed).collect())
}

/// The worst error over the quantity's largest value, as a share of `tolerance`.
fn share(got: &[f64], want: &[f64], scale: f64, tolerance: f64) -> f64 {
    assert_eq!(got.len(), want.len());
    let errors = got.iter().zip(want).map(|(got, want)| (got - want).abs());
    // `max` would drop a NaN.
    errors.fold(0.0, |worst: f64, error| if error > worst || error.is_nan() { error } else { worst })
        / (scale * tolerance)
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

/// Every quantity's error as a share of its tolerance.
///
/// A quantity without a solve is exact for weights that are off by n ε: its error is n ε times its terms, here the
/// largest value of the kind in the file. A solve divides the error of H, n ε max|H|, by the smallest eigenvalue that
/// counts; it enters the gradient through q̈ and v, which adds.
fn shares<T: Real>(golden: &Golden, found: &Found) -> Vec<(&'static str, f64)> {
    let d = golden.dof();
    let unit = golden.operations() * T::EPSILON.to_f64();
    let plain = |name: &'static str, got: &[f64]| {
        let want = golden.field(name);
        (name, share(got, &want, largest(&want), unit))
    };
    let (gradient, mixed) = (golden.field("dL_dq"), golden.field("mixed_times_velocity"));
    let force: Vec<f64> = gradient.iter().zip(&mixed).map(|(gradient, mixed)| gradient - mixed).collect();
    let mut shares = vec![
        plain("lagrangian", &found.lagrangian),
        plain("dL_dq", &found.position_gradient),
        plain("mixed_times_velocity", &found.mixed),
        ("force", share(&found.force, &force, largest(&gradient) + largest(&mixed), unit)),
        plain("mass_matrix", &found.mass_matrix),
        plain("energy", &found.energy),
    ];
    let mass_matrix = largest(&golden.field("mass_matrix"));
    let amplification: Vec<f64> = found.smallest.iter().map(|smallest| mass_matrix / smallest).collect();
    let acceleration = golden.field("acceleration");
    for (row, amplification) in amplification.iter().enumerate() {
        let range = row * d..(row + 1) * d;
        let want = &acceleration[range.clone()];
        shares.push(("acceleration", share(&found.acceleration[range], want, largest(want), unit * amplification)));
    }
    let tolerance = unit * largest(&amplification);
    shares.push(("l1_loss", share(&[found.loss], &[golden.loss()], golden.loss(), tolerance)));
    for (got, want, scale) in gradient_parts(golden, found) {
        shares.push(("loss_gradient", share(&got, &want, scale, 2.0 * tolerance)));
    }
    shares
}

/// Each weight's and bias's gradient: found, golden, and the size to compare with.
fn gradient_parts(golden: &Golden, found: &Found) -> Vec<(Vec<f64>, Vec<f64>, f64)> {
    let want = layers(&golden.json["loss_gradient"]);
    let ranges = golden.model.shape().layers().iter().flat_map(|layer| [layer.weight.clone(), layer.bias.clone()]);
    ranges
        .map(|range| {
            // A bias of the output has no effect: its golden gradient is what rounding left of 0.
            let scale = largest(&want[range.clone()]).max(f64::EPSILON * largest(&want));
            (found.gradient[range.clone()].to_vec(), want[range].to_vec(), scale)
        })
        .collect()
}

/// The quantity that is furthest beyond its tolerance.
fn refusal<T: Real>(golden: &Golden, found: &Found) -> Option<String> {
    let beyond = |share: f64| share > 1.0 || share.is_nan();
    let worst = shares::<T>(golden, found).into_iter().find(|&(_, share)| beyond(share));
    worst.map(|(name, share)| format!("{}: {name} has {share:.3e} times the error allowed in {}", golden.name, T::NAME))
}

fn blocks(golden: &Golden) -> [usize; 3] {
    [1, 3, golden.rows()]
}

fn matches_in<T: Real>() {
    for golden in all() {
        for block in blocks(&golden) {
            let found = evaluate::<T>(&golden, block);
            assert_eq!(found.ranks, vec![golden.rank; golden.rows()], "{}, blocks of {block}", golden.name);
            assert_eq!(refusal::<T>(&golden, &found), None, "blocks of {block}");
        }
    }
}

#[test]
fn every_quantity_matches_in_double_precision() {
    matches_in::<f64>();
}

#[test]
fn every_quantity_matches_in_single_precision() {
    matches_in::<f32>();
}

#[test]
fn the_promised_bound_holds() {
    // Relative to the largest entry of the same array, 1e-9 · cond(H).
    for golden in all() {
        let found = evaluate::<f64>(&golden, golden.rows());
        let bound = 1e-9 * largest(&found.conditions);
        let arrays = [
            ("mass_matrix", &found.mass_matrix),
            ("acceleration", &found.acceleration),
            ("energy", &found.energy),
            ("dL_dq", &found.position_gradient),
            ("lagrangian", &found.lagrangian),
        ];
        for (name, got) in arrays {
            let want = golden.field(name);
            assert!(share(got, &want, largest(&want), bound) <= 1.0, "{}: {name}", golden.name);
        }
        assert!((found.loss - golden.loss()).abs() <= bound * golden.loss(), "{}", golden.name);
        let outermost = golden.model.shape().layers().len() * 2 - 1;
        for (part, (got, want, scale)) in gradient_parts(&golden, &found).into_iter().enumerate() {
            if part == outermost {
                assert_eq!(got, [0.0], "{}: a constant added to L changes nothing", golden.name);
            } else {
                assert!(share(&got, &want, scale, bound) <= 1.0, "{}: gradient {part}", golden.name);
            }
        }
    }
}

#[test]
fn how_rows_are_blocked_does_not_matter() {
    for golden in all() {
        let whole = evaluate::<f64>(&golden, golden.rows());
        for block in blocks(&golden) {
            let parts = evaluate::<f64>(&golden, block);
            let amplification =
                largest(&whole.mass_matrix) / whole.smallest.iter().copied().fold(f64::INFINITY, f64::min);
            let tolerance = golden.operations() * f64::EPSILON * amplification;
            for (got, want) in [
                (&parts.acceleration, &whole.acceleration),
                (&parts.mass_matrix, &whole.mass_matrix),
                (&parts.energy, &whole.energy),
                (&parts.gradient, &whole.gradient),
            ] {
                assert!(share(got, want, largest(want), tolerance) <= 1.0, "{}, blocks of {block}", golden.name);
            }
        }
    }
}

#[test]
fn the_comparison_refuses_a_perturbed_result() {
    type Part = fn(&mut Found) -> &mut [f64];
    let parts: [(&str, Part); 9] = [
        ("lagrangian", |found| &mut found.lagrangian),
        ("dL_dq", |found| &mut found.position_gradient),
        ("mixed_times_velocity", |found| &mut found.mixed),
        ("force", |found| &mut found.force),
        ("mass_matrix", |found| &mut found.mass_matrix),
        ("energy", |found| &mut found.energy),
        ("acceleration", |found| &mut found.acceleration),
        ("l1_loss", |found| std::slice::from_mut(&mut found.loss)),
        ("loss_gradient", |found| &mut found.gradient),
    ];
    for golden in all() {
        for (name, part) in parts {
            for wrong in [|x: f64| x * (1.0 + 1e-8), |_: f64| f64::NAN] {
                let mut found = evaluate::<f64>(&golden, golden.rows());
                let values = part(&mut found);
                let size = largest(values);
                let entry = values.iter_mut().find(|value| value.abs() == size).expect("the largest is an entry");
                *entry = wrong(*entry);
                let refusal =
                    refusal::<f64>(&golden, &found).unwrap_or_else(|| panic!("{}: {name} passed", golden.name));
                assert!(refusal.contains(name), "{refusal} instead of {name}");
            }
        }
    }
}

#[test]
fn the_comparison_refuses_a_perturbed_input() {
    for golden in all() {
        for place in golden.model.shape().layers().iter().map(|layer| layer.weight.start) {
            let mut wrong = golden.clone();
            wrong.parameters[place] *= 1.0 + 1e-7;
            assert!(refusal::<f64>(&wrong, &evaluate::<f64>(&wrong, 3)).is_some(), "{}: weight {place}", golden.name);
        }
        for row in 0..golden.rows() {
            let mut wrong = golden.clone();
            wrong.q[row * golden.dof()] += 1e-6;
            assert!(refusal::<f64>(&wrong, &evaluate::<f64>(&wrong, 3)).is_some(), "{}: state {row}", golden.name);
        }
    }
}
