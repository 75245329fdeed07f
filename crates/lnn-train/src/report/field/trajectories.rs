//! `motion-<name>.csv`: a motion site by site, for the reader's own plots.

use super::measure::{field, rate, sites};
use crate::field::FieldMotion;

/// Frames of a table at most.
const FRAMES: usize = 200;
/// Rows of a table at most, beyond two frames: a spreadsheet opens a million of them.
const ROWS: usize = 200_000;

/// File name and text of the table of `motion`; `None` if no state of it was kept.
///
/// The first line starts with `#` and says what the motion is and which frames are there. Columns: `t` in lattice
/// units, `model` (`truth` or the model's name), `site` (row-major from 0), `component`, `phi` and `phi_dot`. Numbers
/// are the shortest that read back to the same double. A rollout that stopped has fewer frames.
///
/// # Errors
/// [`csv::Error`].
pub(super) fn csv(motion: &FieldMotion) -> Result<Option<(String, Vec<u8>)>, csv::Error> {
    let models = motion.models.iter().map(|(name, trajectory)| (name.as_str(), trajectory.states.as_slice()));
    let actors: Vec<(&str, &[f64])> = std::iter::once(("truth", motion.truth.as_slice()))
        .chain(models)
        .filter(|(_, states)| !states.is_empty())
        .collect();
    if actors.is_empty() {
        return Ok(None);
    }
    let (n, frames) = (sites(motion), motion.times.len());
    let most = (ROWS / (n * motion.components * actors.len())).clamp(2, FRAMES);
    // One frame more than that, so that a round number of steps is divided evenly.
    let stride = (frames - 1).div_ceil(most).max(1);
    let [rows, columns] = motion.shape;
    let which = if stride == 1 { "every frame".to_owned() } else { format!("one frame of every {stride}") };
    let lattice = if rows == 1 { format!("{n} sites") } else { format!("{rows} rows of {columns} sites, row by row") };
    // A line break in a description would start a row.
    let description = motion.description.replace(['\n', '\r'], " ");
    let mut text =
        format!("# {}: {description}; {lattice}; lattice units; {which} of {frames}\n", motion.name).into_bytes();

    let mut writer = csv::Writer::from_writer(&mut text);
    writer.write_record(["t", "model", "site", "component", "phi", "phi_dot"])?;
    for frame in (0..frames).step_by(stride) {
        let t = motion.times[frame].to_string();
        for &(name, states) in &actors {
            let components: Vec<Vec<(f64, f64)>> = (0..motion.components)
                .map(|component| {
                    field(motion, states, frame, component).zip(rate(motion, states, frame, component)).collect()
                })
                .collect();
            for site in 0..components[0].len() {
                for (component, values) in components.iter().enumerate() {
                    let (phi, phi_dot) = values[site];
                    writer.write_record([
                        t.as_str(),
                        name,
                        &site.to_string(),
                        &component.to_string(),
                        &phi.to_string(),
                        &phi_dot.to_string(),
                    ])?;
                }
            }
        }
    }
    writer.flush().map_err(csv::Error::from)?;
    drop(writer);
    Ok(Some((format!("motion-{}.csv", motion.name), text)))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn read(text: &[u8]) -> (String, Vec<csv::StringRecord>) {
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text);
        assert_eq!(
            reader.headers().expect("header").iter().collect::<Vec<_>>(),
            ["t", "model", "site", "component", "phi", "phi_dot"]
        );
        let rows = reader.records().map(|row| row.expect("row")).collect();
        let first = String::from_utf8_lossy(text).lines().next().expect("a line").to_owned();
        (first, rows)
    }

    #[test]
    fn rows_read_back_bit_for_bit() {
        let motion = fixture::bump();
        let (name, text) = csv(&motion).expect("memory takes everything").expect("there are states");
        assert_eq!(name, "motion-bump.csv");
        let (first, rows) = read(&text);
        let frames = motion.times.len();
        assert!(frames > FRAMES && first.starts_with("# bump: ") && first.contains("one frame of every 2"), "{first}");
        let n = sites(&motion);
        assert_eq!(rows.len(), frames.div_ceil(2) * 4 * n);
        // The second kept frame of the truth, site 7.
        let row = &rows[4 * n + 7];
        assert_eq!((&row[1], &row[2], &row[3]), ("truth", "7", "0"));
        let number = |column: usize| row[column].parse::<f64>().expect("a number").to_bits();
        assert_eq!(number(0), motion.times[2].to_bits());
        assert_eq!(number(4), motion.truth[2 * 2 * n + 7].to_bits());
        assert_eq!(number(5), motion.truth[2 * 2 * n + n + 7].to_bits());
    }

    #[test]
    fn components_stand_in_rows_of_their_own() {
        let mut motion = fixture::bump();
        motion.models.clear();
        motion.shape = [1, sites(&motion) / 2];
        motion.components = 2;
        let (_, text) = csv(&motion).expect("memory takes everything").expect("there is a truth");
        let (_, rows) = read(&text);
        assert_eq!((&rows[5][2], &rows[5][3]), ("2", "1"));
        assert_eq!(rows[5][4].parse::<f64>().expect("a number").to_bits(), motion.truth[5].to_bits());
    }

    #[test]
    fn a_stopped_model_has_fewer_rows_and_a_motion_without_states_no_table() {
        let mut motion = fixture::bump();
        let complete = read(&csv(&motion).expect("memory").expect("states").1).1.len();
        fixture::stop(&mut motion, "cnn", 11);
        let text = csv(&motion).expect("memory").expect("states").1;
        let (frames, n) = (motion.times.len(), sites(&motion));
        assert_eq!(read(&text).1.len(), complete - (frames.div_ceil(2) - 6) * n);
        motion.truth.clear();
        for trajectory in motion.models.values_mut() {
            trajectory.states.clear();
        }
        assert_eq!(csv(&motion).expect("memory"), None);
    }
}
