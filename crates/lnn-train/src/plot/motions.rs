//! Motions in a table, as far as a figure shows them.

use std::collections::BTreeMap;
use std::path::Path;

use super::PlotError;
use crate::report::Coordinate;
use crate::table::{Column, RawRows, StateColumns, TableReader};

/// Rows read at a time.
const ROWS: usize = 4096;
/// Motions drawn where none is chosen.
const SHOWN: usize = 6;
/// The column that says whose motion a row is in the table of a run.
const MODEL: &str = "model";
/// What that column holds for the true system.
const TRUTH: &str = "truth";

/// Some motions of a table, and what their numbers are called.
#[derive(Clone, Debug, PartialEq)]
pub struct MotionTable {
    /// The d coordinates.
    pub coordinates: Vec<Coordinate>,
    /// Unit of the time, if it is known.
    pub time_unit: Option<String>,
    /// Whether the table has times; else rows are counted.
    pub has_times: bool,
    /// The motions that were chosen, in the table's order.
    pub tracks: Vec<Track>,
    /// Trajectories that the table has besides.
    pub left_out: usize,
}

/// One motion.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// Number of the trajectory in the table; 0 without such a column.
    pub number: f64,
    /// Whose motion it is, in the table of a run: `truth`, or the name of a model.
    pub model: Option<String>,
    /// Times `[frames]`; row numbers for a table without times.
    pub times: Vec<f64>,
    /// States `[frames, 2d]`.
    pub states: Vec<f64>,
    /// Conditionals `[c]` of its first row.
    pub conditionals: Vec<f64>,
    /// Energies, one entry a column.
    pub energies: Vec<EnergyColumn>,
}

/// Energies along a motion.
#[derive(Clone, Debug, PartialEq)]
pub struct EnergyColumn {
    /// What they are, and their unit.
    pub column: Column,
    /// `[frames]`.
    pub values: Vec<f64>,
}

/// Which motions of a table are read, and what is said about its columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrackChoice {
    /// Names of the columns of a plain array.
    pub columns: Option<Vec<String>>,
    /// Numbers of the trajectories; empty for the first few.
    pub trajectories: Vec<f64>,
    /// Names of the conditionals, if the table has some that are needed.
    pub conditionals: Vec<String>,
    /// Coordinates that are angles, by name: `q0`.
    pub angles: Vec<String>,
}

impl Track {
    /// Whether it is the true system's, in the table of a run.
    pub fn is_truth(&self) -> bool {
        self.model.as_deref() == Some(TRUTH)
    }
}

impl MotionTable {
    /// Reads a table: columns `q0…` and `q_dot0…`, and `trajectory`, `t`, `model` and every column whose name begins with
    /// `energy` where they are there.
    ///
    /// # Errors
    /// [`PlotError`] that names file, row and column.
    pub fn read(path: &Path, choice: &TrackChoice) -> Result<Self, PlotError> {
        let mut reader = TableReader::open(path, choice.columns.as_deref())?;
        let found = StateColumns::find(path, reader.columns(), &choice.conditionals)?;
        found.require_velocities(path, reader.columns())?;
        let columns = reader.columns().to_vec();
        let d = found.degrees_of_freedom();
        let names: Vec<String> = (0..d).map(|j| format!("q{j}")).collect();
        if let Some(unknown) = choice.angles.iter().find(|angle| !names.contains(angle)) {
            return Err(PlotError::UnknownVariable { given: unknown.clone(), purpose: "be an angle", valid: names });
        }
        let energies: Vec<usize> =
            (0..columns.len()).filter(|&place| columns[place].name.starts_with("energy")).collect();
        let models_at = columns.iter().position(|column| column.name == MODEL);
        let (q, q_dot) = (&found.q, &found.q_dot);
        let places: Vec<usize> = [&q[..], q_dot, &found.conditionals, &energies].concat();
        let optional: Vec<usize> = [found.time, found.trajectory].into_iter().flatten().collect();
        let places = [places, optional].concat();
        reader.select(&places)?;

        let coordinates = (0..d)
            .map(|j| Coordinate {
                symbol: format!("q{}", subscript(j)),
                unit: columns[q[j]].unit.clone().unwrap_or_default(),
                angle: choice.angles.contains(&names[j]),
            })
            .collect();
        let time_unit = found.time.and_then(|place| columns[place].unit.clone());
        let mut table =
            Self { coordinates, time_unit, has_times: found.time.is_some(), tracks: Vec::new(), left_out: 0 };
        let mut gathered = Gathered { table: &mut table, choice, known: BTreeMap::new(), seen: Vec::new() };
        let width = places.len();
        let (mut values, mut models, mut row) = (Vec::new(), Vec::new(), 0u64);
        let mut raw = RawRows::default();
        while reader.read_raw(ROWS, &mut raw)? {
            values.clear();
            reader.decoder().decode(&raw, &mut values)?;
            models.clear();
            if let Some(place) = models_at {
                reader.decoder().texts(&raw, place, &mut models)?;
            }
            for (index, numbers) in values.chunks_exact(width).enumerate() {
                let number = if found.trajectory.is_some() { numbers[width - 1] } else { 0.0 };
                let model = models.get(index);
                if let Some(track) = gathered.track(number, model) {
                    let shown = 2 * d + found.conditionals.len();
                    let energies_at = shown..shown + energies.len();
                    // An energy may be missing; a state may not.
                    let lost = |place: &usize| !energies_at.contains(place) && !numbers[*place].is_finite();
                    if let Some(lost) = (0..width).find(lost) {
                        let (place, column) = (reader.place(row), columns[places[lost]].name.clone());
                        return Err(PlotError::NotFinite {
                            path: path.to_owned(),
                            place,
                            column,
                            given: numbers[lost],
                        });
                    }
                    if track.times.is_empty() {
                        track.conditionals = numbers[2 * d..shown].to_vec();
                        let column =
                            |&place: &usize| EnergyColumn { column: columns[place].clone(), values: Vec::new() };
                        track.energies = energies.iter().map(column).collect();
                    }
                    let time = if found.time.is_some() { numbers[energies_at.end] } else { track.times.len() as f64 };
                    track.times.push(time);
                    track.states.extend_from_slice(&numbers[..2 * d]);
                    for (energy, &value) in track.energies.iter_mut().zip(&numbers[energies_at]) {
                        energy.values.push(value);
                    }
                }
                row += 1;
            }
        }
        let missing = |number: &&f64| table.tracks.iter().all(|track| track.number != **number);
        if let Some(&number) = choice.trajectories.iter().find(missing) {
            return Err(PlotError::NoRows { path: path.to_owned(), number: Some(number) });
        }
        if table.tracks.is_empty() {
            return Err(PlotError::NoRows { path: path.to_owned(), number: None });
        }
        Ok(table)
    }

    /// Degrees of freedom.
    pub fn degrees_of_freedom(&self) -> usize {
        self.coordinates.len()
    }
}

/// Finds the motion of each row.
struct Gathered<'a> {
    table: &'a mut MotionTable,
    choice: &'a TrackChoice,
    /// Bits of a trajectory's number and its model → place among the tracks, or that it is left out.
    known: BTreeMap<(u64, Option<String>), Option<usize>>,
    /// Bits of the numbers that are shown.
    seen: Vec<u64>,
}

impl Gathered<'_> {
    /// The motion of a row, if it is shown.
    fn track(&mut self, number: f64, model: Option<&String>) -> Option<&mut Track> {
        let key = (number.to_bits(), model.cloned());
        if !self.known.contains_key(&key) {
            let place = self.is_shown(number, model.is_some()).then(|| {
                let track = Track {
                    number,
                    model: model.cloned(),
                    times: Vec::new(),
                    states: Vec::new(),
                    conditionals: Vec::new(),
                    energies: Vec::new(),
                };
                self.table.tracks.push(track);
                self.table.tracks.len() - 1
            });
            self.table.left_out += usize::from(place.is_none());
            self.known.insert(key.clone(), place);
        }
        let place = (*self.known.get(&key)?)?;
        self.table.tracks.get_mut(place)
    }

    fn is_shown(&mut self, number: f64, has_models: bool) -> bool {
        if !self.choice.trajectories.is_empty() {
            return self.choice.trajectories.contains(&number);
        }
        let bits = number.to_bits();
        // The truth and several models from one start are enough to look at.
        let most = if has_models { 1 } else { SHOWN };
        let shown = self.seen.contains(&bits) || self.seen.len() < most;
        if shown && !self.seen.contains(&bits) {
            self.seen.push(bits);
        }
        shown
    }
}

/// An index as a subscript.
pub(super) fn subscript(index: usize) -> String {
    let digit = |digit: char| char::from_u32('₀' as u32 + digit.to_digit(10).unwrap_or(0)).unwrap_or(digit);
    index.to_string().chars().map(digit).collect()
}
