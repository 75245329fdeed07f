//! Chunks of trajectories, as constrained Hamiltonian networks were trained on.

use lnn_physics::sampling::{Distribution, Interval, StateSampler};

use super::{Trajectories, TrajectoryError};

/// One random chunk of `points` consecutive rows of every trajectory.
///
/// Each trajectory is cut from its start into chunks that do not overlap; rows that fill no chunk are left over. One
/// chunk is kept, all with the same probability: the first draw of stream k of the sampler decides for trajectory k.
/// Times and conditionals stay as they are (Finzi, Wang, Wilson, arXiv:2010.13581, with 100 rows and 5 points).
///
/// # Errors
/// Fewer than 2 points, or a trajectory with fewer rows than a chunk.
pub fn chunks(
    trajectories: &Trajectories,
    points: usize,
    sampler: StateSampler,
) -> Result<Trajectories, TrajectoryError> {
    if points < 2 {
        return Err(TrajectoryError::SegmentTooShort { given: points });
    }
    let unit = [Distribution::Uniform(Interval::constant(0.0, 1.0))];
    let width = 2 * trajectories.degrees_of_freedom();
    let mut kept = Trajectories::new(trajectories.degrees_of_freedom(), trajectories.conditional_count())?;
    for (trajectory, motion) in trajectories.motions().enumerate() {
        let count = motion.rows() / points;
        if count == 0 {
            return Err(TrajectoryError::SegmentTooLong { trajectory, rows: motion.rows(), segment: points });
        }
        let mut draw = [0.0];
        sampler.fill(trajectory as u64, &unit, &mut draw);
        let first = ((draw[0] * count as f64) as usize).min(count - 1) * points;
        let (times, states) = (&motion.times[first..first + points], &motion.states[first * width..]);
        kept.push(times, &states[..points * width], motion.conditionals)?;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` motions of `rows` rows whose q counts the rows and whose q̇ is the motion's number.
    fn counted(count: usize, rows: usize) -> Trajectories {
        let mut trajectories = Trajectories::new(1, 1).expect("one coordinate");
        let times: Vec<f64> = (0..rows).map(|row| 0.03 * row as f64).collect();
        for motion in 0..count {
            let states: Vec<f64> = (0..rows).flat_map(|row| [row as f64, motion as f64]).collect();
            trajectories.push(&times, &states, &[motion as f64]).expect("usable");
        }
        trajectories
    }

    #[test]
    fn one_chunk_of_each_trajectory_is_kept_whole_and_all_are_as_likely() {
        let whole = counted(2000, 103);
        let kept = chunks(&whole, 5, StateSampler::new(1, 2)).expect("they fit");
        assert_eq!((kept.len(), kept.rows()), (2000, 10_000));
        let mut places = [0_usize; 20];
        for (number, motion) in kept.motions().enumerate() {
            let first = motion.state(0)[0] as usize;
            assert!(first.is_multiple_of(5) && first < 100, "{first}");
            places[first / 5] += 1;
            for row in 0..5 {
                assert_eq!(motion.state(row), [(first + row) as f64, number as f64]);
                assert_eq!(motion.times[row], 0.03 * (first + row) as f64);
            }
            assert_eq!(motion.conditionals, [number as f64]);
        }
        // χ² of 20 equal cells has mean 19 and is above 51 once in ten thousand; the draw is always this one.
        let chi_squared: f64 = places.iter().map(|&n| (n as f64 - 100.0).powi(2) / 100.0).sum();
        assert!(chi_squared < 51.0, "{places:?}");
        assert_eq!(kept, chunks(&whole, 5, StateSampler::new(1, 2)).expect("they fit"));
        assert_ne!(kept, chunks(&whole, 5, StateSampler::new(2, 2)).expect("they fit"));
    }

    #[test]
    fn a_trajectory_shorter_than_a_chunk_is_refused() {
        let message = chunks(&counted(2, 4), 5, StateSampler::new(0, 0)).expect_err("too long").to_string();
        assert!(message.contains("trajectory 0, which has 4 rows"), "{message}");
        assert_eq!(
            chunks(&counted(2, 4), 1, StateSampler::new(0, 0)),
            Err(TrajectoryError::SegmentTooShort { given: 1 })
        );
    }
}
