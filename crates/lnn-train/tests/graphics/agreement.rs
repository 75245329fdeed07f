//! Loss by loss: the graphics card against the processor.

use lnn_train::config::{ExperimentConfig, ModelKind, SamplingTail, preset, presets};
use lnn_train::fit::{Advanced, Trainer};
use lnn_train::optimiser::{ClippingConfig, OptimiserConfig, SoapSettings};

use crate::trainings::{BY_ADAM, BY_SOAP, adam, config, first_apart, lagrangian, losses, on_card, on_processor, soap};

/// Compares `steps` steps on both, and gives back the losses.
fn agree(config: &ExperimentConfig, steps: u64, tolerance: f64) -> Vec<f64> {
    let (mut card, mut processor) = (on_card(config), on_processor(config));
    let (of_card, of_processor) = (losses(&mut card, steps), losses(&mut processor, steps));
    assert_eq!(first_apart(&of_card, &of_processor, tolerance), None, "{of_card:?}\n{of_processor:?}");
    assert_eq!((card.step_count(), card.skipped_steps(0), card.remark()), (steps, 0, None));
    of_card
}

#[test]
fn a_lagrangian_network_by_adam() {
    let losses = agree(&config(lagrangian(), adam()), 50, BY_ADAM);
    assert!(losses[45..].iter().sum::<f64>() < losses[..5].iter().sum(), "something is learned: {losses:?}");
}

#[test]
fn a_lagrangian_network_by_soap() {
    agree(&config(lagrangian(), SoapSettings { refresh_every: 7, ..SoapSettings::default() }.into()), 50, BY_SOAP);
}

#[test]
fn a_wide_lagrangian_network() {
    let mut config = config(lagrangian(), adam());
    config.models.get_mut(presets::LNN).expect("there").hidden = vec![70, 66];
    agree(&config, 30, BY_ADAM);
}

#[test]
fn a_plain_network() {
    let mut config = config(ModelKind::Baseline { output_scale: 10.0 }, adam());
    config.models.get_mut(presets::LNN).expect("there").training.clipping =
        ClippingConfig::Redescending { factor: 1.0, averaging: 0.9 };
    agree(&config, 50, BY_ADAM);
}

/// Its states are drawn on the processor, since a part of each batch has ranges of its own.
#[test]
fn a_batch_with_a_tail() {
    let mut config = config(lagrangian(), adam());
    let velocity = lnn_train::config::Interval { low: -15.0, high: 15.0 };
    config.sampling_tail = Some(SamplingTail { share: 0.25, from_step: 10, velocity });
    agree(&config, 40, BY_ADAM);
}

/// Conditionals, weights and a curriculum, from a system whose accelerations are computed on the processor; a network of
/// the configuration alone beside the first one or not.
fn relativistic(hidden: &[usize], optimiser: OptimiserConfig, with_potential: bool) -> ExperimentConfig {
    let mut config = preset("relativistic", "fast").expect("listed");
    let of = crate::trainings::config(lagrangian(), optimiser);
    let mut model = config.models.remove(presets::LNN).expect("in the preset");
    let ModelKind::Lnn { potential_scale, .. } = &mut model.kind else { panic!("a Lagrangian network") };
    assert!(potential_scale.is_some(), "the preset has two networks");
    if !with_potential {
        *potential_scale = None;
    }
    let training = of.models[presets::LNN].training.clone();
    let (data, weight) = (model.training.data, model.training.weight);
    model.hidden = hidden.to_vec();
    model.training = training;
    (model.training.data, model.training.weight) = (data, weight);
    config.models = [(presets::LNN.to_owned(), model)].into();
    config
}

#[test]
fn a_weighted_system_with_conditionals() {
    agree(&relativistic(&[16, 16], adam(), false), 40, BY_ADAM);
}

#[test]
fn a_network_of_the_potential_beside_the_first() {
    for hidden in [[16, 16], [72, 66]] {
        agree(&relativistic(&hidden, adam(), true), 40, BY_ADAM);
    }
    // From bases that both have: the first ones are of nearly singular matrices, which rounding turns.
    let config = relativistic(&[16, 16], soap(7), true);
    let mut processor = on_processor(&config);
    losses(&mut processor, 8);
    let mut card = on_card(&config);
    card.restore(8, &[processor.state(0).expect("at hand")]).expect("of this training");
    let (of_card, of_processor) = (losses(&mut card, 20), losses(&mut processor, 20));
    assert_eq!(first_apart(&of_card, &of_processor, 1e-3), None, "{of_card:?}\n{of_processor:?}");
}

/// Without residual masses, and with eigenvalues that count as zero up to half the largest one.
#[test]
fn mass_matrices_that_lose_rank() {
    for hidden in [[16, 16], [72, 66]] {
        let mut config = config(lagrangian(), adam());
        let model = config.models.get_mut(presets::LNN).expect("there");
        let ModelKind::Lnn { residual_mass, pseudoinverse_tolerance, .. } = &mut model.kind else { panic!("an Lnn") };
        (*residual_mass, *pseudoinverse_tolerance) = (0.0, 0.5);
        model.hidden = hidden.to_vec();
        let (mut card, mut processor) = (on_card(&config), on_processor(&config));
        let (of_card, of_processor) = (losses(&mut card, 40), losses(&mut processor, 40));
        assert_eq!(first_apart(&of_card, &of_processor, BY_ADAM), None, "{of_card:?}\n{of_processor:?}");
        let remark = card.remark().expect("there were such");
        assert!(remark.contains(" of 1280 samples was not of full rank"), "{remark}");
    }
}

#[test]
fn a_perturbed_first_weight_is_seen() {
    let config = config(lagrangian(), adam());
    let (mut card, mut processor) = (on_card(&config), on_processor(&config));
    let mut state = processor.state(0).expect("at hand");
    state.parameters.to_mut()[7] += 0.01;
    card.restore(0, &[state]).expect("of this training");
    let (of_card, of_processor) = (losses(&mut card, 50), losses(&mut processor, 50));
    assert!(first_apart(&of_card, &of_processor, BY_ADAM).is_some(), "{of_card:?}");
}

/// However many steps go into a submission, and whenever the run is looked at.
#[test]
fn many_steps_at_once_have_the_bits_of_one_at_a_time() {
    for optimiser in [adam(), SoapSettings { refresh_every: 3, ..SoapSettings::default() }.into()] {
        let config = config(lagrangian(), optimiser);
        let mut one_by_one = on_card(&config);
        let losses = losses(&mut one_by_one, 40);
        let mut at_once = on_card(&config);
        let mut sum = 0.0;
        let mut calls = 0;
        while at_once.step_count() < 40 {
            let mut advanced = [Advanced::default()];
            at_once.advance(40, &mut advanced).expect("ordinary steps");
            sum += advanced[0].loss_sum;
            calls += 1;
        }
        assert!(calls < 40, "more than one step at once");
        let bits = |training: &mut dyn Trainer<f32>| {
            training.parameters(0).expect("read").iter().map(|p| p.to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(bits(&mut one_by_one), bits(&mut at_once));
        // Sums of the same numbers in another order.
        let whole: f64 = losses.iter().sum();
        assert!((sum - whole).abs() <= 40.0 * f64::EPSILON * whole, "{sum} {whole}");
    }
}
