//! Motions of a learned double pendulum, many side by side, wholly on the card.

use std::error::Error;
use std::time::Instant;

use lnn::train::backend::Card;
use lnn_gpu::rollout::LearnedMotion;
use lnn_gpu::tuning::ShapeClass;
use serde_json::{Value, json};

use crate::recipe::uniform;
use crate::step::{COORDINATES, MOST_STEPS, engine, initial, lagrangian};
use crate::timing::rounds;
use crate::work::Sizes;

/// Accelerations in a step of the classical method.
const EVALUATIONS: f64 = 4.0;
/// So short that no state leaves the training range during a measurement.
const STEP_LENGTH: f64 = 1e-6;
/// Steps of the first two timings, which tell how long a step takes.
const FIRST_STEPS: usize = 10;

/// A network and states that it moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rollout {
    width: usize,
    layers: usize,
    states: usize,
}

/// Those of the document.
const CASES: [Rollout; 3] = [
    Rollout { width: 64, layers: 3, states: 1024 },
    Rollout { width: 64, layers: 3, states: 65_536 },
    Rollout { width: 500, layers: 4, states: 1024 },
];

/// Those that a processor runs in a moment: one a kind of kernels.
const QUICK: [Rollout; 2] =
    [Rollout { width: 12, layers: 2, states: 40 }, Rollout { width: 72, layers: 2, states: 40 }];

impl Rollout {
    /// As tables have it.
    pub(crate) fn name(&self) -> String {
        format!("RK4 step {}×{}, {} states", self.layers, self.width, self.states)
    }
}

/// All cases.
pub(crate) fn all(quick: bool) -> &'static [Rollout] {
    if quick { &QUICK } else { &CASES }
}

/// Seconds of a step of all states, and the rate of its layer products.
pub(crate) fn measure(card: &Card, case: &Rollout, times: usize, quick: bool) -> Result<Value, Box<dyn Error>> {
    let mut motions = Motions::new(card, case)?;
    let count = if quick { FIRST_STEPS } else { motions.steps_of_a_timing()? };
    let seconds = rounds(times, || motions.seconds(count))?;
    let operations = motions.operations;
    Ok(json!({
        "name": case.name(),
        "width": case.width,
        "layers": case.layers,
        "states": case.states,
        "coordinates": COORDINATES,
        "engine": motions.engine,
        "tuned_on": motions.tuned_on,
        "operations": operations,
        "steps_a_timing": count,
        "seconds": seconds,
        "state_steps_a_second": case.states as f64 / seconds,
        "rate": operations / seconds,
    }))
}

/// The motions of a case, which go on from timing to timing.
struct Motions {
    motion: LearnedMotion,
    /// Where they have come to, `[states, 2d]`.
    states: Vec<f32>,
    engine: &'static str,
    /// Day of the tuning of its tiles, if there was one.
    tuned_on: Option<String>,
    /// Of the layer products of a step.
    operations: f64,
}

impl Motions {
    fn new(card: &Card, case: &Rollout) -> Result<Self, Box<dyn Error>> {
        let model = lagrangian(&vec![case.width; case.layers])?;
        let tuned = card.tiles().of(ShapeClass::of(&model.shape, COORDINATES + 1, case.states));
        let tiles = tuned.map(|entry| entry.tiles).unwrap_or_default();
        let mut motion = LearnedMotion::new(card.device(), &model, case.states, 1, &tiles)?;
        motion.upload_parameters(&initial(&model.shape))?;
        motion.set_step(STEP_LENGTH)?;
        let states = first_states(case.states);
        motion.start(&states)?;
        // An acceleration makes what a training step makes before its equation, and no gradient.
        let derivatives = Sizes::new(&model.shape, case.states, COORDINATES, 0).derivatives();
        let operations = EVALUATIONS * derivatives.iter().filter_map(|work| work.operations).sum::<f64>();
        let tuned_on = tuned.map(|entry| entry.date.clone());
        Ok(Self { motion, states, engine: engine(&model.shape), tuned_on, operations })
    }

    /// As many as last about as long as those of a submission of `lnn rollout`.
    fn steps_of_a_timing(&mut self) -> Result<usize, Box<dyn Error>> {
        /// Seconds that it is meant to take.
        const SECONDS: f64 = 0.1;
        let seconds = self.seconds(FIRST_STEPS)?.min(self.seconds(FIRST_STEPS)?);
        Ok(((SECONDS / seconds) as usize).clamp(2 * FIRST_STEPS, MOST_STEPS))
    }

    /// Seconds of a step, of so many without a wait among them, from the first command to the last states in the host's
    /// hands.
    fn seconds(&mut self, count: usize) -> Result<f64, Box<dyn Error>> {
        let start = Instant::now();
        self.motion.run(count, count)?;
        self.motion.download_frames(&mut self.states)?;
        let seconds = start.elapsed().as_secs_f64();
        if let Some(place) = self.states.iter().position(|number| !number.is_finite()) {
            let (row, steps) = (place / self.motion.state(), self.motion.steps());
            return Err(format!("motion {row} ended within {steps} steps: times of such motions mean nothing").into());
        }
        Ok(seconds / count as f64)
    }
}

/// Angles over a turn, and rates within ±10.
fn first_states(count: usize) -> Vec<f32> {
    let component = |place: usize| {
        let is_angle = place % (2 * COORDINATES) < COORDINATES;
        let [low, high] = if is_angle { [0.0, std::f64::consts::TAU] } else { [-10.0, 10.0] };
        (low + (high - low) * uniform(place)) as f32
    };
    (0..count * 2 * COORDINATES).map(component).collect()
}
