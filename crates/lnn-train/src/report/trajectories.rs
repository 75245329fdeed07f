//! `trajectories.csv`: every frame of every rollout, for the reader's own plots.

use super::measure::frames;
use crate::record::{Rollouts, Trajectory};

/// Writes the truth and every model as comma-separated values.
///
/// Columns: `trajectory` (index from 0), `model` (`truth` or the model's name), `t`, `q0`, `q1`, … then
/// `q_dot0`, `q_dot1`, … in the system's units, its conditionals by their names, and `energy`, the true system's
/// energy of that state. Numbers are the shortest that read back to the same double. A failed rollout
/// has fewer rows.
pub(crate) fn csv(rollouts: &Rollouts) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut header: Vec<String> = ["trajectory", "model", "t"].map(str::to_owned).into();
    header.extend((0..rollouts.dof).map(|j| format!("q{j}")));
    header.extend((0..rollouts.dof).map(|j| format!("q_dot{j}")));
    header.extend_from_slice(&rollouts.conditional_names);
    header.push("energy".to_owned());
    writer.write_record(&header)?;
    for index in 0..rollouts.truth.len() {
        let models = rollouts.models.iter().filter_map(|(name, all)| Some((name.as_str(), all.get(index)?)));
        let actors = std::iter::once(("truth", &rollouts.truth[index])).chain(models);
        for (name, trajectory) in actors {
            write_trajectory(&mut writer, index, name, trajectory, rollouts)?;
        }
    }
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

fn write_trajectory(
    writer: &mut csv::Writer<Vec<u8>>,
    index: usize,
    name: &str,
    trajectory: &Trajectory,
    rollouts: &Rollouts,
) -> Result<(), csv::Error> {
    let (width, c) = (2 * rollouts.dof, rollouts.conditional_names.len());
    for frame in 0..frames(trajectory, rollouts.dof).min(rollouts.times.len()) {
        writer.write_field(index.to_string())?;
        writer.write_field(name)?;
        writer.write_field(rollouts.times[frame].to_string())?;
        for value in &trajectory.states[width * frame..width * (frame + 1)] {
            writer.write_field(value.to_string())?;
        }
        for value in &rollouts.conditionals[c * index..c * (index + 1)] {
            writer.write_field(value.to_string())?;
        }
        let energy = trajectory.energies.get(frame).copied();
        writer.write_field(energy.map_or_else(String::new, |energy| energy.to_string()))?;
        writer.write_record(None::<&[u8]>)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn rows_read_back_bit_for_bit_and_failed_rollouts_are_short() {
        let mut rollouts = fixture::rollouts();
        let short = fixture::truncated(&rollouts.truth[1], 4);
        rollouts.models.get_mut("lnn").expect("the fixture has it")[1] = short;
        rollouts.conditional_names = vec!["g".to_owned()];
        rollouts.conditionals = (0..rollouts.truth.len()).map(|k| 0.1 * k as f64).collect();
        let bytes = csv(&rollouts).expect("memory takes everything");
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        assert_eq!(
            reader.headers().expect("header").iter().collect::<Vec<_>>(),
            ["trajectory", "model", "t", "q0", "q1", "q_dot0", "q_dot1", "g", "energy"]
        );
        let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("row")).collect();
        let frames = rollouts.times.len();
        assert_eq!(rows.len(), 3 * rollouts.truth.len() * frames - (frames - 4));
        let last = rows.iter().rfind(|row| &row[0] == "1" && &row[1] == "lnn").expect("rollout 1");
        let number = |column: usize| last[column].parse::<f64>().expect("a number");
        assert_eq!(number(2).to_bits(), rollouts.times[3].to_bits());
        for j in 0..4 {
            let state = rollouts.truth[1].states[4 * 3 + j];
            assert_eq!(number(3 + j).to_bits(), state.to_bits());
        }
        assert_eq!(number(7).to_bits(), rollouts.conditionals[1].to_bits());
        assert_eq!(number(8).to_bits(), rollouts.truth[1].energies[3].to_bits());
    }
}
