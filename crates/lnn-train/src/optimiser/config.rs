//! The optimiser as it stands in a configuration file.

use lnn_autodiff::Real;
use serde::{Deserialize, Serialize};

use super::{
    Adam, AdamSettings, Optimiser, OptimiserError, ParameterBlock, SettingProblem, Soap, SoapSettings, parameter_count,
};

/// Choice and settings of the optimiser; every field may be left out.
///
/// In RON: `Adam(beta1: 0.9)`, `Soap()`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum OptimiserConfig {
    /// [`Adam`].
    Adam {
        /// See [`AdamSettings::beta1`].
        #[serde(default = "adam_beta1")]
        beta1: f64,
        /// See [`AdamSettings::beta2`].
        #[serde(default = "adam_beta2")]
        beta2: f64,
        /// See [`AdamSettings::epsilon`].
        #[serde(default = "adam_epsilon")]
        epsilon: f64,
        /// See [`AdamSettings::weight_decay`].
        #[serde(default)]
        weight_decay: f64,
    },
    /// [`Soap`].
    Soap {
        /// See [`SoapSettings::beta1`].
        #[serde(default = "soap_beta1")]
        beta1: f64,
        /// See [`SoapSettings::beta2`].
        #[serde(default = "soap_beta2")]
        beta2: f64,
        /// See [`SoapSettings::shampoo_beta`].
        #[serde(default = "soap_shampoo_beta")]
        shampoo_beta: f64,
        /// See [`SoapSettings::refresh_every`].
        #[serde(default = "soap_refresh_every")]
        refresh_every: u64,
        /// See [`SoapSettings::epsilon`].
        #[serde(default = "soap_epsilon")]
        epsilon: f64,
        /// See [`SoapSettings::weight_decay`].
        #[serde(default)]
        weight_decay: f64,
    },
}

fn adam_beta1() -> f64 {
    AdamSettings::default().beta1
}
fn adam_beta2() -> f64 {
    AdamSettings::default().beta2
}
fn adam_epsilon() -> f64 {
    AdamSettings::default().epsilon
}
fn soap_beta1() -> f64 {
    SoapSettings::default().beta1
}
fn soap_beta2() -> f64 {
    SoapSettings::default().beta2
}
fn soap_shampoo_beta() -> f64 {
    SoapSettings::default().shampoo_beta
}
fn soap_refresh_every() -> u64 {
    SoapSettings::default().refresh_every
}
fn soap_epsilon() -> f64 {
    SoapSettings::default().epsilon
}

impl From<AdamSettings> for OptimiserConfig {
    fn from(settings: AdamSettings) -> Self {
        let AdamSettings { beta1, beta2, epsilon, weight_decay } = settings;
        Self::Adam { beta1, beta2, epsilon, weight_decay }
    }
}

impl From<SoapSettings> for OptimiserConfig {
    fn from(settings: SoapSettings) -> Self {
        let SoapSettings { beta1, beta2, shampoo_beta, refresh_every, epsilon, weight_decay } = settings;
        Self::Soap { beta1, beta2, shampoo_beta, refresh_every, epsilon, weight_decay }
    }
}

impl Default for OptimiserConfig {
    /// SOAP with its default settings.
    fn default() -> Self {
        SoapSettings::default().into()
    }
}

/// The settings of the optimiser chosen.
enum Settings {
    Adam(AdamSettings),
    Soap(SoapSettings),
}

impl OptimiserConfig {
    fn settings(&self) -> Settings {
        match *self {
            Self::Adam { beta1, beta2, epsilon, weight_decay } => {
                Settings::Adam(AdamSettings { beta1, beta2, epsilon, weight_decay })
            }
            Self::Soap { beta1, beta2, shampoo_beta, refresh_every, epsilon, weight_decay } => {
                Settings::Soap(SoapSettings { beta1, beta2, shampoo_beta, refresh_every, epsilon, weight_decay })
            }
        }
    }

    /// Every setting out of range.
    #[must_use]
    pub fn validate(&self) -> Vec<SettingProblem> {
        match self.settings() {
            Settings::Adam(settings) => settings.validate(),
            Settings::Soap(settings) => settings.validate(),
        }
    }

    /// An optimiser with fresh state for a model with the given layout.
    ///
    /// # Errors
    /// [`OptimiserError::Settings`], [`OptimiserError::Layout`] or [`OptimiserError::EmptyBlock`].
    pub fn build<T: Real>(&self, blocks: &[ParameterBlock]) -> Result<Box<dyn Optimiser<T>>, OptimiserError> {
        Ok(match self.settings() {
            Settings::Adam(settings) => Box::new(Adam::new(settings, parameter_count(blocks)?)?),
            Settings::Soap(settings) => Box::new(Soap::new(settings, blocks)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_left_out_take_the_optimiser_s_defaults() {
        assert_eq!(ron::from_str::<OptimiserConfig>("Soap()").unwrap(), SoapSettings::default().into());
        let expected = AdamSettings { beta2: 0.99, ..AdamSettings::default() };
        assert_eq!(ron::from_str::<OptimiserConfig>("Adam(beta2: 0.99)").unwrap(), expected.into());
    }

    #[test]
    fn an_unknown_field_or_optimiser_is_refused_by_name() {
        let error = ron::from_str::<OptimiserConfig>("Soap(shampo_beta: 0.9)").unwrap_err();
        assert!(error.to_string().contains("shampo_beta"), "{error}");
        let error = ron::from_str::<OptimiserConfig>("Lion()").unwrap_err();
        assert!(error.to_string().contains("Lion"), "{error}");
    }

    #[test]
    fn text_round_trip_is_exact() {
        for config in [AdamSettings::default().into(), OptimiserConfig::default()] {
            let text = ron::to_string(&config).unwrap();
            assert_eq!(ron::from_str::<OptimiserConfig>(&text).unwrap(), config);
        }
    }

    #[test]
    fn build_refuses_bad_settings() {
        let config = ron::from_str::<OptimiserConfig>("Soap(refresh_every: 0)").unwrap();
        let error = config.build::<f32>(&[]).err().unwrap();
        assert!(error.to_string().contains("refresh_every is 0"), "{error}");
    }
}
