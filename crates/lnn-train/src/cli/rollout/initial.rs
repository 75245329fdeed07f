//! The table of initial states.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

use lnn_train::table::{Column, Place, StateColumns, TableReader};

use super::arguments::RolloutArguments;
use crate::cli::error::CommandError;

/// Initial states as read from a table.
pub(super) struct Initial {
    /// `[motions, 2d]`.
    pub(super) states: Vec<f64>,
    /// `[motions, c]`.
    pub(super) conditionals: Vec<f64>,
    /// What the motions are called in the column `trajectory`.
    pub(super) numbers: Vec<f64>,
    /// Where each motion's start is in the table.
    pub(super) rows: Vec<u64>,
    /// Columns of q, of q̇ and of the conditionals, with the units that the table gives them.
    pub(super) columns: [Vec<Column>; 3],
    /// Whether the table has a column `t`, which is not used.
    pub(super) has_time: bool,
    path: PathBuf,
    names: Option<Vec<String>>,
}

/// Rows read at a time.
const ROWS: usize = 4096;

impl Initial {
    /// Reads the table for a model of d degrees of freedom with these conditionals.
    pub(super) fn read(
        arguments: &RolloutArguments,
        degrees_of_freedom: usize,
        conditionals: &[String],
    ) -> Result<Self, Box<dyn Error>> {
        let path = &arguments.initial;
        let mut reader = TableReader::open(path, arguments.columns.as_deref())?;
        let found = StateColumns::find(path, reader.columns(), conditionals)?;
        found.require(path, degrees_of_freedom)?;
        found.require_velocities(path, reader.columns())?;
        let number = if arguments.first_rows {
            Some(found.trajectory.ok_or_else(|| CommandError::NoTrajectories { path: path.clone() })?)
        } else {
            found.trajectory
        };
        let selected = [&found.q, &found.q_dot, &found.conditionals].map(|places| {
            let column = |&place: &usize| reader.columns()[place].clone();
            places.iter().map(column).collect::<Vec<_>>()
        });
        let places: Vec<usize> =
            [&found.q[..], &found.q_dot, &found.conditionals].concat().into_iter().chain(number).collect();
        reader.select(&places)?;
        let names: Vec<String> = places.iter().map(|&place| reader.columns()[place].name.clone()).collect();
        let mut initial = Self {
            states: Vec::new(),
            conditionals: Vec::new(),
            numbers: Vec::new(),
            rows: Vec::new(),
            columns: selected,
            has_time: found.time.is_some(),
            path: path.clone(),
            names: arguments.columns.clone(),
        };
        // Bits of a trajectory's number → its first row.
        let mut known: BTreeMap<u64, u64> = BTreeMap::new();
        let (mut values, mut row) = (Vec::new(), 0);
        while reader.read(ROWS, &mut values)? > 0 {
            for numbers in values.chunks_exact(places.len()) {
                if let Some(column) = numbers.iter().position(|value| !value.is_finite()) {
                    return Err(CommandError::NotFinite {
                        path: path.clone(),
                        place: reader.place(row),
                        column: names[column].clone(),
                        given: numbers[column],
                    }
                    .into());
                }
                initial.push(numbers, number.is_some(), row, arguments.first_rows, &mut known)?;
                row += 1;
            }
            values.clear();
        }
        if initial.numbers.is_empty() {
            return Err(CommandError::NoStarts { path: path.clone() }.into());
        }
        Ok(initial)
    }

    fn push(
        &mut self,
        numbers: &[f64],
        numbered: bool,
        row: u64,
        first_rows: bool,
        known: &mut BTreeMap<u64, u64>,
    ) -> Result<(), CommandError> {
        let (numbers, number) = match numbers.split_last() {
            Some((number, numbers)) if numbered => (numbers, Some(*number)),
            _ => (numbers, None),
        };
        if let Some(number) = number
            && let Some(&first) = known.get(&number.to_bits())
        {
            if first_rows {
                return Ok(());
            }
            let (first, second) = (self.place_of(first), self.place_of(row));
            return Err(CommandError::SameTrajectory { path: self.path.clone(), number, first, second });
        }
        if let Some(number) = number {
            known.insert(number.to_bits(), row);
        }
        let (state, conditionals) = numbers.split_at(self.columns[0].len() + self.columns[1].len());
        self.states.extend_from_slice(state);
        self.conditionals.extend_from_slice(conditionals);
        self.numbers.push(number.unwrap_or(row as f64));
        self.rows.push(row);
        Ok(())
    }

    /// Where a motion's start is in the table.
    pub(super) fn place(&self, motion: usize) -> Place {
        self.place_of(self.rows[motion])
    }

    fn place_of(&self, row: u64) -> Place {
        let reader = TableReader::open(&self.path, self.names.as_deref());
        reader.map_or(Place::Row(row), |reader| reader.place(row))
    }
}
