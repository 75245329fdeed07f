//! `energy.svg`: total energy and energy error of one rollout against time.

use super::super::axis::Axis;
use super::super::figure::{Figure, Mark, Panel};
use super::super::input::ReportInput;
use super::super::measure::{Representative, energy_error_percent};
use super::super::number::significant;
use super::super::palette::{ModelStyle, TRUTH};
use super::{MODEL_WIDTH, TRUTH_WIDTH, line_key, truth_key};
use crate::record::Trajectory;

/// Share of the reference energy that the upper panel shows at least, above and below the truth.
const LEAST_ROOM: f64 = 0.05;

/// Draws the chosen rollout; `None` if the truth has no frame.
pub(super) fn figure(input: &ReportInput<'_>, models: &[ModelStyle], chosen: &Representative) -> Option<Figure> {
    let (rollouts, system) = (input.rollouts, input.system);
    let truth = rollouts.truth.get(chosen.index)?;
    let (start, last) = (*rollouts.times.first()?, *rollouts.times.last()?);
    let initial = *truth.energies.first()?;
    let reference = system.energy_reference.value;
    let followers: Vec<(&ModelStyle, &Trajectory)> =
        models.iter().filter_map(|model| Some((model, rollouts.models.get(&model.name)?.get(chosen.index)?))).collect();
    let series =
        |values: &[f64]| -> Vec<(f64, f64)> { rollouts.times.iter().copied().zip(values.iter().copied()).collect() };

    let mut marks = vec![Mark::Line { points: series(&truth.energies), colour: TRUTH, quarter_width: TRUTH_WIDTH }];
    let (mut low, mut high) = (initial - LEAST_ROOM * reference, initial + LEAST_ROOM * reference);
    let mut cut_off = false;
    for (model, trajectory) in followers.iter().rev() {
        for energy in trajectory.energies.iter().filter(|e| e.is_finite()) {
            low = low.min(energy.max(initial - reference));
            high = high.max(energy.min(initial + reference));
            cut_off |= (energy - initial).abs() > reference;
        }
        marks.push(Mark::Line {
            points: series(&trajectory.energies),
            colour: model.colour,
            quarter_width: MODEL_WIDTH,
        });
    }
    let x = Axis::linear_range(start, last, 5);
    let errors: Vec<(&ModelStyle, Vec<f64>)> =
        followers.iter().map(|(model, trajectory)| (*model, energy_error_percent(trajectory, truth, system))).collect();
    let room = 0.06 * (high - low);
    let panels = vec![
        Panel {
            title: format!("Total energy ({})", system.energy_reference.unit),
            x: x.clone(),
            y: Axis::linear_range(low - room, high + room, 4),
            x_label: format!("time ({})", system.time_unit),
            height: 160,
            marks,
        },
        Panel {
            title: format!(
                "Energy error (% of {} {}, {})",
                significant(reference, 3),
                system.energy_reference.unit,
                system.energy_reference.meaning
            ),
            x,
            y: Axis::errors(errors.iter().flat_map(|(_, errors)| errors.iter().copied())),
            x_label: format!("time ({})", system.time_unit),
            height: 160,
            marks: errors
                .into_iter()
                .rev()
                .map(|(model, errors)| Mark::Line {
                    points: series(&errors),
                    colour: model.colour,
                    quarter_width: MODEL_WIDTH,
                })
                .collect(),
        },
    ];
    let mut legend = vec![truth_key()];
    legend.extend(followers.iter().map(|(model, _)| line_key(&model.label, model)));
    let edge = if cut_off { " The upper panel ends one reference energy away from the truth." } else { "" };
    Some(Figure {
        name: "energy",
        title: "Does the model keep the energy?".to_owned(),
        caption: format!(
            "{} The true energy is constant. A model that obeys an Euler–Lagrange equation conserves an \
             energy of its own, so its error does not drift for want of a conserved quantity; a model \
             without that law may drift.{edge}",
            chosen.reason
        ),
        legend,
        panels,
    })
}
