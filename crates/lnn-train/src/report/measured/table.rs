//! The errors on held-out motions as a table, for the terminal and for the page.

use crate::measured::MeasuredSummary;
use crate::record::MassMatrixSpectrum;
use crate::report::number::{duration, grouped, significant};
use crate::report::ruled_table::{add_row, ruled_table, set_titles};

/// A row: what is predicted, the column, the error with its unit, and the error relative to what is predicted.
pub(super) fn rows(summary: &MeasuredSummary) -> Vec<[String; 4]> {
    let groups = [("acceleration", &summary.acceleration), ("state one row later", &summary.one_row)];
    let rows = groups.into_iter().flat_map(|(what, errors)| {
        errors.iter().map(move |error| {
            let unit = error.unit.as_ref().map_or(String::new(), |unit| format!(" {unit}"));
            [
                what.to_owned(),
                error.name.clone(),
                format!("{}{unit}", significant(error.root_mean_square, 3)),
                format!("{} %", significant(100.0 * error.relative, 3)),
            ]
        })
    });
    rows.collect()
}

/// Held-out error from which on a model is called useless. Noise alone may make it large: the rates from a row to the next
/// have it twice.
const LITTLE: f64 = 0.9;

/// What else was found, a sentence each.
pub(super) fn sentences(summary: &MeasuredSummary) -> Vec<String> {
    let MeasuredSummary { rollouts, energy, mass_matrix, held_out, training_trajectories, data, .. } = summary;
    let time_unit =
        data.columns.first().and_then(|column| column.unit.as_ref()).map_or(String::new(), |unit| format!(" {unit}"));
    let mut sentences = Vec::new();
    // NaN too: no log line had a finite error.
    if let Some(matrix) = mass_matrix.filter(MassMatrixSpectrum::sign_is_lost) {
        sentences.push(format!(
            "The mass matrix has lost its sign: at {} of {} held-out rows it has another number of negative eigenvalues than at \
             the others, or is singular, and no motion can pass between them. Lower the peak rate or raise warmup_steps of \
             model.training.schedule, try another --seed, or take model.kind Delan, whose mass matrix is positive everywhere.",
            grouped(matrix.other_sign as u64),
            grouped(matrix.states as u64)
        ));
    }
    if summary.held_out_error.is_nan() || summary.held_out_error > LITTLE {
        sentences.push(format!(
            "The held-out error is {} of the deviations of the rates: next to nothing was learned, or, where the rates are taken \
             from row to row, the noise of two neighbours is as large as the way between them; the rollouts tell which. Try \
             another --seed, read the notes on the data above, and see docs/own-data.md.",
            significant(summary.held_out_error, 2)
        ));
    }
    sentences.push(if summary.of_one {
        "Judged on the last part of the only trajectory, whose first part was trained on: record more motions for an honest \
         test."
            .to_owned()
    } else {
        format!(
            "Judged on {} of {} trajectories, none of them trained on; they also chose the step that was kept.",
            held_out.len(),
            held_out.len() + training_trajectories
        )
    });
    let at = |tenth: usize| rollouts.by_tenth[tenth - 1].map_or("lost".to_owned(), |distance| significant(distance, 2));
    sentences.push(format!(
        "Rolled out from its first state, the median motion of {}{time_unit} is {} deviations off at half of the time and {} at \
         the end, and within a tenth for {}{time_unit}. {} of {} rollouts ended early{}.{}",
        significant(rollouts.duration, 3),
        at(5),
        at(10),
        significant(rollouts.faithful_time, 3),
        rollouts.failed,
        rollouts.count,
        rollouts.first_failure.as_ref().map_or(String::new(), |reason| format!(", the first since {reason}")),
        match rollouts.cut {
            0 => String::new(),
            n => format!(" Of {n} long motion(s) the beginning was rolled out."),
        }
    ));
    if let Some(drift) = energy {
        sentences.push(format!(
            "Learned energy: varies by {} % of the kinetic energy along the measured motions, {}.",
            significant(drift.measured_percent, 2),
            if drift.rollout_percent.is_finite() {
                format!("by {} % along rollouts", significant(drift.rollout_percent, 2))
            } else {
                "and most rollouts ended early".to_owned()
            }
        ));
    }
    if let Some(matrix) = mass_matrix {
        let sign = match (matrix.indefinite, matrix.other_sign) {
            (0, 0) => "positive everywhere".to_owned(),
            // L and −L have the same motions.
            (_, 0) => "of one sign everywhere".to_owned(),
            (_, n) => format!(
                "singular or of another sign at {} of {} held-out rows, where the model is not to be trusted",
                grouped(n as u64),
                grouped(matrix.states as u64)
            ),
        };
        sentences.push(format!(
            "Mass matrix: {sign}; condition {} in the median, {} at most.",
            significant(matrix.condition_median, 2),
            significant(matrix.condition_max, 2)
        ));
    }
    let kept = if summary.kept_step == summary.steps {
        "the last step's weights were kept".to_owned()
    } else {
        format!(
            "those of step {} were kept, with the least held-out error of a sound mass matrix",
            grouped(summary.kept_step)
        )
    };
    sentences.push(format!(
        "{} parameters, {} steps in {}; {kept}.",
        grouped(summary.parameters as u64),
        grouped(summary.steps),
        duration(summary.train_seconds)
    ));
    sentences
}

/// Most characters of a line.
const WIDTH: usize = 100;

/// The text in lines of at most [`WIDTH`] columns, all but the first behind `indent`.
pub(super) fn filled(text: &str, indent: &str) -> String {
    textwrap::fill(text, textwrap::Options::new(WIDTH).subsequent_indent(indent).break_words(false))
}

/// The errors on held-out motions and what else was found, at most 100 columns wide; `colour` switches terminal colours on.
#[must_use]
pub fn measured_table(summary: &MeasuredSummary, colour: bool) -> String {
    let mut table = ruled_table(colour);
    set_titles(&mut table, 2, &["held-out motions", "column", "rms error", "relative"]);
    for row in rows(summary) {
        add_row(&mut table, 2, row);
    }
    let mut text = table.to_string();
    for sentence in sentences(summary) {
        text.push('\n');
        text.push_str(&filled(&sentence, ""));
    }
    text
}
