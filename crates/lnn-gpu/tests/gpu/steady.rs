//! A training makes its buffers once: however many steps follow, nothing is made, and nothing is moved between them.

use lnn_autodiff::features::{Feature, FeatureMap};
use lnn_autodiff::pseudoinverse::Tolerance;
use lnn_autodiff::{Activation, MlpShape};
use lnn_gpu::device::{Activity, ConstantMemory, Device, DeviceOptions};
use lnn_gpu::loss::Loss;
use lnn_gpu::optimiser::{AdamSettings, SoapSettings};
use lnn_gpu::sampling::Distribution;
use lnn_gpu::step::Clipping;
use lnn_gpu::target::DoublePendulum;
use lnn_gpu::training::{LagrangianModel, Model, OptimiserSettings, Source, Training, TrainingSettings, TrueSystem};

const STEPS: usize = 64;

/// The double pendulum with two layers of so many units.
fn training(device: &Device, models: usize, width: usize, optimiser: OptimiserSettings) -> Training {
    let angles = (0..2).flat_map(|index| [Feature::Sine { index }, Feature::Cosine { index }]);
    let velocities = (0..2).map(|index| Feature::Velocity { index, scale: 5.0 });
    let features = FeatureMap::new(2, 0, angles.chain(velocities).collect()).unwrap();
    let shape = MlpShape::new(&[features.len(), width, width, 1], Activation::Softplus).unwrap();
    let parameters: Vec<f32> = (0..shape.parameter_count()).map(|i| 0.4 * (0.7 * i as f32).sin()).collect();
    let interval = |range: f64| Distribution::Uniform { low: -range, high: range };
    let settings = TrainingSettings {
        source: Source::Drawn {
            seeds: (0..models as u64).collect(),
            domain: 2,
            distributions: vec![interval(3.0), interval(3.0), interval(10.0), interval(10.0)],
            system: TrueSystem::DoublePendulum(DoublePendulum { masses: [1.0; 2], lengths: [1.0; 2], gravity: 9.8 }),
        },
        models,
        batch: 16,
        loss: Loss::RelativePseudoHuber { scale: 0.02 },
        error_units: None,
        penalty: 0.0,
        clipping: Clipping::RunningNorm { limit: 3.0, averaging: 0.99 },
        optimiser,
        weight_decay: 0.0,
        steps: STEPS,
    };
    let (masses, units, tolerance) = (vec![1.0; 2], None, Tolerance::for_dimension::<f32>(2));
    let model = Model::Lagrangian(LagrangianModel { shape, features, masses, units, tolerance, potential: None });
    let training = Training::new(device, &model, &settings).unwrap();
    training.upload_parameters(&parameters.repeat(models)).unwrap();
    training
}

/// What `steps` steps in one submission add.
fn of_steps(device: &Device, training: &mut Training, first: u64, steps: usize) -> Activity {
    let before = device.activity();
    let submitted = training.run(first, &vec![1e-3; steps]).unwrap();
    for model in submitted {
        assert_eq!((model.reports.len(), model.skipped), (steps, 0));
    }
    let after = device.activity();
    Activity {
        buffers: after.buffers - before.buffers,
        uploads: after.uploads - before.uploads,
        downloads: after.downloads - before.downloads,
        submissions: after.submissions - before.submissions,
    }
}

#[test]
fn nothing_is_made_or_moved_between_the_steps_of_a_submission() {
    let adam = AdamSettings { beta1: 0.9, beta2: 0.99, epsilon: 1e-8 };
    let soap = SoapSettings { averages: AdamSettings { beta1: 0.95, beta2: 0.95, epsilon: 1e-8 }, shampoo_beta: 0.95 };
    for (models, width, optimiser) in [
        (1, 8, OptimiserSettings::Adam(adam)),
        (3, 8, OptimiserSettings::Soap { settings: soap, refresh_every: 5 }),
        (1, 72, OptimiserSettings::Adam(adam)),
    ] {
        // Of its own, so that no other test is counted.
        let device = Device::open(&DeviceOptions::checked()).unwrap();
        let mut training = training(&device, models, width, optimiser);
        // The largest submission there is: SOAP's bases, and the room for downloads.
        of_steps(&device, &mut training, 0, STEPS);
        let one = of_steps(&device, &mut training, STEPS as u64, 1);
        assert_eq!((one.buffers, one.submissions), (0, 1), "{width} {optimiser:?}");
        let many = of_steps(&device, &mut training, STEPS as u64 + 1, STEPS);
        // Two command buffers of 32 steps; the same uploads and downloads as of a single step.
        assert_eq!(many, Activity { submissions: many.submissions, ..one }, "{width} {optimiser:?}");
        assert!(many.submissions <= 3, "{many:?}");
        for round in 2..10 {
            assert_eq!(of_steps(&device, &mut training, round * STEPS as u64, STEPS), many, "{width} {optimiser:?}");
        }
    }
}

#[test]
fn constants_in_either_memory_give_the_same_bits() {
    let adam = OptimiserSettings::Adam(AdamSettings { beta1: 0.9, beta2: 0.99, epsilon: 1e-8 });
    for width in [8, 72] {
        let [uniform, storage] = [ConstantMemory::Uniform, ConstantMemory::Storage].map(|constants| {
            let options = DeviceOptions { constants: Some(constants), ..DeviceOptions::checked() };
            let mut training = training(&Device::open(&options).unwrap(), 1, width, adam);
            training.run(0, &[1e-2; 5]).unwrap();
            training.download_parameters().unwrap()
        });
        assert_eq!(uniform, storage);
        assert!(uniform.iter().any(|&parameter| parameter != 0.0));
    }
}
