//! From a person's tables to trajectories, or to what is wrong with them, by file, row and column.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use super::config::DataConfig;
use super::error::{MeasuredError, RowPlace};
use super::measurements::{Labels, Measurements, Origin};
use crate::table::{Column, StateColumns, TableError, TableReader};
use crate::trajectory::Trajectories;

/// Rows read at a time.
const BLOCK: usize = 1 << 16;

/// Reads every table that `config` names.
///
/// Rows of one number in `trajectory` are one motion, wherever they stand in a file; without that column a file is one
/// motion.
///
/// # Errors
/// [`MeasuredError`] for the first fault of a table or of its numbers; what [`Measurements`] finds between rows comes
/// later.
pub(super) fn read(config: &DataConfig) -> Result<Measurements, MeasuredError> {
    let mut tables = Vec::new();
    for path in &config.files {
        tables.push(Table::read(path, config)?);
    }
    let Some(first) = tables.first() else { return Err(MeasuredError::NoFiles) };
    let labels = first.labels.clone();
    for table in &tables[1..] {
        let (first_dof, dof) = (labels.q.len(), table.labels.q.len());
        if first_dof != dof {
            let (first, path) = (first.path.clone(), table.path.clone());
            return Err(MeasuredError::MixedDimensions { first, first_dof, path, dof });
        }
        require_same_units(first, table)?;
        if labels.q_ddot.is_empty() != table.labels.q_ddot.is_empty() {
            let both = (first.path.clone(), table.path.clone());
            let (with, without) = if labels.q_ddot.is_empty() { (both.1, both.0) } else { both };
            return Err(MeasuredError::MixedAccelerations { with, without });
        }
    }
    let angles = angles(config, &labels.q)?;
    let mut hasher = crc32fast::Hasher::new();
    let trajectories = Trajectories::new(labels.q.len(), labels.conditionals.len())?;
    let mut measurements = Measurements::new(labels, angles, trajectories);
    let mut too_short = None;
    for table in &tables {
        table.values.iter().for_each(|value| hasher.update(&value.to_bits().to_le_bytes()));
        let found = table.append(&mut measurements)?;
        too_short = too_short.or(found.map(|row| (table, row)));
    }
    // A few single rows can be spared; where most are, the motions are not marked as the person meant.
    if let Some((table, row)) = too_short.filter(|_| measurements.left_out.rows > measurements.trajectories.rows()) {
        let (place, trajectory) = (table.place(row), table.trajectory(row));
        return Err(MeasuredError::SingleSample { place, trajectory, needed: 2 });
    }
    measurements.fingerprint = format!("{:08x}", hasher.finalize());
    Ok(measurements)
}

/// Refuses columns that have one unit in one file and another in the next; none is no unit.
fn require_same_units(first: &Table, table: &Table) -> Result<(), MeasuredError> {
    for (a, b) in first.labels.all().zip(table.labels.all()) {
        if let (Some(first_unit), Some(unit)) = (&a.unit, &b.unit)
            && first_unit != unit
        {
            return Err(MeasuredError::MixedUnits {
                column: a.name.clone(),
                first: first.path.clone(),
                first_unit: first_unit.clone(),
                path: table.path.clone(),
                unit: unit.clone(),
            });
        }
    }
    Ok(())
}

/// Whether each coordinate is an angle.
fn angles(config: &DataConfig, q: &[Column]) -> Result<Vec<bool>, MeasuredError> {
    let mut angles = vec![false; q.len()];
    for name in &config.angles {
        match q.iter().position(|column| column.name == *name) {
            Some(index) => angles[index] = true,
            None => {
                let valid = q.iter().map(|column| column.name.clone()).collect();
                let (option, what) = ("--angles", "coordinate of the data");
                return Err(MeasuredError::UnknownColumn { option, what, given: name.clone(), valid });
            }
        }
    }
    Ok(angles)
}

/// One file's numbers.
struct Table {
    path: std::path::PathBuf,
    labels: Labels,
    /// Whether there is a column `trajectory`.
    marked: bool,
    /// `[rows, width]`: trajectory if marked, t, q, q̇, q̈ if there are any, conditionals.
    values: Vec<f64>,
    width: usize,
    /// To find the place of a row.
    reader: TableReader,
}

impl Table {
    fn read(path: &Path, config: &DataConfig) -> Result<Self, MeasuredError> {
        let mut reader = TableReader::open(path, config.columns.as_deref())?;
        let columns = reader.columns().to_vec();
        let found = StateColumns::find(path, &columns, &config.conditionals)?;
        let Some(time) = found.time else {
            let columns = columns.into_iter().map(|column| column.name).collect();
            return Err(TableError::MissingColumn { path: path.to_owned(), name: "t".to_owned(), columns }.into());
        };
        if found.q_dot.is_empty() {
            return Err(MeasuredError::NoVelocities { path: path.to_owned(), dof: found.q.len() });
        }
        let of = |places: &[usize]| places.iter().map(|&place| columns[place].clone()).collect::<Vec<_>>();
        let labels = Labels {
            time: columns[time].clone(),
            q: of(&found.q),
            q_dot: of(&found.q_dot),
            q_ddot: of(&found.q_ddot),
            conditionals: of(&found.conditionals),
        };
        let mut places: Vec<usize> = found.trajectory.into_iter().chain([time]).collect();
        for group in [&found.q, &found.q_dot, &found.q_ddot, &found.conditionals] {
            places.extend(group);
        }
        reader.select(&places)?;
        let mut values = Vec::new();
        while reader.read(BLOCK, &mut values)? > 0 {}
        let (marked, width) = (found.trajectory.is_some(), places.len());
        let table = Self { path: path.to_owned(), labels, marked, values, width, reader };
        table.require_finite(&places, &columns)?;
        Ok(table)
    }

    fn place(&self, row: usize) -> RowPlace {
        RowPlace { path: self.path.clone(), place: self.reader.place(row as u64) }
    }

    fn require_finite(&self, places: &[usize], columns: &[Column]) -> Result<(), MeasuredError> {
        let bad = |row: &[f64]| row.iter().position(|value| !value.is_finite());
        let mut rows =
            self.values.chunks_exact(self.width).enumerate().filter_map(|(row, values)| Some((row, bad(values)?)));
        let Some((row, column)) = rows.next() else { return Ok(()) };
        Err(MeasuredError::NotFinite {
            place: self.place(row),
            column: columns[places[column]].name.clone(),
            given: self.values[row * self.width + column],
            others: rows.count() as u64,
        })
    }

    /// Puts the rows of each motion together, in the order of the file, and motions in the order of their first rows. Returns
    /// the first row that is alone, if there is one.
    fn append(&self, measurements: &mut Measurements) -> Result<Option<usize>, MeasuredError> {
        let mut motions: Vec<Vec<usize>> = Vec::new();
        let mut numbers = HashMap::new();
        for (row, values) in self.values.chunks_exact(self.width).enumerate() {
            // −0 is 0: both name one motion.
            let number = if self.marked { (values[0] + 0.0).to_bits() } else { 0 };
            let motion = *numbers.entry(number).or_insert_with(|| {
                motions.push(Vec::new());
                motions.len() - 1
            });
            motions[motion].push(row);
        }
        if motions.is_empty() {
            return Err(TableError::Empty { path: self.path.clone() }.into());
        }
        let mut too_short = None;
        for rows in motions {
            let found = self.append_motion(&rows, measurements)?;
            too_short = too_short.or(found);
        }
        Ok(too_short)
    }

    /// Number of a row's motion, if the file says.
    fn number(&self, row: usize) -> Option<f64> {
        self.marked.then(|| self.values[row * self.width])
    }

    /// A row's motion, in words.
    fn trajectory(&self, row: usize) -> String {
        match self.number(row) {
            Some(number) => format!("trajectory {number}"),
            None => format!("{} (one trajectory, having no column `trajectory`)", self.path.display()),
        }
    }

    fn append_motion(&self, rows: &[usize], measurements: &mut Measurements) -> Result<Option<usize>, MeasuredError> {
        let skip = usize::from(self.marked);
        let d = self.labels.q.len();
        let row_of = |row: usize| &self.values[row * self.width + skip..(row + 1) * self.width];
        let trajectory = || self.trajectory(rows[0]);
        let from_conditionals = 1 + 2 * d + self.labels.q_ddot.len();
        let conditionals = &row_of(rows[0])[from_conditionals..];
        for pair in rows.windows(2) {
            let (before, after) = (row_of(pair[0]), row_of(pair[1]));
            if after[0] <= before[0] {
                return Err(MeasuredError::UnsortedTime {
                    place: self.place(pair[1]),
                    trajectory: trajectory(),
                    previous: before[0],
                    given: after[0],
                    marked: self.marked,
                });
            }
            let changed = |&c: &usize| after[from_conditionals + c] != conditionals[c];
            if let Some(c) = (0..conditionals.len()).find(changed) {
                return Err(MeasuredError::ConditionalChanges {
                    place: self.place(pair[1]),
                    column: self.labels.conditionals[c].name.clone(),
                    trajectory: trajectory(),
                    previous: before[from_conditionals + c],
                    given: after[from_conditionals + c],
                });
            }
        }
        let times: Vec<f64> = rows.iter().map(|&row| row_of(row)[0]).collect();
        let stretches = unbroken(&times);
        measurements.gaps += stretches.len() - 1;
        let mut too_short = None;
        for (part, stretch) in stretches.iter().enumerate() {
            let (rows, times) = (&rows[stretch.clone()], &times[stretch.clone()]);
            if rows.len() < 2 {
                measurements.left_out.add(rows.len());
                too_short = too_short.or(Some(rows[0]));
                continue;
            }
            let states: Vec<f64> = rows.iter().flat_map(|&row| &row_of(row)[1..1 + 2 * d]).copied().collect();
            let accelerations = rows.iter().flat_map(|&row| &row_of(row)[1 + 2 * d..from_conditionals]).copied();
            measurements.accelerations.extend(accelerations);
            measurements.trajectories.push(times, &states, conditionals)?;
            measurements.origins.push(Origin {
                path: self.path.clone(),
                number: self.number(rows[0]),
                part: (stretches.len() > 1).then_some(part),
                rows: rows.iter().map(|&row| row as u64).collect(),
            });
        }
        Ok(too_short)
    }
}

/// Interval, in medians of its motion's, above which rows in between are missing and another motion begins.
const GAP: f64 = 5.0;

/// The stretches of rows between gaps in the times.
fn unbroken(times: &[f64]) -> Vec<Range<usize>> {
    let intervals: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mut sorted = intervals.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let Some(&median) = sorted.get(sorted.len() / 2) else { return std::iter::once(0..times.len()).collect() };
    let gaps = intervals.iter().enumerate().filter(|&(_, &interval)| interval > GAP * median).map(|(row, _)| row + 1);
    let ends: Vec<usize> = gaps.chain([times.len()]).collect();
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(&ends).map(|(start, &end)| start..end).collect()
}
