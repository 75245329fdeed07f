//! Model, data and recipe as a graphics card has them.

use lnn_autodiff::pseudoinverse::Tolerance;
use lnn_gpu::loss::Loss as DeviceLoss;
use lnn_gpu::optimiser::{AdamSettings, SoapSettings};
use lnn_gpu::sampling::Distribution as DeviceDistribution;
use lnn_gpu::step::Clipping;
use lnn_gpu::target::DoublePendulum;
use lnn_gpu::training::{
    LagrangianModel, Model as DeviceModel, OptimiserSettings, PlainModel, PotentialModel, Source, TrueSystem,
};
use lnn_physics::sampling::Distribution;

use crate::config::SystemConfig;
use crate::experiment::Purpose;
use crate::fit::FreshStates;
use crate::loss::{Loss, LossWeight};
use crate::model::{Model, PlainOutput};
use crate::optimiser::{ClippingConfig, OptimiserConfig};

/// Whether several networks of this model are trained side by side in the same launches: Lagrangian networks up to 64 wide
/// without a second one for the potential.
pub fn trained_side_by_side(model: &Model) -> bool {
    device_model(model).is_some_and(|model| model.side_by_side())
}

/// The model as the device has it, or nothing for one that has no kernels.
pub(super) fn device_model(model: &Model) -> Option<DeviceModel> {
    let (shape, features) = (model.shape().clone(), model.features().clone());
    match model {
        Model::Lagrangian(model) => {
            let d = features.degrees_of_freedom();
            Some(DeviceModel::Lagrangian(LagrangianModel {
                masses: model.residual_masses(),
                units: model.velocity_units().map(<[f64]>::to_vec),
                tolerance: model.tolerance().unwrap_or_else(|| Tolerance::for_dimension::<f32>(d)),
                potential: model.potential().map(|potential| PotentialModel {
                    shape: potential.shape().clone(),
                    features: potential.features().clone(),
                    scale: potential.scale(),
                }),
                shape,
                features,
            }))
        }
        Model::Plain(model) if model.output() == PlainOutput::Acceleration => {
            Some(DeviceModel::Plain(PlainModel { output_scale: model.scales()[1], shape, features }))
        }
        _ => None,
    }
}

/// The draws of the device, if it has the system and every sample of every step is drawn alike and counts the same.
pub(super) fn drawn_on_device(states: &FreshStates, system: &SystemConfig, seeds: &[u64]) -> Option<Source> {
    let FreshStates { ranges, tail, curriculum, weight, .. } = states;
    if tail.is_some() || curriculum.is_some() || *weight != LossWeight::Uniform {
        return None;
    }
    let parameter = |name: &str| system.parameters.get(name).copied();
    let system = match system.name.as_str() {
        "dblpend" => TrueSystem::DoublePendulum(DoublePendulum {
            masses: [parameter("m1")?, parameter("m2")?],
            lengths: [parameter("l1")?, parameter("l2")?],
            gravity: parameter("g")?,
        }),
        _ => return None,
    };
    let distributions = ranges.iter().map(device_distribution).collect();
    Some(Source::Drawn { seeds: seeds.to_vec(), domain: Purpose::Training as u64, distributions, system })
}

fn device_distribution(distribution: &Distribution) -> DeviceDistribution {
    match distribution {
        Distribution::Uniform(interval) => DeviceDistribution::Uniform { low: interval.low(), high: interval.high() },
        Distribution::Normal(normal) => {
            DeviceDistribution::Normal { mean: normal.mean(), deviation: normal.deviation() }
        }
        Distribution::BoundedNormal(bounded) => {
            DeviceDistribution::BoundedNormal { bound: bounded.bound(), spread: bounded.spread() }
        }
    }
}

pub(super) fn device_loss(loss: Loss) -> DeviceLoss {
    match loss {
        Loss::L1 => DeviceLoss::L1,
        Loss::L2 => DeviceLoss::L2,
        Loss::Huber { delta } => DeviceLoss::Huber { delta },
        Loss::RelativePseudoHuber { scale } => DeviceLoss::RelativePseudoHuber { scale },
    }
}

pub(super) fn device_clipping(clipping: ClippingConfig) -> Clipping {
    match clipping {
        ClippingConfig::Off => Clipping::Off,
        ClippingConfig::RunningNorm { factor, averaging } => Clipping::RunningNorm { limit: factor, averaging },
        ClippingConfig::Redescending { factor, averaging } => Clipping::Redescending { limit: factor, averaging },
    }
}

/// The optimiser and its weight decay.
pub(super) fn device_optimiser(optimiser: OptimiserConfig) -> (OptimiserSettings, f64) {
    match optimiser {
        OptimiserConfig::Adam { beta1, beta2, epsilon, weight_decay } => {
            (OptimiserSettings::Adam(AdamSettings { beta1, beta2, epsilon }), weight_decay)
        }
        OptimiserConfig::Soap { beta1, beta2, shampoo_beta, refresh_every, epsilon, weight_decay } => {
            let settings = SoapSettings { averages: AdamSettings { beta1, beta2, epsilon }, shampoo_beta };
            (OptimiserSettings::Soap { settings, refresh_every }, weight_decay)
        }
    }
}
