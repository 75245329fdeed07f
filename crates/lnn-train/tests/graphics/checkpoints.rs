//! A training that goes on where another backend has stopped.

use lnn_train::fit::StepError;
use lnn_train::fit::Trainer;
use lnn_train::optimiser::{OptimiserError, SoapSettings, StateTensor};

use crate::trainings::{BY_ADAM, BY_SOAP, adam, config, first_apart, lagrangian, losses, on_card, on_processor};

#[test]
fn either_backend_goes_on_from_the_other_s_checkpoint() {
    let soap = SoapSettings { refresh_every: 4, ..SoapSettings::default() }.into();
    for (optimiser, tolerance) in [(adam(), BY_ADAM), (soap, BY_SOAP)] {
        let config = config(lagrangian(), optimiser);
        let mut whole = on_processor(&config);
        let expected = losses(&mut whole, 50);
        // Before SOAP has bases, and after.
        for stop in [0, 1, 22] {
            let mut first = on_processor(&config);
            losses(&mut first, stop);
            let mut second = on_card(&config);
            second.restore(stop, &[first.state(0).expect("at hand")]).expect("of this training");
            assert_eq!(second.step_count(), stop);
            let rest = losses(&mut second, 36);
            assert_eq!(first_apart(&rest, &expected[stop as usize..36], tolerance), None, "from {stop}");
            let mut third = on_processor(&config);
            third.restore(36, &[second.state(0).expect("read")]).expect("of this training");
            let rest = losses(&mut third, 50);
            assert_eq!(first_apart(&rest, &expected[36..], tolerance), None, "from {stop}, then 36");
        }
    }
}

/// A state that was never computed with comes back as it went.
#[test]
fn a_state_is_the_same_after_the_card_has_held_it() {
    for optimiser in [adam(), SoapSettings::default().into()] {
        let config = config(lagrangian(), optimiser);
        let (mut processor, mut card) = (on_processor(&config), on_card(&config));
        losses(&mut processor, 13);
        let state = processor.state(0).expect("at hand");
        card.restore(13, std::slice::from_ref(&state)).expect("of this training");
        let back = card.state(0).expect("read");
        assert_eq!(back.parameters, state.parameters);
        assert_eq!(back.optimiser, state.optimiser);
        let words = |tensors: &[(String, StateTensor<'_, f32>)]| match &tensors[0].1 {
            StateTensor::Words(words) => words.to_vec(),
            StateTensor::Values(_) => panic!("clipping has integers"),
        };
        let (back, own) = (words(&back.clip), words(&state.clip));
        assert_eq!(back[1..], own[1..]);
        // The running sum is held in single precision.
        assert_eq!(f64::from_bits(back[0]), f64::from(f64::from_bits(own[0]) as f32));
    }
}

#[test]
fn a_state_of_another_optimiser_is_refused() {
    let mut processor = on_processor(&config(lagrangian(), adam()));
    let mut card = on_card(&config(lagrangian(), SoapSettings::default().into()));
    let refused = card.restore(0, &[processor.state(0).expect("at hand")]).expect_err("Adam's");
    assert!(matches!(refused, StepError::Optimiser(OptimiserError::StateMissing { .. })), "{refused}");
}
