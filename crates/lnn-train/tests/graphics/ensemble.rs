//! Several seeds in the same launches: each is the training of its seed, whatever becomes of the others.

use std::sync::Arc;

use lnn_train::backend::DeviceTraining;
use lnn_train::config::{ExperimentConfig, Interval, ModelKind, SamplingTail, preset, presets};
use lnn_train::experiment::build_system;
use lnn_train::fit::{Advanced, Trainer, TrainingState};
use lnn_train::optimiser::{NamedState, StateTensor};

use crate::trainings::{
    BY_ADAM, BY_SOAP, adam, config, device, first_apart, lagrangian, losses, on_card, on_processor, soap,
};

fn of_seeds(config: &ExperimentConfig, seeds: &[u64]) -> DeviceTraining {
    let system = build_system(&config.system).expect("usable");
    DeviceTraining::of_seeds(device(), config, presets::LNN, Arc::clone(&system), seeds).expect("has kernels")
}

/// What a member's steps did, one at a time: losses and gradient norms, NaN of skipped steps.
#[derive(Clone, Debug, Default, PartialEq)]
struct Course {
    losses: Vec<f64>,
    norms: Vec<f64>,
}

/// The courses of all members up to `to_step`.
fn courses(training: &mut DeviceTraining, to_step: u64) -> Vec<Course> {
    let mut courses = vec![Course::default(); training.members()];
    let mut advanced = vec![Advanced::default(); training.members()];
    while training.step_count() < to_step {
        let next = training.step_count() + 1;
        training.advance(next, &mut advanced).expect("the device works");
        for (course, advanced) in courses.iter_mut().zip(&advanced) {
            course.losses.push(if advanced.loss_count == 1 { advanced.loss_sum } else { f64::NAN });
            course.norms.push(advanced.gradient_norm);
        }
    }
    courses
}

fn bits(training: &mut DeviceTraining, member: usize) -> Vec<u32> {
    training.parameters(member).expect("read").iter().map(|p| p.to_bits()).collect()
}

/// Each member beside a training of its seed alone, whose sums are in the same order while all blocks of samples are of one
/// size: bit for bit.
fn agree(config: &ExperimentConfig, steps: u64) {
    let seeds = [3, 4, 9];
    let mut together = of_seeds(config, &seeds);
    assert_eq!(together.members(), seeds.len());
    let of_members = courses(&mut together, steps);
    for (member, &seed) in seeds.iter().enumerate() {
        let mut alone = on_card(&config.of_seed(seed));
        assert_eq!(of_members[member], courses(&mut alone, steps)[0], "seed {seed}");
        assert_eq!(bits(&mut together, member), bits(&mut alone, 0), "seed {seed}");
        assert_eq!(together.skipped_steps(member), 0);
    }
    assert_ne!(of_members[0], of_members[1], "members differ");
}

#[test]
fn members_are_the_trainings_of_their_seeds() {
    agree(&config(lagrangian(), adam()), 20);
    agree(&config(lagrangian(), soap(7)), 20);
}

/// Enough samples for larger blocks than one training has, and so for sums in another order.
#[test]
fn members_of_large_batches_agree_within_rounding() {
    let mut config = config(lagrangian(), adam());
    let model = config.models.get_mut(presets::LNN).expect("there");
    (model.hidden, model.training.batch) = (vec![8], 400);
    let seeds = [1, 2, 3, 4];
    let of_members = courses(&mut of_seeds(&config, &seeds), 12);
    for (course, seed) in of_members.iter().zip(seeds) {
        let alone = &courses(&mut on_card(&config.of_seed(seed)), 12)[0];
        assert_eq!(first_apart(&course.losses, &alone.losses, BY_ADAM), None, "seed {seed}");
        assert_eq!(first_apart(&course.norms, &alone.norms, BY_ADAM), None, "seed {seed}");
    }
}

/// Whose states are drawn on the processor, each member's by its own seed.
#[test]
fn members_whose_batches_are_uploaded_have_their_own() {
    let mut with_tail = config(lagrangian(), adam());
    with_tail.sampling_tail =
        Some(SamplingTail { share: 0.25, from_step: 5, velocity: Interval { low: -15.0, high: 15.0 } });
    agree(&with_tail, 15);
    let mut weighted = preset("relativistic", "fast").expect("listed");
    let mut model = weighted.models.remove(presets::LNN).expect("in the preset");
    let ModelKind::Lnn { potential_scale, .. } = &mut model.kind else { panic!("a Lagrangian network") };
    *potential_scale = None;
    model.hidden = vec![16, 16];
    let (data, weight) = (model.training.data, model.training.weight);
    model.training = config(lagrangian(), adam()).models[presets::LNN].training.clone();
    (model.training.data, model.training.weight) = (data, weight);
    weighted.models = [(presets::LNN.to_owned(), model)].into();
    agree(&weighted, 15);
}

/// Weights whose accelerations are not finite: every step of that member is skipped, and not a bit of the others changes.
#[test]
fn a_member_that_overflows_leaves_the_others_untouched() {
    for optimiser in [adam(), soap(3)] {
        let config = config(lagrangian(), optimiser);
        let (mut sound, mut broken) = (of_seeds(&config, &[0, 1, 2]), of_seeds(&config, &[0, 1, 2]));
        let states: Vec<_> = (0..3)
            .map(|member| {
                let mut state = on_card(&config.of_seed(member));
                let mut state = state.state(0).expect("read");
                if member == 1 {
                    state.parameters.to_mut().fill(1e30);
                }
                owned(&state)
            })
            .collect();
        broken.restore(0, &states).expect("of this training");
        let (of_sound, of_broken) = (courses(&mut sound, 12), courses(&mut broken, 12));
        assert!(of_broken[1].losses.iter().all(|loss| loss.is_nan()), "{of_broken:?}");
        assert_eq!((broken.skipped_steps(0), broken.skipped_steps(1), broken.skipped_steps(2)), (0, 12, 0));
        for member in [0, 2] {
            assert_eq!(of_sound[member], of_broken[member], "member {member}");
            assert_eq!(bits(&mut sound, member), bits(&mut broken, member), "member {member}");
        }
        assert_ne!(bits(&mut sound, 1), bits(&mut broken, 1));
    }
}

/// A state that outlives the training.
fn owned<'a>(state: &TrainingState<'_, f32>) -> TrainingState<'a, f32> {
    let tensor = |tensor: &StateTensor<'_, f32>| match tensor {
        StateTensor::Words(words) => StateTensor::words(words.to_vec()),
        StateTensor::Values(values) => StateTensor::Values(values.to_vec().into()),
    };
    let named = |tensors: &NamedState<'_, f32>| tensors.iter().map(|(name, of)| (name.clone(), tensor(of))).collect();
    TrainingState {
        parameters: state.parameters.to_vec().into(),
        optimiser: named(&state.optimiser),
        clip: named(&state.clip),
    }
}

/// A set that goes on from its members' checkpoints has the bits of one that was never interrupted, and so has each member
/// on the processor what a training of its seed there has.
#[test]
fn a_set_goes_on_from_the_checkpoints_of_its_members() {
    for (optimiser, tolerance) in [(adam(), BY_ADAM), (soap(4), BY_SOAP)] {
        let config = config(lagrangian(), optimiser);
        let seeds = [5, 6];
        let mut whole = of_seeds(&config, &seeds);
        let expected = courses(&mut whole, 24);
        for stop in [1, 11] {
            let mut first = of_seeds(&config, &seeds);
            courses(&mut first, stop);
            let states: Vec<_> = (0..2).map(|member| owned(&first.state(member).expect("read"))).collect();
            let mut processor = on_processor(&config.of_seed(6));
            processor.restore(stop, &states[1..]).expect("of this training");
            let rest = losses(&mut processor, 24);
            assert_eq!(first_apart(&rest, &expected[1].losses[stop as usize..], tolerance), None, "from {stop}");
            let mut second = of_seeds(&config, &seeds);
            second.restore(stop, &states).expect("of this training");
            let rest = courses(&mut second, 24);
            for member in 0..2 {
                assert_eq!(
                    rest[member].losses,
                    expected[member].losses[stop as usize..],
                    "member {member} from {stop}"
                );
                assert_eq!(bits(&mut whole, member), bits(&mut second, member), "member {member} from {stop}");
            }
        }
    }
}

#[test]
fn what_is_trained_one_at_a_time_is_refused_as_a_set() {
    let mut wide = config(lagrangian(), adam());
    wide.models.get_mut(presets::LNN).expect("there").hidden = vec![65];
    let plain = config(ModelKind::Baseline { output_scale: 10.0 }, adam());
    for config in [wide, plain] {
        let system = build_system(&config.system).expect("usable");
        let refused = DeviceTraining::of_seeds(device(), &config, presets::LNN, system, &[0, 1]);
        let message = refused.err().expect("two of them").to_string();
        assert!(message.contains("is trained one at a time"), "{message}");
    }
}
