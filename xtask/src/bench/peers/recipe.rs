//! What both sides do beside the size of the work, and how far their results may lie apart.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::cases::{Case, Work};
use crate::error::TaskError;

/// The spacing of single precision at 1.
const EPSILON: f64 = f32::EPSILON as f64;

/// The recipe that both programs read.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    path: PathBuf,
    /// Its content, for the record.
    pub(crate) value: Value,
    /// Runge–Kutta steps in a timing, and the length of one.
    steps: f64,
    time_step: f64,
}

impl Recipe {
    /// Reads the file.
    pub(crate) fn read(path: PathBuf) -> Result<Self, TaskError> {
        let text = fs::read_to_string(&path).map_err(|source| TaskError::Read { path: path.clone(), source })?;
        let unexpected = |expected| TaskError::Format { origin: path.display().to_string(), expected };
        let value: Value = serde_json::from_str(&text).map_err(|error| unexpected(format!("JSON ({error})")))?;
        let number = |name: &str| value[name].as_f64().ok_or_else(|| unexpected(format!("a number `{name}`")));
        let (steps, time_step) = (number("steps_a_timing")?, number("time_step")?);
        Ok(Self { path, value, steps, time_step })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Largest relative difference of two programs' results, both right but rounded in single precision.
    ///
    /// Rounding errors have either sign, so that those of K operations of one size grow as √K. An acceleration goes
    /// through three passes of the network (value, tangents, reverse), each of layers + 1 products; a product sums as
    /// many terms n as a layer is wide, √n ε, and the elementwise work behind it adds at most 8 ε. The gradient of the
    /// loss takes three passes more, so that these are counted for the loss too; two programs differ by both their
    /// errors. So
    ///
    /// ```text
    /// step      √(2 · 6 · (layers + 1)) · (√n + 8) · ε
    /// rollout   √steps · ε  +  steps · dt · √(2 · 3 · (layers + 1)) · (√n + 8) · ε
    /// lattice   √(2 · 3 · (layers + 1)) · (√n + 8) · ε
    /// ```
    ///
    /// where a step of a rollout rounds each number once, and carries the accelerations' error over time: they are at
    /// most of the size of the states, in these units. The lattice's mass matrix is the residual mass and little more,
    /// of condition number 1.3 at most, so that the solve adds nothing of note. Means and norms over a batch lie far below this bound, and a
    /// constant of the recipe that is off by a hundredth lies above it.
    fn tolerance(&self, case: &Case, spacing: f64) -> f64 {
        let product = ((case.hidden as f64).sqrt() + 8.0) * spacing;
        let passes = |count: usize| ((2 * count * (case.layers + 1)) as f64).sqrt() * product;
        match case.work {
            Work::Step => passes(6),
            Work::Rollout => self.steps.sqrt() * EPSILON + self.steps * self.time_step * passes(3),
            Work::Lattice => passes(3),
        }
    }

    /// Refuses two programs' results that differ by more than rounding; else how much of the tolerance they use.
    ///
    /// A step's results are its loss and its gradient's norm, each compared by its own size; a rollout's are numbers
    /// of states and a lattice's are accelerations, compared by the largest.
    pub(crate) fn compare(&self, case: &Case, theirs: &[f64], ours: &[f64]) -> Result<f64, TaskError> {
        self.compare_rounded(case, theirs, ours, EPSILON)
    }

    /// As [`compare`](Self::compare), where numbers near 1 are rounded to multiples of `spacing`.
    pub(crate) fn compare_rounded(
        &self,
        case: &Case,
        theirs: &[f64],
        ours: &[f64],
        spacing: f64,
    ) -> Result<f64, TaskError> {
        let largest = theirs.iter().fold(0.0_f64, |largest, number| largest.max(number.abs()));
        let tolerance = self.tolerance(case, spacing);
        let used = |(theirs, ours): (&f64, &f64)| {
            let size = match case.work {
                Work::Step => theirs.abs(),
                Work::Rollout | Work::Lattice => largest,
            };
            (theirs - ours).abs() / (tolerance * size)
        };
        // A NaN must not pass for the smaller number.
        let most = theirs
            .iter()
            .zip(ours)
            .map(used)
            .fold(0.0, |most, used| if used > most || used.is_nan() { used } else { most });
        if theirs.len() == ours.len() && !theirs.is_empty() && most <= 1.0 {
            return Ok(most);
        }
        Err(TaskError::Format {
            origin: case.name.to_owned(),
            expected: format!(
                "the same results from both programs up to a relative difference of {tolerance:.1e}, but JAX's are \
                 {theirs:?} and ours {ours:?}: the two do not do the same work, and their times mean nothing"
            ),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::cases::{TARGETS, Target};
    use super::*;
    use crate::cargo;

    pub(crate) fn recipe() -> Recipe {
        Recipe::read(cargo::root().join("benches/peers/recipe.json")).expect("in the repository")
    }

    #[test]
    fn results_that_differ_by_rounding_pass_and_perturbed_ones_are_refused() {
        let recipe = recipe();
        for Target { case, .. } in &TARGETS {
            let theirs = [40.0, 0.5, -7.0];
            let tolerance = recipe.tolerance(case, EPSILON);
            // Above single roundings, below what a wrong constant of the recipe makes.
            assert!((8.0 * EPSILON..1e-4).contains(&tolerance), "{}: {tolerance}", case.name);
            let moved = |part: f64| theirs.map(|number| number * (1.0 + part * tolerance));
            let used = recipe.compare(case, &theirs, &moved(0.9)).expect("rounding");
            assert!((used - 0.9).abs() < 1e-6, "{used}");
            for index in 0..theirs.len() {
                let mut ours = theirs;
                ours[index] += 1.1 * tolerance * 40.0;
                let message = recipe.compare(case, &theirs, &ours).expect_err("perturbed").to_string();
                assert!(message.contains(case.name) && message.contains("same work"), "{message}");
                ours[index] = f64::NAN;
                assert!(recipe.compare(case, &theirs, &ours).is_err(), "NaN at {index}");
                assert!(recipe.compare(case, &ours, &theirs).is_err(), "NaN at {index}");
            }
            assert!(recipe.compare(case, &theirs, &theirs[..2]).is_err() && recipe.compare(case, &[], &[]).is_err());
        }
    }

    #[test]
    fn a_small_result_of_a_step_is_not_hidden_by_a_large_one() {
        let (recipe, case) = (recipe(), &TARGETS[0].case);
        assert!(recipe.compare(case, &[40.0, 0.5], &[40.0, 0.501]).is_err());
    }
}
