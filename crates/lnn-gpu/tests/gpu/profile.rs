//! A step whose kernels are timed is a step like any other.

use lnn_autodiff::features::{Feature, FeatureMap};
use lnn_autodiff::pseudoinverse::Tolerance;
use lnn_autodiff::{Activation, MlpShape};
use lnn_gpu::loss::Loss;
use lnn_gpu::mlp::{GradientTile, NarrowTile, ProductTile, Tiles};
use lnn_gpu::optimiser::{AdamSettings, SoapSettings};
use lnn_gpu::sampling::Distribution;
use lnn_gpu::step::Clipping;
use lnn_gpu::target::DoublePendulum;
use lnn_gpu::training::{LagrangianModel, Model, OptimiserSettings, Source, Training, TrainingSettings, TrueSystem};

use crate::ground::device;

const RATES: [f64; 4] = [1e-2; 4];

/// A double pendulum's network of two layers, `width` wide.
fn training(width: usize, optimiser: OptimiserSettings, tiles: &Tiles) -> Training {
    let sine = |index| Feature::Sine { index };
    let rate = |index| Feature::Velocity { index, scale: 5.0 };
    let features = FeatureMap::new(2, 0, vec![sine(0), sine(1), rate(0), rate(1)]).unwrap();
    let shape = MlpShape::new(&[4, width, width, 1], Activation::Softplus).unwrap();
    let range = |low, high| Distribution::Uniform { low, high };
    let pendulum = DoublePendulum { masses: [1.0; 2], lengths: [1.0; 2], gravity: 9.8 };
    let settings = TrainingSettings {
        models: 1,
        source: Source::Drawn {
            seeds: vec![3],
            domain: 0,
            distributions: vec![range(0.0, 6.0), range(0.0, 6.0), range(-5.0, 5.0), range(-5.0, 5.0)],
            system: TrueSystem::DoublePendulum(pendulum),
        },
        batch: 21,
        loss: Loss::L1,
        error_units: None,
        penalty: 0.0,
        clipping: Clipping::Off,
        optimiser,
        weight_decay: 0.0,
        steps: RATES.len(),
    };
    let parameters: Vec<f32> =
        (0..shape.parameter_count()).map(|place| 0.4 * ((place * 37 % 101) as f32 / 50.0 - 1.0)).collect();
    let tolerance = Tolerance::for_dimension::<f32>(2);
    let model = Model::Lagrangian(LagrangianModel {
        shape,
        features,
        masses: vec![1.0; 2],
        units: None,
        tolerance,
        potential: None,
    });
    let training = Training::with_tiles(device(), &model, &settings, tiles).unwrap();
    training.upload_parameters(&parameters).unwrap();
    training
}

fn adam() -> OptimiserSettings {
    OptimiserSettings::Adam(AdamSettings { beta1: 0.9, beta2: 0.99, epsilon: 1e-8 })
}

fn soap() -> OptimiserSettings {
    let averages = AdamSettings { beta1: 0.9, beta2: 0.99, epsilon: 1e-8 };
    OptimiserSettings::Soap { settings: SoapSettings { averages, shampoo_beta: 0.95 }, refresh_every: 3 }
}

fn bits(training: &Training) -> Vec<u32> {
    training.download_parameters().unwrap().into_iter().map(f32::to_bits).collect()
}

#[test]
fn a_profiled_step_changes_the_parameters_as_any_other_and_has_each_kernel_s_time() {
    for (width, optimiser) in [(12, adam()), (12, soap()), (70, adam())] {
        let mut plain = training(width, optimiser, &Tiles::default());
        plain.run(0, &RATES).unwrap();
        let mut profiled = training(width, optimiser, &Tiles::default());
        profiled.run(0, &RATES[..3]).unwrap();
        let profile = profiled.profile(3, RATES[3]).unwrap();
        assert_eq!(bits(&plain), bits(&profiled), "{width} wide, {optimiser:?}");
        let names: Vec<&str> = profile.iter().map(|(kernel, _)| kernel.entry).collect();
        assert_eq!((names.first(), names.last()), (Some(&"sample_states"), Some(&"restore")));
        let own = if width <= 64 { ["narrow_step", "split_sum"] } else { ["layer_forward", "differentiate_loss"] };
        assert!(own.iter().all(|kernel| names.contains(kernel)), "{names:?}");
        // The third update is SOAP's first refresh.
        assert_eq!(names.contains(&"soap_order"), optimiser == soap(), "{names:?}");
        assert!(profile.iter().map(|(_, seconds)| seconds).sum::<f64>() > 0.0, "{profile:?}");
        assert!(profiled.gradient_parts() > 0);
        // Both go on alike.
        plain.run(4, &RATES[..2]).unwrap();
        profiled.run(4, &RATES[..2]).unwrap();
        assert_eq!(bits(&plain), bits(&profiled), "{width} wide, {optimiser:?}, going on");
    }
}

/// The tiles that are chosen are those of the step's kernels.
#[test]
fn a_training_has_the_tiles_that_are_chosen() {
    let none = Tiles::default();
    let product = Some(ProductTile { samples: 1, columns: 128 });
    let wide = Tiles { forward: product, weight_gradient: Some(GradientTile { side: 64, splits: 5 }), ..none };
    let narrow = Tiles { narrow_step: Some(NarrowTile { samples: 8, depth: 32 }), ..none };
    for (width, tiles, kernel) in [(70, wide, "layer_forward_c4_s1_n128"), (12, narrow, "narrow_step_t3_s8_k8")] {
        let mut chosen = training(width, adam(), &tiles);
        let names: Vec<&str> = chosen.profile(0, RATES[0]).unwrap().iter().map(|(kernel, _)| kernel.name).collect();
        assert!(names.contains(&kernel), "{names:?}");
        if width == 70 {
            assert_eq!(chosen.gradient_parts(), 5);
        }
        let mut usual = training(width, adam(), &none);
        let names: Vec<&str> = usual.profile(0, RATES[0]).unwrap().iter().map(|(kernel, _)| kernel.name).collect();
        assert!(!names.contains(&kernel), "{names:?}");
    }
}
