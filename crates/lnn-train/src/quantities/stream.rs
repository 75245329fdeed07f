//! A table of states of any length through an evaluator, in the memory of a few blocks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use lnn_autodiff::Real;
use rayon::prelude::*;

use super::{Quantity, StateBlock, StateEvaluator, StateQuantities};
use crate::model::States;
use crate::table::{Column, Decoder, Encoder, RawRows, StateColumns, TableError, TableReader, TableWriter};

/// Rows of a piece, which one thread decodes, evaluates and encodes.
const PIECE: usize = 512;
/// Pieces a thread that are held at once, in each of the two sets: one is computed while the other is written and read. So
/// many that the last one of a set, for which the other threads wait, is a small part of it.
const PIECES_A_THREAD: usize = 16;

/// What to write of a table of states.
#[derive(Clone, Copy, Debug)]
pub struct StreamOptions<'a> {
    /// Where the states are in the table.
    pub states: &'a StateColumns,
    /// What to compute; the model must have all of it.
    pub quantities: &'a [Quantity],
}

/// Why a table was not evaluated.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The table, or what is written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A stop was asked for; nothing was written.
    #[error("the evaluation was stopped on request")]
    Stopped,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streamed {
    /// Rows.
    pub rows: u64,
    /// Rows whose mass matrix is not of full rank; 0 for a model without one.
    pub rank_deficient: u64,
    /// Rows of which a quantity is NaN or infinite; the condition of a singular mass matrix is infinite and does not count.
    pub not_finite: u64,
}

impl StreamOptions<'_> {
    /// Places of the columns that are read, and written first: trajectory and time if there, q, q̇, conditionals.
    fn read(&self) -> Vec<usize> {
        let StateColumns { trajectory, time, q, q_dot, conditionals, .. } = self.states;
        trajectory.iter().chain(time).chain(q).chain(q_dot).chain(conditionals).copied().collect()
    }

    /// The columns that are written, for a table with these.
    pub fn columns(&self, table: &[Column]) -> Vec<Column> {
        let d = self.states.degrees_of_freedom();
        let read = self.read().into_iter().map(|place| table[place].clone());
        let new = self.quantities.iter().flat_map(|quantity| quantity.columns(d)).map(Column::named);
        read.chain(new).collect()
    }
}

/// Evaluates every state of `reader`'s table and writes its columns and the quantities, row for row, to `writer`, whose
/// columns are those of [`StreamOptions::columns`]; `progress` is called with the rows written so far.
///
/// Rows are read by one thread at a time, and decoded, evaluated and encoded by all of the pool. The memory grows with the
/// threads and not with the table.
///
/// # Errors
/// [`StreamError`]: a fault of the table, NaN and infinities included, with its place; a failed write; or `stop`. Nothing
/// is written then.
///
/// # Panics
/// If the states do not fit the model, or the model lacks a quantity.
pub fn evaluate_table<T: Real>(
    evaluator: &StateEvaluator<T>,
    options: StreamOptions<'_>,
    mut reader: TableReader,
    mut writer: TableWriter,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(u64),
) -> Result<Streamed, StreamError> {
    let available = Quantity::of(evaluator.model());
    assert!(options.quantities.iter().all(|quantity| available.contains(quantity)), "quantities of the model");
    let read = options.read();
    let names: Vec<String> = read.iter().map(|&place| reader.columns()[place].name.clone()).collect();
    reader.select(&read)?;
    let work = Work {
        evaluator,
        blocks: (0..rayon::current_num_threads()).map(|_| Mutex::new(evaluator.block())).collect(),
        options,
        decoder: reader.decoder().clone(),
        encoder: writer.encoder().clone(),
        names,
        before: usize::from(options.states.trajectory.is_some()) + usize::from(options.states.time.is_some()),
    };
    let count = PIECES_A_THREAD * rayon::current_num_threads();
    let set = || (0..count).map(|_| Piece::default()).collect::<Vec<_>>();
    let (mut current, mut other) = (set(), set());
    let mut done = Streamed::default();
    let mut filled = fill(&mut reader, &mut current);
    let mut computed = 0;
    // One set is computed while the one before is written and the one after is read.
    while filled > 0 || computed > 0 {
        if stop.load(Ordering::Relaxed) {
            return Err(StreamError::Stopped);
        }
        // Nothing is read behind what could not be.
        let ended = current[..filled].last().is_some_and(|piece| piece.fault.is_some());
        let ((), written) = rayon::join(
            || current[..filled].par_iter_mut().for_each(|piece| piece.compute(&work)),
            || {
                write(&mut writer, &mut other[..computed], &mut done)?;
                Ok::<usize, TableError>(if ended { 0 } else { fill(&mut reader, &mut other) })
            },
        );
        // A fault, of whatever kind, is told when the rows before it are written: it is the first one, however many pieces
        // there are.
        let next = written?;
        computed = filled;
        filled = next;
        std::mem::swap(&mut current, &mut other);
        progress(done.rows);
    }
    writer.finish()?;
    Ok(done)
}

/// Reads the next rows; returns how many pieces have some. The last one may end with what could not be read.
fn fill<T>(reader: &mut TableReader, pieces: &mut [Piece<T>]) -> usize {
    for (number, piece) in pieces.iter_mut().enumerate() {
        match reader.read_raw(PIECE, &mut piece.raw) {
            Ok(true) => {}
            Ok(false) => return number,
            Err(error) => {
                piece.fault = Some(error);
                return number + 1;
            }
        }
    }
    pieces.len()
}

/// Writes computed pieces in their order, up to the first fault.
fn write<T>(writer: &mut TableWriter, pieces: &mut [Piece<T>], done: &mut Streamed) -> Result<(), TableError> {
    for piece in pieces {
        let counted = std::mem::replace(&mut piece.result, Ok(Streamed::default()))?;
        writer.write_encoded(&piece.bytes, counted.rows as usize)?;
        done.rows += counted.rows;
        done.rank_deficient += counted.rank_deficient;
        done.not_finite += counted.not_finite;
    }
    Ok(())
}

/// What all pieces share.
struct Work<'a, T> {
    evaluator: &'a StateEvaluator<T>,
    /// One a thread.
    blocks: Vec<Mutex<StateBlock<T>>>,
    options: StreamOptions<'a>,
    decoder: Decoder,
    encoder: Encoder,
    /// Names of the columns that are read.
    names: Vec<String>,
    /// Columns before the states.
    before: usize,
}

/// Some rows on their way, with all buffers that they need.
#[derive(Debug)]
struct Piece<T> {
    raw: RawRows,
    /// Why the rows behind these could not be read.
    fault: Option<TableError>,
    /// As read, `[rows, columns]`.
    values: Vec<f64>,
    /// One block's states.
    states: [Vec<T>; 3],
    /// As written.
    out: Vec<f64>,
    bytes: Vec<u8>,
    result: Result<Streamed, TableError>,
}

impl<T> Default for Piece<T> {
    fn default() -> Self {
        Self {
            raw: RawRows::default(),
            fault: None,
            values: Vec::new(),
            states: [Vec::new(), Vec::new(), Vec::new()],
            out: Vec::new(),
            bytes: Vec::new(),
            result: Ok(Streamed::default()),
        }
    }
}

impl<T: Real> Piece<T> {
    fn compute(&mut self, work: &Work<'_, T>) {
        self.result = self.decode(work).map(|()| self.evaluate(work));
    }

    fn decode(&mut self, work: &Work<'_, T>) -> Result<(), TableError> {
        self.values.clear();
        // What was decoded before a fault may have one of its own, which comes first.
        let decoded = work.decoder.decode(&self.raw, &mut self.values).map(|_| ());
        let decoded = decoded.and(self.fault.take().map_or(Ok(()), Err));
        let Some(place) = self.values.iter().position(|value| !value.is_finite()) else { return decoded };
        let (row, column) = (place / work.names.len(), place % work.names.len());
        Err(TableError::NotFinite {
            path: work.decoder.path().to_owned(),
            place: self.raw.place(row),
            column: work.names[column].clone(),
            value: self.values[place],
        })
    }

    fn evaluate(&mut self, work: &Work<'_, T>) -> Streamed {
        let (d, width) = (work.options.states.degrees_of_freedom(), work.names.len());
        let mut counted = Streamed::default();
        let thread = rayon::current_thread_index().unwrap_or(0) % work.blocks.len();
        let mut block = work.blocks[thread].lock().unwrap_or_else(PoisonError::into_inner);
        self.out.clear();
        self.bytes.clear();
        for rows in self.values.chunks(StateBlock::<T>::CAPACITY * width) {
            let [q, q_dot, conditionals] = &mut self.states;
            for part in [&mut *q, &mut *q_dot, &mut *conditionals] {
                part.clear();
            }
            for row in rows.chunks_exact(width) {
                let state = &row[work.before..];
                q.extend(state[..d].iter().map(|&x| T::from_f64(x)));
                q_dot.extend(state[d..2 * d].iter().map(|&x| T::from_f64(x)));
                conditionals.extend(state[2 * d..].iter().map(|&x| T::from_f64(x)));
            }
            let found = block.evaluate(work.evaluator, States { q, q_dot, conditionals });
            for (number, row) in rows.chunks_exact(width).enumerate() {
                self.out.extend_from_slice(row);
                let finite = push_quantities(found, work.options.quantities, number, d, &mut self.out);
                counted.rows += 1;
                counted.rank_deficient += u64::from(found.rank.get(number).is_some_and(|&rank| rank < d));
                counted.not_finite += u64::from(!finite);
            }
        }
        work.encoder.encode(&self.out, &mut self.bytes);
        counted
    }
}

/// Appends the columns of a row; false if a number among them is not what a state with an answer gives.
fn push_quantities<T: Real>(
    found: &StateQuantities<T>,
    quantities: &[Quantity],
    row: usize,
    degrees_of_freedom: usize,
    out: &mut Vec<f64>,
) -> bool {
    let mut finite = true;
    for &quantity in quantities {
        let start = out.len();
        found.push_columns(quantity, row, degrees_of_freedom, out);
        // That of a singular matrix is infinite, as its rank says too.
        let may_be_infinite = quantity == Quantity::Condition;
        finite &= out[start..].iter().all(|value| value.is_finite() || (may_be_infinite && !value.is_nan()));
    }
    finite
}
