//! Where our side of the comparison with a peer begins: the recipe that both sides read, the same weights, the same states.

use std::error::Error;
use std::io::Read;
use std::path::Path;

use lnn::autodiff::MlpShape;
use serde::Deserialize;

/// Coordinates of the double pendulum.
const COORDINATES: usize = 2;

/// What both sides do beside the size: the content of `benches/peers/recipe.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    /// Of the double pendulum, upper and lower.
    pub(crate) masses: [f64; 2],
    pub(crate) lengths: [f64; 2],
    pub(crate) gravity: f64,
    /// Ranges of the states.
    pub(crate) angle: [f64; 2],
    pub(crate) velocity: [f64; 2],
    /// Divides the velocities that enter the network.
    pub(crate) velocity_scale: f64,
    /// Ranges of a field and its rate.
    pub(crate) field: [f64; 2],
    pub(crate) field_rate: [f64; 2],
    pub(crate) residual_mass: f64,
    /// Eigenvalues of the mass matrix below this part of the largest count as zero: the default of
    /// `jnp.linalg.pinv` for a matrix of two rows in single precision, 20 ε.
    pub(crate) eigenvalue_cutoff: f64,
    /// Standard deviation of the weights times √inputs: first layer, hidden layers, output layer.
    pub(crate) gains: [f64; 3],
    /// Of Adam.
    pub(crate) learning_rate: f64,
    pub(crate) beta_1: f64,
    pub(crate) beta_2: f64,
    pub(crate) epsilon: f64,
    /// Length of a Runge–Kutta step.
    pub(crate) time_step: f64,
    /// Runge–Kutta steps in one timing.
    pub(crate) steps_a_timing: usize,
    /// Untimed calls before the first timing.
    pub(crate) warm_up: usize,
}

/// The recipe in a file.
pub(crate) fn read_recipe(path: &Path) -> Result<Recipe, Box<dyn Error>> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?)
}

/// Uniform number k of (0, 1), the same in every program: 32-bit integer arithmetic, then (h + ½) / 2³². A
/// multiplication by 2³² over the golden ratio spreads neighbours apart, the rest breaks their regular distances.
pub(crate) fn uniform(k: usize) -> f64 {
    const MASK: u64 = 0xffff_ffff;
    let mut h = ((k as u64 + 1) * 0x9e37_79b1) & MASK;
    h ^= h >> 15;
    h = (h * 0x85eb_ca77) & MASK;
    h ^= h >> 13;
    (h as f64 + 0.5) / 4_294_967_296.0
}

/// Weights of deviation gain / √inputs, and zero biases. Parameter k of the list in which each layer's weights
/// `[outputs, inputs]` come before its biases is made from uniform number k.
pub(crate) fn first_parameters(shape: &MlpShape, [first, hidden, output]: [f64; 3]) -> Vec<f32> {
    let mut parameters = vec![0.0; shape.parameter_count()];
    for (index, layer) in shape.layers().iter().enumerate() {
        let gain = match index {
            0 => first,
            _ if index == shape.hidden_layers() => output,
            _ => hidden,
        };
        let scale = gain / (layer.inputs as f64).sqrt() * 12.0_f64.sqrt();
        for k in layer.weight.clone() {
            parameters[k] = (scale * (uniform(k) - 0.5)) as f32;
        }
    }
    parameters
}

/// States `[batch, 2d]` over the recipe's ranges, from the uniform numbers that come after the parameters'.
pub(crate) fn first_states(recipe: &Recipe, parameters: usize, batch: usize) -> Vec<f32> {
    let state = |place: usize| {
        let [low, high] = if place % (2 * COORDINATES) < COORDINATES { recipe.angle } else { recipe.velocity };
        (low + (high - low) * uniform(parameters + place)) as f32
    };
    (0..batch * 2 * COORDINATES).map(state).collect()
}

/// Ends this process once standard input is closed.
pub(crate) fn end_with_parent() {
    std::thread::spawn(|| {
        // Whether it ends or breaks, nobody waits for the result any more.
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        std::process::exit(1);
    });
}
