//! Part of the way from frame to frame: what one submission does, and what it has made of each motion.

use lnn_gpu::rollout::{EndCause as DeviceCause, MotionEnd};
use lnn_physics::integrators::{IntegrationError, equal_steps};

use crate::motion::{EndCause, Ending, Motion, MotionError, Singularity};

/// Where in a step its accelerations are evaluated, in steps.
const STAGES: [f64; 4] = [0.0, 0.5, 0.5, 1.0];

/// Frames and steps of one submission.
pub(super) struct Stretch<'a> {
    /// Times of all frames.
    times: &'a [f64],
    /// The last frame before it.
    frame: usize,
    /// Steps that were made since that frame.
    pub(super) done: u64,
    /// Its own steps.
    pub(super) steps: u64,
    /// Frames that it reaches.
    pub(super) frames: usize,
    /// Steps between two frames.
    count: u64,
    /// Their length.
    pub(super) dt: f64,
}

impl<'a> Stretch<'a> {
    /// What follows `frame`, `done` steps behind it: at most `room` frames and `most` steps, or a part of the way to the next
    /// frame. `made` steps were made before.
    pub(super) fn next(
        dt: f64,
        times: &'a [f64],
        [frame, room]: [usize; 2],
        [done, most]: [u64; 2],
        made: u64,
    ) -> Result<Self, MotionError> {
        let steps_from = |frame: usize| equal_steps(times[frame], times[frame + 1], dt);
        let underflow = || IntegrationError::StepUnderflow { time: times[frame], step: made, dt };
        let (count, dt) = steps_from(frame).ok_or_else(|| MotionError::Integration(underflow()))?;
        let left = count - done;
        if done > 0 || most < count {
            let steps = left.min(most);
            return Ok(Self { times, frame, done, steps, frames: usize::from(steps == left), count, dt });
        }
        // Times are off by an ulp of theirs; single precision does not see it.
        let alike = |&next: &usize| {
            let same = |(other, length): (u64, f64)| {
                other == count && (length - dt).abs() <= 0.01 * f64::from(f32::EPSILON) * dt
            };
            next + 1 < times.len() && steps_from(next).is_some_and(same)
        };
        let fitting = room.min((most / count) as usize);
        let frames = (frame..frame + fitting).take_while(alike).count().max(1);
        Ok(Self { times, frame, done, steps: frames as u64 * count, frames, count, dt })
    }

    /// Of its own steps, after how many a frame is kept.
    pub(super) fn frame_every(&self) -> usize {
        // The rest of the way to a frame, or of which there is not so much, a whole one.
        (if self.frames > 1 { self.count } else { self.steps + u64::from(self.frames == 0) }) as usize
    }

    /// Adds to a motion the frames that it has reached, `states` `[frames]` of `[2d]`, and ends it where it was lost; `end` says
    /// where, if the card has found it, and `singular` is asked for what there is to say of a singular mass matrix.
    ///
    /// `first` steps were made up to the frame before.
    pub(super) fn extend<'s>(
        &self,
        motion: &mut Motion,
        states: impl Iterator<Item = &'s [f32]>,
        end: Option<&MotionEnd>,
        first: u64,
        singular: impl FnOnce(f64, &MotionEnd) -> Singularity,
    ) {
        let lost_step = end.map(|end| self.lost_step(end, first));
        let mut good = 0;
        for state in states {
            let reached = (good as u64 + 1) * self.count;
            if lost_step.is_some_and(|lost| lost < reached) || state.iter().any(|x| !x.is_finite()) {
                break;
            }
            motion.states.extend(widened(state));
            good += 1;
        }
        if good == self.frames && end.is_none() {
            return;
        }
        // What was lost in the last step has not been looked at since.
        let begin = self.time(lost_step.unwrap_or((good as u64 + 1) * self.count - 1));
        let cause = match end {
            None | Some(MotionEnd { cause: DeviceCause::State, .. }) => EndCause::NonFinite { time: begin },
            Some(end) => EndCause::SingularMassMatrix(Box::new(singular(begin + STAGES[end.stage] * self.dt, end))),
        };
        motion.ending = Some(Ending { time: self.times[self.frame + good], cause });
    }

    /// The step that has lost a motion, counted from the frame before; that frame is behind `first` steps since the start.
    fn lost_step(&self, end: &MotionEnd, first: u64) -> u64 {
        // A state that is lost where a step begins is the work of the one before.
        let before = end.cause == DeviceCause::State && end.stage == 0;
        end.step - u64::from(before) - first
    }

    /// The time at which a step begins, counted from the frame before.
    fn time(&self, step: u64) -> f64 {
        self.times[self.frame + (step / self.count) as usize] + (step % self.count) as f64 * self.dt
    }

    /// Where the next one begins: its frame, and the steps behind it.
    pub(super) fn after(&self) -> (usize, u64) {
        (self.frame + self.frames, if self.frames == 0 { self.done + self.steps } else { 0 })
    }
}

/// A state in double precision.
pub(super) fn widened(state: &[f32]) -> impl Iterator<Item = f64> + '_ {
    state.iter().map(|&x| f64::from(x))
}
