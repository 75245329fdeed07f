//! How an activation is written in files; `lnn-autodiff`, which owns the type, knows no file format.

use lnn_autodiff::Activation;
use serde::{Deserialize, Serialize};

/// Serde's description of [`Activation`]: the lower-case names `softplus`, `tanh`, …, as bare
/// identifiers. The compiler refuses it if the variants differ.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Activation", rename_all = "lowercase")]
pub(crate) enum ActivationText {
    Softplus,
    Tanh,
    Sigmoid,
    Gelu,
    Silu,
    Relu2,
    Relu3,
    Relu,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holder(#[serde(with = "ActivationText")] Activation);

    #[test]
    fn written_under_its_own_name() {
        for activation in Activation::ALL {
            let text = ron::to_string(&Holder(activation)).expect("plain enum");
            assert_eq!(text, format!("({})", activation.name()));
            assert_eq!(ron::from_str::<Holder>(&text), Ok(Holder(activation)));
        }
    }
}
