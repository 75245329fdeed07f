//! Refuses records that contradict each other, so that no figure has to.

use super::FieldReportInput;
use crate::field::FieldMotion;
use crate::report::ReportError;

/// Checks the sizes and names of all motions.
///
/// # Errors
/// [`ReportError::Inconsistent`].
pub(super) fn consistent(input: &FieldReportInput<'_>) -> Result<(), ReportError> {
    for (index, motion) in input.motions.iter().enumerate() {
        let name = &motion.name;
        let usable = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        expect(
            !name.is_empty() && name.chars().all(usable),
            format!("the name of motion {index}"),
            format!("'{name}'"),
            "letters, digits, - and _, as it becomes a file's name".to_owned(),
        )?;
        expect(
            input.motions[..index].iter().all(|other| other.name != *name),
            format!("the name of motion {index}"),
            format!("'{name}'"),
            "another name than the motions before have".to_owned(),
        )?;
        sizes(motion)?;
    }
    for panel in input.densities.iter().flat_map(|comparison| &comparison.panels) {
        let (n, lengths) = (panel.x.len(), [panel.truth.len(), panel.learned.len()]);
        expect(
            lengths == [n, n],
            format!("the number of true and of learned values of '{}'", panel.quantity),
            format!("{} and {}", lengths[0], lengths[1]),
            format!("{n}, one for each argument"),
        )?;
    }
    Ok(())
}

fn sizes(motion: &FieldMotion) -> Result<(), ReportError> {
    let (name, frames) = (&motion.name, motion.times.len());
    let [rows, columns] = motion.shape;
    let numbers = rows.checked_mul(columns).and_then(|sites| sites.checked_mul(2 * motion.components));
    let width = numbers.unwrap_or(0);
    expect(
        width > 0,
        format!("the size of the states of '{name}'"),
        format!("{rows} × {columns} sites of {} components", motion.components),
        "at least one site and one component".to_owned(),
    )?;
    let increasing =
        motion.times.windows(2).all(|pair| pair[0] < pair[1]) && motion.times.iter().all(|t| t.is_finite());
    expect(
        frames > 0 && increasing,
        format!("the times of '{name}'"),
        if frames == 0 { "none" } else { "not increasing" }.to_owned(),
        "finite, increasing, and at least one".to_owned(),
    )?;
    let of_truth = motion.truth.len();
    expect(
        of_truth == 0 || of_truth == frames * width,
        format!("the length of the true states of '{name}'"),
        of_truth.to_string(),
        format!("{}, {width} numbers for each of {frames} times, or 0 without a reference", frames * width),
    )?;
    for (model, trajectory) in &motion.models {
        let (seen, states) = (trajectory.energy.len(), trajectory.states.len());
        expect(
            seen <= frames,
            format!("the number of energies of model '{model}' from '{name}'"),
            seen.to_string(),
            format!("{frames}, one for each time, or fewer if the rollout stopped"),
        )?;
        expect(
            states == 0 || states == seen * width,
            format!("the length of the states of model '{model}' from '{name}'"),
            states.to_string(),
            format!("{}, {width} numbers for each of its {seen} energies, or 0 if they are not kept", seen * width),
        )?;
        let learned = trajectory.learned_energy.len();
        expect(
            learned == 0 || learned == seen,
            format!("the number of learned energies of model '{model}' from '{name}'"),
            learned.to_string(),
            format!("{seen}, one for each frame, or 0 for a model that has none"),
        )?;
    }
    Ok(())
}

fn expect(holds: bool, what: String, given: String, expected: String) -> Result<(), ReportError> {
    if holds { Ok(()) } else { Err(ReportError::Inconsistent { what, given, expected }) }
}
