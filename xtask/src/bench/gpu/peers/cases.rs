//! What is compared on a card, and at which precision of JAX's products.

use std::fmt;

use serde_json::Value;

use crate::bench::gpu::result::{number, text};
use crate::bench::peers::{Case, Work};
use crate::error::TaskError;

/// How JAX multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    /// In single precision.
    Highest,
    /// As the card likes best: on one of NVIDIA's with factors rounded to ten binary places, TF32.
    Default,
}

impl Precision {
    pub(crate) const ALL: [Self; 2] = [Self::Highest, Self::Default];

    /// As `jax_default_matmul_precision` has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Highest => "highest",
            Self::Default => "default",
        }
    }

    /// The distance of numbers near 1 that a product's factors are rounded to, on a card.
    pub(crate) fn spacing(self) -> f64 {
        match self {
            Self::Highest => f64::from(f32::EPSILON),
            Self::Default => 2.0_f64.powi(-10),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Highest => "f32 'highest'",
            Self::Default => "TF32 default",
        })
    }
}

/// A case by both sides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PeerCase {
    pub(crate) name: String,
    /// Whether both make training steps.
    pub(crate) trains: bool,
    pub(crate) precision: Precision,
    /// Seconds of a step.
    pub(crate) jax: f64,
    pub(crate) ours: f64,
}

impl PeerCase {
    /// How many times our time goes into JAX's.
    pub(crate) fn ratio(&self) -> f64 {
        self.jax / self.ours
    }

    /// As a report has it.
    pub(crate) fn read(value: &Value) -> Result<Self, TaskError> {
        let precision = text(value, "precision")?;
        let precision = Precision::ALL.into_iter().find(|own| own.name() == precision);
        let precision = precision.ok_or_else(|| TaskError::Format {
            origin: "the comparison with JAX".into(),
            expected: "`precision` to be `highest` or `default`".into(),
        })?;
        Ok(Self {
            name: text(value, "name")?,
            trains: text(value, "work")? == Step.name(),
            precision,
            jax: number(value, "jax")?,
            ours: number(value, "ours")?,
        })
    }
}

use Work::{Rollout, Step};

#[rustfmt::skip]
const CASES: [Case; 6] = [
    Case { name: "training step 4×500, batch 4096",
           work: Step,    hidden: 500, layers: 4, size: 4096,   repeat: 6 },
    Case { name: "training step 3×600, batch 512",
           work: Step,    hidden: 600, layers: 3, size: 512,    repeat: 8 },
    Case { name: "training step 3×64, batch 512",
           work: Step,    hidden: 64,  layers: 3, size: 512,    repeat: 8 },
    Case { name: "RK4 step 3×64, 1024 states",
           work: Rollout, hidden: 64,  layers: 3, size: 1024,   repeat: 8 },
    Case { name: "RK4 step 3×64, 65536 states",
           work: Rollout, hidden: 64,  layers: 3, size: 65_536, repeat: 3 },
    Case { name: "RK4 step 4×500, 1024 states",
           work: Rollout, hidden: 500, layers: 4, size: 1024,   repeat: 4 },
];

/// For a processor, to see that all runs.
#[rustfmt::skip]
const QUICK: [Case; 2] = [
    Case { name: "training step 2×16, batch 40",
           work: Step,    hidden: 16, layers: 2, size: 40, repeat: 2 },
    Case { name: "RK4 step 2×16, 40 states",
           work: Rollout, hidden: 16, layers: 2, size: 40, repeat: 2 },
];

/// Those with all of these words in their names; all for no word.
pub(crate) fn matching(quick: bool, words: &[String]) -> Vec<&'static Case> {
    let all = if quick { &QUICK[..] } else { &CASES };
    all.iter().filter(|case| case.is_named(words)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_narrow_the_cases_down_and_may_leave_none() {
        let names = |words: &str| -> Vec<&str> {
            let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
            matching(false, &words).iter().map(|case| case.name).collect()
        };
        assert_eq!(names("").len(), CASES.len());
        assert_eq!(names("rk4 3x64"), ["RK4 step 3×64, 1024 states", "RK4 step 3×64, 65536 states"]);
        assert_eq!(names("4X500 4096"), ["training step 4×500, batch 4096"]);
        assert!(names("lattice").is_empty());
    }

    #[test]
    fn a_name_says_the_work_and_its_size() {
        for case in CASES.iter().chain(&QUICK) {
            let Case { hidden, layers, size, .. } = *case;
            let name = match case.work {
                Step => format!("training step {layers}×{hidden}, batch {size}"),
                _ => format!("RK4 step {layers}×{hidden}, {size} states"),
            };
            assert_eq!(case.name, name);
        }
    }
}
