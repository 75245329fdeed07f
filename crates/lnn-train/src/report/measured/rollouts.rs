//! `rollouts.csv`: every held-out motion and the model's, for the reader's own plots.

use crate::measured::{Labels, MeasuredRollout};

/// Columns: `trajectory` (number in the data, from 0), `t`, the measured `q0…`, `q_dot0…`, the conditionals, then the model's
/// `q0_model…`, `q_dot0_model…`, where it has one `energy` of the measured states and `energy_model`, `distance`. The first
/// columns are states as `lnn eval` and `lnn rollout` read them. After the end of a rollout the model's columns are NaN.
pub(super) fn csv(labels: &Labels, rollouts: &[MeasuredRollout]) -> Result<Vec<u8>, csv::Error> {
    let d = labels.q.len();
    let has_energy = rollouts.iter().any(|rollout| !rollout.measured_energy.is_empty());
    let mut writer = csv::Writer::from_writer(Vec::new());
    let named = |stem: &str, end: &str| (0..d).map(|j| format!("{stem}{j}{end}")).collect::<Vec<_>>();
    let mut header = vec!["trajectory".to_owned(), "t".to_owned()];
    header.extend([named("q", ""), named("q_dot", "")].concat());
    header.extend(labels.conditionals.iter().map(|column| column.name.clone()));
    header.extend([named("q", "_model"), named("q_dot", "_model")].concat());
    if has_energy {
        header.extend(["energy", "energy_model"].map(str::to_owned));
    }
    header.push("distance".to_owned());
    writer.write_record(&header)?;
    let lost = vec![f64::NAN; 2 * d];
    for rollout in rollouts {
        for (row, measured) in rollout.measured.chunks_exact(2 * d).enumerate() {
            let predicted = rollout.predicted.get(row * 2 * d..(row + 1) * 2 * d).unwrap_or(&lost);
            let energies = [&rollout.measured_energy, &rollout.predicted_energy];
            let energies = energies.into_iter().filter(|_| has_energy);
            let numbers = std::iter::once(&rollout.times[row])
                .chain(measured)
                .chain(&rollout.conditionals)
                .chain(predicted)
                .chain(energies.map(|energies| energies.get(row).unwrap_or(&f64::NAN)))
                .chain([rollout.distance.get(row).unwrap_or(&f64::NAN)]);
            writer.write_field(rollout.number.to_string())?;
            for number in numbers {
                writer.write_field(number.to_string())?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
    }
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RolloutFailure;
    use crate::table::Column;

    #[test]
    fn every_measured_row_is_there_and_nothing_after_the_end_of_a_rollout() {
        let [time, q, q_dot] = ["t", "q0", "q_dot0"].map(Column::named);
        let labels =
            Labels { time, q: vec![q], q_dot: vec![q_dot], q_ddot: Vec::new(), conditionals: vec![Column::named("m")] };
        let rollout = MeasuredRollout {
            number: 4,
            origin: String::new(),
            times: vec![0.0, 1.0, 2.0],
            measured: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            predicted: vec![1.0, 2.0, 3.5, 4.5],
            measured_energy: vec![7.0, 8.0, 9.0],
            predicted_energy: vec![7.0, 7.5],
            conditionals: vec![0.25],
            distance: vec![0.0, 0.5],
            cut: false,
            failure: Some(RolloutFailure { time: 1.0, reason: "a test".to_owned() }),
        };
        let text = String::from_utf8(csv(&labels, &[rollout]).expect("a table")).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "trajectory,t,q0,q_dot0,m,q0_model,q_dot0_model,energy,energy_model,distance");
        assert_eq!(lines[2], "4,1,3,4,0.25,3.5,4.5,8,7.5,0.5");
        assert_eq!(lines[3], "4,2,5,6,0.25,NaN,NaN,9,NaN,NaN");
        assert_eq!(lines.len(), 4);
    }
}
