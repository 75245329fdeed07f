//! Initial weights.

use lnn_autodiff::{MlpShape, Real};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::Model;
use crate::config::Initialisation;

impl Initialisation {
    /// Flat parameters of all networks of `model`, drawn with `seed`.
    ///
    /// The stream depends on the seed and the draw's place only. Values are drawn in `f64` and rounded
    /// once, so that both precisions start from the same network.
    pub fn draw<T: Real>(self, model: &Model, seed: u64) -> Vec<T> {
        self.draw_networks(model.shapes(), seed)
    }

    /// Flat parameters of the networks of these shapes, one after the other, as [`draw`](Self::draw) makes them.
    pub fn draw_networks<'a, T: Real>(self, shapes: impl Iterator<Item = &'a MlpShape>, seed: u64) -> Vec<T> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        shapes.flat_map(|shape| self.draw_network(shape, &mut random)).collect()
    }

    fn draw_network<T: Real>(self, shape: &MlpShape, random: &mut ChaCha8Rng) -> Vec<T> {
        let mut parameters = vec![T::ZERO; shape.parameter_count()];
        for (index, layer) in shape.layers().iter().enumerate() {
            let (deviation, bias) = self.deviations(shape, index);
            for (range, deviation) in [(layer.weight.clone(), deviation), (layer.bias.clone(), bias)] {
                for parameter in &mut parameters[range] {
                    let normal: f64 = random.sample(StandardNormal);
                    *parameter = T::from_f64(deviation * normal);
                }
            }
        }
        parameters
    }

    /// Standard deviations of weights and biases of a layer.
    fn deviations(self, shape: &MlpShape, index: usize) -> (f64, f64) {
        let layer = shape.layer(index);
        let last = index == shape.hidden_layers();
        match self {
            Self::Paper => {
                let n = layer.inputs.max(layer.outputs) as f64;
                let factor = match index {
                    _ if last => n,
                    0 => 2.2,
                    hidden => 0.58 * hidden as f64,
                };
                (factor / n.sqrt(), 0.0)
            }
            Self::UnitGain { first, hidden, output, bias } => {
                let gain = match index {
                    _ if last => output,
                    0 => first,
                    _ => hidden,
                };
                (gain / (layer.inputs as f64).sqrt(), if last { 0.0 } else { bias })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lnn_autodiff::Activation;

    /// Sample standard deviation of a range.
    fn deviation(values: &[f64]) -> f64 {
        (values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64).sqrt()
    }

    #[test]
    fn deviations_are_those_of_the_formula() {
        let shape = MlpShape::new(&[6, 200, 300, 200, 1], Activation::Softplus).expect("shape");
        let n = |index: usize| shape.layer(index).inputs.max(shape.layer(index).outputs) as f64;
        let unit = Initialisation::UnitGain { first: 1.5, hidden: 2.0, output: 0.3, bias: 0.5 };
        let paper = [2.2 / n(0).sqrt(), 0.58 / n(1).sqrt(), 1.16 / n(2).sqrt(), n(3).sqrt()];
        let unit_gain = [1.5 / 6_f64.sqrt(), 2.0 / 200_f64.sqrt(), 2.0 / 300_f64.sqrt(), 0.3 / 200_f64.sqrt()];
        for (initialisation, want, bias) in [(Initialisation::Paper, paper, 0.0), (unit, unit_gain, 0.5)] {
            let parameters: Vec<f64> = initialisation.draw_network(&shape, &mut ChaCha8Rng::seed_from_u64(3));
            for (layer, want) in shape.layers().iter().zip(want) {
                let values = &parameters[layer.weight.clone()];
                // A sample deviation is off by 1/√(2n); five of those.
                let tolerance = 5.0 * want / (2.0 * values.len() as f64).sqrt();
                assert!((deviation(values) - want).abs() < tolerance, "{} against {want}", deviation(values));
            }
            let hidden_bias = deviation(&parameters[shape.layer(1).bias.clone()]);
            assert!((hidden_bias - bias).abs() <= 5.0 * bias / (2.0_f64 * 300.0).sqrt());
            assert_eq!(parameters[shape.layer(3).bias.clone()], [0.0]);
        }
    }

    #[test]
    fn precisions_start_from_the_same_network() {
        let shape = MlpShape::new(&[3, 8, 1], Activation::Tanh).expect("shape");
        fn draw<T: Real>(shape: &MlpShape, seed: u64) -> Vec<T> {
            Initialisation::Paper.draw_network(shape, &mut ChaCha8Rng::seed_from_u64(seed))
        }
        let (double, single) = (draw::<f64>(&shape, 9), draw::<f32>(&shape, 9));
        assert!(double.iter().zip(&single).all(|(&a, &b)| a as f32 == b));
        assert_ne!(double, draw::<f64>(&shape, 10));
    }
}
