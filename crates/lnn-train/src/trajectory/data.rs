//! The table of observed motions, judged row by row as it is filled.

use lnn_autodiff::Real;

use super::TrajectoryError;

/// Observed motions of one system: states (q, q̇) at times, and what is constant along each motion.
///
/// Every trajectory has at least 2 rows, at times that strictly increase; all numbers are finite. Angles go on beyond
/// ±π and are not wrapped: the difference of two states is the way between them.
///
/// ```
/// use lnn_train::trajectory::Trajectories;
///
/// let mut trajectories = Trajectories::new(1, 0)?;
/// trajectories.push(&[0.0, 0.1, 0.3], &[1.0, 0.0, 0.98, -0.4, 0.82, -1.2], &[])?;
/// assert_eq!(trajectories.motion(0).state(1), [0.98, -0.4]);
///
/// let repeated = trajectories.push(&[0.0, 0.1, 0.1], &[0.0; 6], &[]).unwrap_err();
/// assert!(repeated.to_string().starts_with("trajectory 1, row 2: the time 0.1 does not lie after 0.1"));
/// # Ok::<(), lnn_train::trajectory::TrajectoryError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectories {
    dof: usize,
    conditional_count: usize,
    /// Row after the last one of each trajectory.
    ends: Vec<usize>,
    times: Vec<f64>,
    /// `[rows, 2d]`.
    states: Vec<f64>,
    /// `[trajectories, c]`.
    conditionals: Vec<f64>,
}

/// One trajectory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Motion<'a> {
    /// Times, `[rows]`, strictly increasing.
    pub times: &'a [f64],
    /// States (q, q̇), `[rows, 2d]`.
    pub states: &'a [f64],
    /// What is constant along the motion, `[c]`.
    pub conditionals: &'a [f64],
}

impl<'a> Motion<'a> {
    /// The state (q, q̇) of a row, `[2d]`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn state(&self, row: usize) -> &'a [f64] {
        let width = self.states.len() / self.times.len();
        &self.states[row * width..(row + 1) * width]
    }

    /// Number of rows, at least 2.
    pub fn rows(&self) -> usize {
        self.times.len()
    }
}

impl Trajectories {
    /// No trajectory yet, of a system with `dof` degrees of freedom and `conditionals` conditional inputs.
    ///
    /// # Errors
    /// [`TrajectoryError::NoCoordinates`] if `dof` is 0.
    pub fn new(dof: usize, conditionals: usize) -> Result<Self, TrajectoryError> {
        if dof == 0 {
            return Err(TrajectoryError::NoCoordinates);
        }
        let (ends, times, states) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { dof, conditional_count: conditionals, ends, times, states, conditionals: Vec::new() })
    }

    /// Appends a trajectory: `times` `[rows]`, `states` `[rows, 2d]`, `conditionals` `[c]`.
    ///
    /// # Errors
    /// As [`push_rows`](Self::push_rows), and [`TrajectoryError::Length`] if the states do not belong to the times.
    pub fn push(&mut self, times: &[f64], states: &[f64], conditionals: &[f64]) -> Result<(), TrajectoryError> {
        let width = 2 * self.dof;
        if states.len() != times.len() * width {
            let (trajectory, times, given) = (self.len(), times.len(), states.len());
            return Err(TrajectoryError::Length { trajectory, times, given, width });
        }
        self.push_rows(times.iter().copied().zip(states.chunks_exact(width)), conditionals)
    }

    /// Appends a trajectory row by row: the time, and the state (q, q̇) `[2d]`. After an error it is left out.
    ///
    /// # Errors
    /// Fewer than 2 rows, a row of another width, a number that is not finite, a time that does not lie after the one
    /// before, or another number of conditionals than c: [`TrajectoryError`] names trajectory, row and column.
    pub fn push_rows<'a>(
        &mut self,
        rows: impl IntoIterator<Item = (f64, &'a [f64])>,
        conditionals: &[f64],
    ) -> Result<(), TrajectoryError> {
        let before = self.times.len();
        let result = self.append_rows(rows).and_then(|()| self.require_conditionals(conditionals));
        match result {
            Ok(()) => {
                self.ends.push(self.times.len());
                self.conditionals.extend_from_slice(conditionals);
            }
            Err(_) => {
                self.times.truncate(before);
                self.states.truncate(before * 2 * self.dof);
            }
        }
        result
    }

    fn append_rows<'a>(&mut self, rows: impl IntoIterator<Item = (f64, &'a [f64])>) -> Result<(), TrajectoryError> {
        let (trajectory, expected) = (self.len(), 2 * self.dof);
        let mut count = 0;
        for (row, (time, state)) in rows.into_iter().enumerate() {
            if !time.is_finite() {
                return Err(TrajectoryError::NonFiniteTime { trajectory, row, given: time });
            }
            if let Some(&previous) = self.times.last().filter(|&&previous| row > 0 && time <= previous) {
                return Err(TrajectoryError::UnsortedTimes { trajectory, row, previous, given: time });
            }
            if state.len() != expected {
                return Err(TrajectoryError::RowWidth { trajectory, row, given: state.len(), expected });
            }
            if let Some(column) = state.iter().position(|x| !x.is_finite()) {
                let (given, precision) = (state[column], f64::NAME);
                return Err(TrajectoryError::NonFiniteState { trajectory, row, column, given, precision });
            }
            self.times.push(time);
            self.states.extend_from_slice(state);
            count += 1;
        }
        if count < 2 { Err(TrajectoryError::TooFewRows { trajectory, rows: count }) } else { Ok(()) }
    }

    fn require_conditionals(&self, conditionals: &[f64]) -> Result<(), TrajectoryError> {
        let (trajectory, given, expected) = (self.len(), conditionals.len(), self.conditional_count);
        if given != expected {
            return Err(TrajectoryError::Conditionals { trajectory, given, expected });
        }
        match conditionals.iter().position(|x| !x.is_finite()) {
            Some(column) => {
                Err(TrajectoryError::NonFiniteConditional { trajectory, column, given: conditionals[column] })
            }
            None => Ok(()),
        }
    }

    /// Refuses states that overflow in the precision `T` of a training.
    ///
    /// # Errors
    /// [`TrajectoryError::NonFiniteState`] for the first such component.
    pub fn require_finite_in<T: Real>(&self) -> Result<(), TrajectoryError> {
        let width = 2 * self.dof;
        for (trajectory, motion) in self.motions().enumerate() {
            if let Some(place) = motion.states.iter().position(|&x| !T::from_f64(x).is_finite()) {
                let (row, column, given) = (place / width, place % width, motion.states[place]);
                return Err(TrajectoryError::NonFiniteState { trajectory, row, column, given, precision: T::NAME });
            }
        }
        Ok(())
    }

    /// Degrees of freedom d.
    pub fn degrees_of_freedom(&self) -> usize {
        self.dof
    }
    /// Conditionals c of each motion.
    pub fn conditional_count(&self) -> usize {
        self.conditional_count
    }
    /// Number of trajectories.
    pub fn len(&self) -> usize {
        self.ends.len()
    }
    /// Whether there is no trajectory.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
    /// Observed states of all trajectories together.
    pub fn rows(&self) -> usize {
        self.times.len()
    }

    /// A trajectory by its number.
    ///
    /// # Panics
    /// If there is no such trajectory.
    pub fn motion(&self, trajectory: usize) -> Motion<'_> {
        let start = self.first_row(trajectory);
        let (end, width, c) = (self.ends[trajectory], 2 * self.dof, self.conditional_count);
        Motion {
            times: &self.times[start..end],
            states: &self.states[start * width..end * width],
            conditionals: &self.conditionals[trajectory * c..(trajectory + 1) * c],
        }
    }

    /// Number of the first row of a trajectory among all rows.
    pub(crate) fn first_row(&self, trajectory: usize) -> usize {
        trajectory.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    /// All trajectories in their order.
    pub fn motions(&self) -> impl ExactSizeIterator<Item = Motion<'_>> {
        (0..self.len()).map(|trajectory| self.motion(trajectory))
    }

    /// These trajectories, and each backward in time: at −t the state (q, −q̇), rows in the reverse order, which is a motion
    /// too where the Lagrangian is even in q̇.
    ///
    /// # Errors
    /// None that these trajectories had not met.
    pub fn with_time_reversal(&self) -> Result<Self, TrajectoryError> {
        let mut both = self.clone();
        let d = self.dof;
        for motion in self.motions() {
            let times: Vec<f64> = motion.times.iter().rev().map(|time| -time).collect();
            let rows = motion.states.chunks_exact(2 * d).rev();
            let states: Vec<f64> = rows
                .flat_map(|state| [&state[..d], &state[d..]].into_iter().enumerate())
                .flat_map(|(half, values)| values.iter().map(move |&x| if half == 0 { x } else { -x }))
                .collect();
            both.push(&times, &states, motion.conditionals)?;
        }
        Ok(both)
    }

    /// These trajectories, and each mirrored: at the same time the state (−q, −q̇), which is a motion too where the
    /// Lagrangian is even in (q, q̇) together.
    ///
    /// # Errors
    /// None that these trajectories had not met.
    pub fn with_reflection(&self) -> Result<Self, TrajectoryError> {
        let mut both = self.clone();
        for motion in self.motions() {
            let states: Vec<f64> = motion.states.iter().map(|x| -x).collect();
            both.push(motion.times, &states, motion.conditionals)?;
        }
        Ok(both)
    }

    /// Standard deviation of each component of (q, q̇) over all observed states, `[2d]`; 0 without any.
    pub fn deviations(&self) -> Vec<f64> {
        let (width, n) = (2 * self.dof, self.rows().max(1) as f64);
        let column = |j: usize| self.states.iter().skip(j).step_by(width);
        (0..width)
            .map(|j| {
                let mean = column(j).sum::<f64>() / n;
                (column(j).map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt()
            })
            .collect()
    }

    /// The states of all trajectories, `[rows, 2d]`, for a change that keeps them finite.
    pub(super) fn states_mut(&mut self) -> &mut [f64] {
        &mut self.states
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_coordinates() -> Trajectories {
        let mut trajectories = Trajectories::new(2, 1).expect("two coordinates");
        trajectories.push(&[0.0, 1.0], &[1.0; 8], &[3.0]).expect("two rows");
        trajectories
    }

    #[test]
    fn every_fault_is_refused_by_trajectory_row_and_column_and_leaves_the_rest_alone() {
        const NAN: f64 = f64::NAN;
        type Rows = Vec<(f64, Vec<f64>)>;
        let ones = || vec![1.0; 4];
        let cases: [(Rows, &[f64], &str); 10] = [
            (vec![], &[1.0], "trajectory 1 has 0 row(s); a motion needs at least 2"),
            (vec![(0.0, ones())], &[1.0], "trajectory 1 has 1 row(s)"),
            (
                vec![(0.0, ones()), (2.0, ones()), (1.0, ones())],
                &[1.0],
                "trajectory 1, row 2: the time 1 does not lie after 2, that of the row before; sort the rows",
            ),
            (vec![(0.5, ones()), (0.5, ones())], &[1.0], "row 1: the time 0.5 does not lie after 0.5"),
            (vec![(NAN, ones()), (0.5, ones())], &[1.0], "trajectory 1, row 0: the time is NaN"),
            (vec![(0.0, ones()), (f64::INFINITY, ones())], &[1.0], "trajectory 1, row 1: the time is inf"),
            (
                vec![(0.0, ones()), (1.0, vec![1.0; 6])],
                &[1.0],
                "trajectory 1, row 1 has 6 columns, but all rows are states (q, q_dot) of 4",
            ),
            (
                vec![(0.0, ones()), (1.0, vec![0.0, 0.0, -f64::INFINITY, 0.0])],
                &[1.0],
                "trajectory 1, row 1, column 2: the state is -inf, which is not finite in f64",
            ),
            (vec![(0.0, ones()), (1.0, ones())], &[], "trajectory 1 has 0 conditional(s), but all trajectories have 1"),
            (vec![(0.0, ones()), (1.0, ones())], &[NAN], "trajectory 1, conditional 0 is NaN"),
        ];
        for (rows, conditionals, words) in cases {
            let mut trajectories = two_coordinates();
            let rows = rows.iter().map(|(time, state)| (*time, &**state));
            let message = trajectories.push_rows(rows, conditionals).expect_err(words).to_string();
            assert!(message.contains(words), "{words}\n{message}");
            assert_eq!(trajectories, two_coordinates());
        }
        let message = two_coordinates().push(&[0.0, 1.0], &[0.0; 7], &[1.0]).expect_err("7 of 8").to_string();
        assert!(message.contains("2 times and 7 numbers of states; 2 rows of 4 columns (q, q_dot) are 8"), "{message}");
        assert_eq!(Trajectories::new(0, 3), Err(TrajectoryError::NoCoordinates));
    }

    #[test]
    fn trajectories_of_any_length_come_back_as_they_were_given() {
        let mut trajectories = two_coordinates();
        let states: Vec<f64> = (0..12).map(f64::from).collect();
        trajectories.push(&[-1.0, 0.0, 5.0], &states, &[7.0]).expect("three rows");
        assert_eq!((trajectories.len(), trajectories.rows()), (2, 5));
        let motion = trajectories.motion(1);
        assert_eq!((motion.times, motion.states, motion.conditionals), (&[-1.0, 0.0, 5.0][..], &*states, &[7.0][..]));
        assert_eq!((motion.rows(), motion.state(2)), (3, &[8.0, 9.0, 10.0, 11.0][..]));
        assert_eq!(trajectories.motions().map(|motion| motion.conditionals[0]).collect::<Vec<_>>(), [3.0, 7.0]);
        // Column 0 holds 1, 1, 0, 4, 8: mean 2.8, squares' mean 16.4.
        assert!((trajectories.deviations()[0] - (16.4 - 2.8_f64.powi(2)).sqrt()).abs() < 1e-14);
    }

    #[test]
    fn a_motion_backward_in_time_has_the_rates_of_the_one_forward_with_the_other_sign() {
        let mut trajectories = Trajectories::new(1, 1).expect("one coordinate");
        trajectories.push(&[0.0, 1.0, 3.0], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[7.0]).expect("three rows");
        let both = trajectories.with_time_reversal().expect("the same numbers");
        assert_eq!((both.len(), both.motion(0)), (2, trajectories.motion(0)));
        let backward = both.motion(1);
        assert_eq!((backward.times, backward.conditionals), (&[-3.0, -1.0, 0.0][..], &[7.0][..]));
        assert_eq!(backward.states, [5.0, -6.0, 3.0, -4.0, 1.0, -2.0]);
        let mirrored = trajectories.with_reflection().expect("the same numbers");
        assert_eq!((mirrored.len(), mirrored.motion(1).times), (2, trajectories.motion(0).times));
        assert_eq!(mirrored.motion(1).states, [-1.0, -2.0, -3.0, -4.0, -5.0, -6.0]);
    }

    #[test]
    fn what_single_precision_cannot_hold_is_found() {
        let mut trajectories = two_coordinates();
        trajectories.push(&[0.0, 1.0], &[0.0, 0.0, 0.0, 0.0, 0.0, 1e39, 0.0, 0.0], &[0.0]).expect("finite in f64");
        assert_eq!(trajectories.require_finite_in::<f64>(), Ok(()));
        let message = trajectories.require_finite_in::<f32>().expect_err("too large").to_string();
        let words = ["trajectory 1, row 1, column 1", "not finite in f32", "train in f64"];
        assert!(words.iter().all(|words| message.contains(words)), "{message}");
    }
}
