//! The result of a run on fields as tables for the terminal.

use comfy_table::Table;

use super::sentence::{crossings, summarised_motions};
use super::styles;
use crate::field::{FieldMotionSummary, FieldSummary};
use crate::report::number::{grouped, significant};
use crate::report::ruled_table::{add_row, ruled_table, set_titles};
use crate::report::table::{machine_line, short_duration, trim};

/// Writes one line a model, then one line a motion of each model, at most 92 columns wide for names of up to nine
/// characters, with the run and the machine below.
///
/// Errors of the field are in percent of the amplitude at the start, errors of the energy in percent of the exact
/// energy at the start.
#[must_use]
pub fn field_table(summary: &FieldSummary) -> String {
    let models = styles(summary, &[]);
    let mut trained =
        table(1, &["model", "para-\nmeters", "train\ntime", "\nsteps", "\nskipped", "relative\nerror of φ̈"]);
    let mut moved = table(
        2,
        &[
            "initial\nstate",
            "\nmodel",
            "\nsites",
            "cross-\nings",
            "field %,\n1 crossing",
            "\nat the end",
            "exact\nenergy %",
            "learned\nenergy %",
            "kink’s\nvelocity %",
        ],
    );
    for style in &models {
        let Some(model) = summary.models.get(&style.name) else { continue };
        add_row(
            &mut trained,
            1,
            vec![
                style.label.clone(),
                grouped(model.parameters as u64),
                short_duration(model.train_seconds),
                grouped(model.steps),
                grouped(model.skipped_steps),
                significant(model.acceleration_relative, 3),
            ],
        );
    }
    let mut notes = String::new();
    for name in summarised_motions(summary) {
        let mut first = true;
        for style in &models {
            let motion = summary.models.get(&style.name).and_then(|model| model.motions.get(&name));
            let Some(motion) = motion else { continue };
            let state = if first { name.clone() } else { String::new() };
            first = false;
            let mut row = vec![state, style.label.clone()];
            row.extend(figures(motion));
            add_row(&mut moved, 2, row);
            if let Some(reason) = &motion.stopped {
                notes += &format!("{} from {name}: the rollout ended early: {reason}\n", style.label);
            }
        }
    }
    let run = [&summary.experiment, &summary.preset, &summary.backend, &summary.device].map(String::as_str);
    format!(
        "{}\n\n{}\n{notes}Lower is better. Trained on {} sites, φ̈ judged on {}. Field: largest error over the sites.\n{}\n",
        trained.trim_fmt(),
        moved.trim_fmt(),
        grouped(summary.training_sites as u64),
        grouped(summary.sites as u64),
        machine_line(run, &format!("seed {}", summary.seed), summary.threads, summary.wall_seconds)
    )
}

/// The cells of a motion behind its names.
fn figures(motion: &FieldMotionSummary) -> [String; 7] {
    let percent = |share: f64| significant(100.0 * share, 3);
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
    [
        grouped(motion.sites as u64),
        or_none(crossings(motion).map(|count| trim(&significant(count, 3)).to_owned())),
        percent(motion.field_error),
        percent(motion.field_error_end),
        significant(motion.energy_error_percent, 3),
        or_none(motion.learned_energy_drift_percent.map(|drift| significant(drift, 3))),
        or_none(motion.kink_velocity_error.map(percent)),
    ]
}

/// An empty table whose first `texts` columns are texts and the others numbers.
fn table(texts: usize, header: &[&str]) -> Table {
    let mut table = ruled_table(false);
    set_titles(&mut table, texts, header);
    for column in table.column_iter_mut() {
        // The empty junction between two columns is a space already.
        column.set_padding((0, 1));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn every_model_and_motion_has_its_line_within_92_columns() {
        let mut summary = fixture::run().summary;
        let model = summary.models.get_mut("lgn").expect("the fixture has it");
        (model.parameters, model.steps, model.train_seconds) = (1_081_201, 600_000, 7100.0);
        let bump = model.motions.get_mut("bump").expect("the fixture has it");
        (bump.sites, bump.kink_velocity_error) = (100_000, Some(1.234e-7));
        bump.energy_error_percent = 1.234e-7;
        bump.stopped = Some("not finite at t = 3".to_owned());
        let text = field_table(&summary);
        assert!(!text.contains('\u{1b}'));
        for line in text.lines().filter(|line| !line.starts_with("wave · ")) {
            assert!(line.chars().count() <= 92, "{}: {line}", line.chars().count());
        }
        // One line of the models, one each for bump and smooth.
        for label in ["LGN ", "CNN ", "HGN "] {
            assert_eq!(
                text.lines().filter(|line| line.contains(label)).count(),
                3 + usize::from(label == "LGN "),
                "{label}: {text}"
            );
        }
        for words in
            ["1.23e−7", "1.23e−5", "118m 20s", "LGN from bump: the rollout ended early: not finite", "2 threads"]
        {
            assert!(text.contains(words), "{words}: {text}");
        }
    }

    #[test]
    fn a_model_without_an_energy_or_an_end_says_so() {
        let mut summary = fixture::run().summary;
        let bump = summary.models.get_mut("cnn").and_then(|model| model.motions.get_mut("bump")).expect("there");
        (bump.field_error, bump.field_error_end) = (f64::INFINITY, f64::NAN);
        let text = field_table(&summary);
        let line = text.lines().filter(|line| line.contains("CNN")).nth(1).expect("its line from the bump");
        assert!(line.contains('∞') && line.contains("n/a") && line.contains('–'), "{line}");
        summary.models.clear();
        assert!(field_table(&summary).contains("model"));
    }
}
