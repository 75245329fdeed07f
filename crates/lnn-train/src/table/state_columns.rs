//! Which columns of a table are states.

use std::path::Path;

use super::{Column, TableError};

/// Places of the states' columns in a table, found by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateColumns {
    /// `trajectory`: rows of one number belong together.
    pub trajectory: Option<usize>,
    /// `t`.
    pub time: Option<usize>,
    /// `q0`, `q1`, …: as many as there are, d.
    pub q: Vec<usize>,
    /// `q_dot0`, …: d, or none.
    pub q_dot: Vec<usize>,
    /// `q_ddot0`, …: d, or none.
    pub q_ddot: Vec<usize>,
    /// The conditionals that were asked for, in their order.
    pub conditionals: Vec<usize>,
}

impl StateColumns {
    /// Finds `trajectory`, `t`, `q0…`, `q_dot0…`, `q_ddot0…` and the named `conditionals` among `columns`; `path` is the
    /// table's name in messages.
    ///
    /// # Errors
    /// [`TableError::MissingColumn`] without `q0`, with velocities or accelerations of some coordinates only, or without a
    /// conditional; [`TableError::BeyondCoordinates`] for a number beyond a gap.
    pub fn find(path: &Path, columns: &[Column], conditionals: &[String]) -> Result<Self, TableError> {
        let place = |name: &str| columns.iter().position(|column| column.name == name);
        let require = |name: &str| place(name).ok_or_else(|| missing(path, columns, name));
        require("q0")?;
        let q: Vec<usize> = (0..).map_while(|j| place(&format!("q{j}"))).collect();
        let d = q.len();
        let of_coordinates = |stem: &str| -> Result<Vec<usize>, TableError> {
            let numbered = |column: &&Column| column.name.strip_prefix(stem).is_some_and(is_number);
            match columns.iter().find(numbered) {
                None => Ok(Vec::new()),
                Some(_) => (0..d).map(|j| require(&format!("{stem}{j}"))).collect(),
            }
        };
        let (q_dot, q_ddot) = (of_coordinates("q_dot")?, of_coordinates("q_ddot")?);
        let beyond = columns.iter().find(|column| {
            ["q", "q_dot", "q_ddot"].iter().any(|stem| {
                let number = column.name.strip_prefix(stem).filter(|rest| is_number(rest));
                number.is_some_and(|number| number.parse::<usize>().map_or(true, |j| j >= d))
            })
        });
        if let Some(column) = beyond {
            let (path, name) = (path.to_owned(), column.name.clone());
            return Err(TableError::BeyondCoordinates { path, name, degrees_of_freedom: d });
        }
        let conditionals = conditionals.iter().map(|name| require(name)).collect::<Result<_, _>>()?;
        Ok(Self { trajectory: place("trajectory"), time: place("t"), q, q_dot, q_ddot, conditionals })
    }

    /// Degrees of freedom d.
    pub fn degrees_of_freedom(&self) -> usize {
        self.q.len()
    }

    /// Refuses a table of another number of coordinates.
    ///
    /// # Errors
    /// [`TableError::Dimension`].
    pub fn require(&self, path: &Path, degrees_of_freedom: usize) -> Result<(), TableError> {
        let (found, expected) = (self.degrees_of_freedom(), degrees_of_freedom);
        if found == expected { Ok(()) } else { Err(TableError::Dimension { path: path.to_owned(), found, expected }) }
    }

    /// Refuses a table without velocities.
    ///
    /// # Errors
    /// [`TableError::MissingColumn`].
    pub fn require_velocities(&self, path: &Path, columns: &[Column]) -> Result<(), TableError> {
        if self.q_dot.is_empty() { Err(missing(path, columns, "q_dot0")) } else { Ok(()) }
    }

    /// The place of the time.
    ///
    /// # Errors
    /// [`TableError::MissingColumn`].
    pub fn require_time(&self, path: &Path, columns: &[Column]) -> Result<usize, TableError> {
        self.time.ok_or_else(|| missing(path, columns, "t"))
    }
}

/// Whether a name's rest is the number of a coordinate.
fn is_number(rest: &str) -> bool {
    !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())
}

fn missing(path: &Path, columns: &[Column], name: &str) -> TableError {
    let columns = columns.iter().filter(|column| !column.name.is_empty()).map(|column| column.name.clone()).collect();
    TableError::MissingColumn { path: path.to_owned(), name: name.to_owned(), columns }
}
