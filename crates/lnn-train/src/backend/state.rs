//! A device's state as the processor's tensors, and back.

use std::borrow::Cow;

use lnn_gpu::optimiser::{BlockState, FactorState};
use lnn_gpu::step::StepState;
use lnn_gpu::training::OptimiserState;

use crate::optimiser::{NamedState, Optimiser, RunningNormClip, StateTensor};

/// The optimiser's tensors, under the names and in the order of `own`, the processor's optimiser.
pub(super) fn optimiser_tensors(
    own: &dyn Optimiser<f32>,
    state: OptimiserState,
    updates: u32,
) -> NamedState<'static, f32> {
    let (words, values) = match state {
        OptimiserState::Adam { first_moment, second_moment } => {
            (vec![u64::from(updates)], vec![first_moment, second_moment])
        }
        OptimiserState::Soap { prepared, blocks } => {
            (vec![u64::from(updates), u64::from(prepared)], blocks.into_iter().flat_map(block_tensors).collect())
        }
    };
    let mut values = values.into_iter();
    let names = own.state().into_iter();
    let tensor = |(name, tensor): (String, StateTensor<'_, f32>)| match tensor {
        StateTensor::Words(_) => (name, StateTensor::words(words.clone())),
        StateTensor::Values(_) => (name, StateTensor::Values(Cow::Owned(values.next().unwrap_or_default()))),
    };
    names.map(tensor).collect()
}

/// In the order of the processor's optimiser.
fn block_tensors(state: BlockState) -> Vec<Vec<f32>> {
    let BlockState { first_moment, second_moment, left, right } = state;
    let sides = left.into_iter().chain(right);
    [first_moment, second_moment].into_iter().chain(sides.flat_map(|side| [side.factor, side.basis])).collect()
}

/// Updates made and the state for the device, of the processor's optimiser after it has taken over a checkpoint.
pub(super) fn optimiser_state(own: &dyn Optimiser<f32>) -> (u64, OptimiserState) {
    let (mut words, mut values) = (Vec::new(), Vec::new());
    for (name, tensor) in own.state() {
        match tensor {
            StateTensor::Words(given) => words.extend(given.iter().copied()),
            StateTensor::Values(given) => values.push((name, given.into_owned())),
        }
    }
    let state = match words[..] {
        [_, prepared] => OptimiserState::Soap { prepared: prepared == 1, blocks: blocks(values) },
        _ => {
            let mut moments = values.into_iter().map(|(_, moment)| moment);
            let mut next = || moments.next().unwrap_or_default();
            OptimiserState::Adam { first_moment: next(), second_moment: next() }
        }
    };
    (words.first().copied().unwrap_or(0), state)
}

/// The blocks of tensors named `soap.block3.left.factor` and the like, one block after the other.
fn blocks(tensors: Vec<(String, Vec<f32>)>) -> Vec<BlockState> {
    let mut blocks: Vec<BlockState> = Vec::new();
    for (name, values) in tensors {
        if name.ends_with(".first_moment") {
            let second_moment = Vec::new();
            blocks.push(BlockState { first_moment: values, second_moment, left: None, right: None });
            continue;
        }
        let Some(block) = blocks.last_mut() else { continue };
        let side = if name.contains(".left.") { &mut block.left } else { &mut block.right };
        if name.ends_with(".second_moment") {
            block.second_moment = values;
        } else if name.ends_with(".factor") {
            *side = Some(FactorState { factor: values, basis: Vec::new() });
        } else if let Some(side) = side {
            side.basis = values;
        }
    }
    blocks
}

/// The clipping's tensors.
pub(super) fn clip_tensors(own: &RunningNormClip, state: &StepState) -> NamedState<'static, f32> {
    let StepState { weighted_sum, counted, clipped, skipped, .. } = *state;
    let mut words = vec![f64::from(weighted_sum).to_bits()];
    words.extend([counted, clipped, skipped].map(u64::from));
    own.state::<f32>().into_iter().map(|(name, _)| (name, StateTensor::words(words.clone()))).collect()
}

/// The state for the device of a training with so many steps and updates, whose clipping has taken over a checkpoint.
pub(super) fn step_state(clip: &RunningNormClip, steps: u64, updates: u64) -> StepState {
    let words: Vec<u64> = clip
        .state::<f32>()
        .into_iter()
        .flat_map(|(_, tensor)| match tensor {
            StateTensor::Words(words) => words.into_owned(),
            StateTensor::Values(_) => Vec::new(),
        })
        .collect();
    let word = |index: usize| words.get(index).copied().unwrap_or(0);
    StepState {
        steps: steps as u32,
        updates: updates as u32,
        weighted_sum: f64::from_bits(word(0)) as f32,
        counted: word(1) as u32,
        clipped: word(2) as u32,
        skipped: word(3) as u32,
        ..StepState::default()
    }
}
