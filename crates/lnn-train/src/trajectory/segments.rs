//! All short stretches of observed motions that a training may draw.

use std::sync::Arc;

use super::{Trajectories, TrajectoryError};

/// The segments of a set of trajectories: every run of `observations` consecutive rows of one trajectory.
///
/// A training draws from them uniformly, so that each stretch of motion counts alike, whatever trajectory it is of.
#[derive(Clone, Debug, PartialEq)]
pub struct Segments {
    trajectories: Arc<Trajectories>,
    observations: usize,
    substeps: usize,
    /// Segments of this and all earlier trajectories.
    ends: Vec<usize>,
}

impl Segments {
    /// The segments of `observations` ≥ 2 rows; a model goes from row to row by `substeps` ≥ 1 Runge–Kutta steps.
    ///
    /// # Errors
    /// Numbers below these, no trajectory, or a trajectory shorter than a segment.
    pub fn new(trajectories: Arc<Trajectories>, observations: usize, substeps: usize) -> Result<Self, TrajectoryError> {
        if observations < 2 {
            return Err(TrajectoryError::SegmentTooShort { given: observations });
        }
        if substeps == 0 {
            return Err(TrajectoryError::NoSubsteps);
        }
        if trajectories.is_empty() {
            return Err(TrajectoryError::NoTrajectories);
        }
        let mut ends = Vec::with_capacity(trajectories.len());
        let mut count = 0;
        for (trajectory, motion) in trajectories.motions().enumerate() {
            let rows = motion.rows();
            if rows < observations {
                return Err(TrajectoryError::SegmentTooLong { trajectory, rows, segment: observations });
            }
            count += rows - observations + 1;
            ends.push(count);
        }
        Ok(Self { trajectories, observations, substeps, ends })
    }

    /// The trajectories.
    pub fn trajectories(&self) -> &Arc<Trajectories> {
        &self.trajectories
    }
    /// Rows of a segment.
    pub fn observations(&self) -> usize {
        self.observations
    }
    /// Runge–Kutta steps from one row to the next.
    pub fn substeps(&self) -> usize {
        self.substeps
    }
    /// Runge–Kutta steps of a segment.
    pub fn steps(&self) -> usize {
        (self.observations - 1) * self.substeps
    }
    /// Number of segments, at least 1.
    pub fn count(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Trajectory and first row of the segment that belongs to `unit` in [0, 1): equal parts of that interval for
    /// every segment, in the order of trajectories and rows.
    pub fn at(&self, unit: f64) -> (usize, usize) {
        let count = self.count();
        // A product just below `count` may round up to it.
        let segment = ((unit * count as f64) as usize).min(count - 1);
        let trajectory = self.ends.partition_point(|&end| end <= segment);
        let start = trajectory.checked_sub(1).map_or(0, |before| self.ends[before]);
        (trajectory, segment - start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trajectories(rows: &[usize]) -> Arc<Trajectories> {
        let mut trajectories = Trajectories::new(1, 0).expect("one coordinate");
        for &rows in rows {
            let times: Vec<f64> = (0..rows).map(|row| row as f64).collect();
            trajectories.push(&times, &vec![0.0; 2 * rows], &[]).expect("usable");
        }
        Arc::new(trajectories)
    }

    #[test]
    fn every_segment_has_an_equal_part_of_the_unit_interval() {
        let segments = Segments::new(trajectories(&[3, 5, 3]), 3, 2).expect("they fit");
        assert_eq!((segments.count(), segments.steps()), (5, 4));
        let found: Vec<_> = (0..10).map(|place| segments.at((f64::from(place) + 0.5) / 10.0)).collect();
        let each = [(0, 0), (1, 0), (1, 1), (1, 2), (2, 0)];
        assert_eq!(found, each.into_iter().flat_map(|segment| [segment; 2]).collect::<Vec<_>>());
        assert_eq!(segments.at(1.0_f64.next_down()), (2, 0));
    }

    #[test]
    fn segments_that_do_not_exist_are_refused() {
        let refuse = |rows: &[usize], observations, substeps| {
            Segments::new(trajectories(rows), observations, substeps).expect_err("refused").to_string()
        };
        let message = refuse(&[5, 4], 5, 1);
        assert!(
            message.contains("segments of 5 observations do not fit into trajectory 1, which has 4 rows"),
            "{message}"
        );
        assert!(refuse(&[5], 1, 1).contains("segments of 1 observation(s); give at least 2"));
        assert!(refuse(&[5], 2, 0).contains("0 substeps"));
        assert!(refuse(&[], 2, 1).contains("no trajectory"));
    }
}
