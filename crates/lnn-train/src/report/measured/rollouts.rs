//! `rollouts.csv`: every held-out motion and the model's, for the reader's own plots.

use super::MeasuredReportInput;

/// Columns: `trajectory` (number in the data, from 0), `t`, the model's `q0…`, `q_dot0…`, the conditionals, then
/// `q0_measured…`, `q_dot0_measured…`, `energy` and `energy_measured` where the model has one, `distance`. The first columns
/// are states as `lnn eval` and `lnn rollout` read them.
pub(super) fn csv(input: &MeasuredReportInput<'_>) -> Result<Vec<u8>, csv::Error> {
    let (labels, d) = (input.labels, input.labels.q.len());
    let has_energy = input.rollouts.iter().any(|rollout| !rollout.measured_energy.is_empty());
    let mut writer = csv::Writer::from_writer(Vec::new());
    let named = |stem: &str, end: &str| (0..d).map(|j| format!("{stem}{j}{end}")).collect::<Vec<_>>();
    let mut header = vec!["trajectory".to_owned(), "t".to_owned()];
    header.extend([named("q", ""), named("q_dot", "")].concat());
    header.extend(labels.conditionals.iter().map(|column| column.name.clone()));
    header.extend([named("q", "_measured"), named("q_dot", "_measured")].concat());
    if has_energy {
        header.extend(["energy", "energy_measured"].map(str::to_owned));
    }
    header.push("distance".to_owned());
    writer.write_record(&header)?;
    for rollout in input.rollouts {
        for (row, predicted) in rollout.predicted.chunks_exact(2 * d).enumerate() {
            let measured = &rollout.measured[row * 2 * d..(row + 1) * 2 * d];
            let energies = [&rollout.predicted_energy, &rollout.measured_energy];
            let energies = energies.into_iter().filter_map(|energies| energies.get(row));
            let numbers = std::iter::once(&rollout.times[row])
                .chain(predicted)
                .chain(&rollout.conditionals)
                .chain(measured)
                .chain(energies)
                .chain([&rollout.distance[row]]);
            writer.write_field(rollout.number.to_string())?;
            for number in numbers {
                writer.write_field(number.to_string())?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
    }
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}
