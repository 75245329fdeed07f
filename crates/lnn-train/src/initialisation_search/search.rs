//! The minimisation over the layers' standard deviations.

use std::sync::atomic::{AtomicBool, Ordering};

use argmin::core::{CostFunction, IterState, Problem, Solver, State, TerminationStatus};
use argmin::solver::neldermead::NelderMead;
use argmin_math::{ArgminAdd, ArgminMul, ArgminSub};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How thoroughly to search.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchSettings {
    /// Places that are looked at first.
    pub scan: usize,
    /// Largest distance of these from the centre along each axis, in ln σ.
    pub reach: f64,
    /// Descents, from the best of these.
    pub descents: usize,
    /// Evaluations of a descent, at most but for the few of its last move.
    pub evaluations: usize,
    /// Edge of a descent's first simplex, in ln σ.
    pub edge: f64,
    /// A simplex whose values deviate by less than this has converged.
    pub tolerance: f64,
}

impl Default for SearchSettings {
    /// For the double pendulum some 300 evaluations a network; all cells of preset `fast` converge.
    fn default() -> Self {
        Self { scan: 48, reach: 2.0, descents: 2, evaluations: 200, edge: 0.5, tolerance: 1e-3 }
    }
}

/// Where a search ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Minimum {
    /// The place.
    pub place: Vec<f64>,
    /// The objective there.
    pub value: f64,
    /// Evaluations it took.
    pub evaluations: usize,
    /// Whether the last simplex had converged and a fresh one around its best place had found nothing better.
    pub converged: bool,
}

/// Minimises `objective` near `centre`: looks at random places around it and descends from the best; `None` if `stop`
/// was set, which is looked at before each evaluation.
///
/// The centre is one of the places. The others depend on `seed` alone.
///
/// # Panics
/// If `centre` is empty, or no place is to be looked at or descended from.
pub fn minimise(
    objective: &dyn Fn(&[f64]) -> f64,
    centre: &[f64],
    settings: SearchSettings,
    seed: u64,
    stop: &AtomicBool,
) -> Option<Minimum> {
    assert!(settings.scan > 0 && settings.descents > 0, "a search looks at a place and descends from one");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut seen = Vec::with_capacity(settings.scan);
    for index in 0..settings.scan {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let mut offset = || if index == 0 { 0.0 } else { settings.reach * (2.0 * random.random::<f64>() - 1.0) };
        let place: Vec<f64> = centre.iter().map(|x| x + offset()).collect();
        seen.push((objective(&place), place));
    }
    // Stable, so that equal values keep their order; NaN comes last.
    seen.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut best: Option<Minimum> = None;
    let mut evaluations = settings.scan;
    for (_, place) in seen.iter().take(settings.descents) {
        let found = descend_repeatedly(objective, place, settings, stop)?;
        evaluations += found.evaluations;
        if best.as_ref().is_none_or(|best| found.value < best.value) {
            best = Some(found);
        }
    }
    best.map(|best| Minimum { evaluations, ..best })
}

/// Descends from `start` by the method of Nelder and Mead (1965), and again with a fresh simplex around the best place
/// until that finds nothing better by more than the tolerance: a simplex may have collapsed on a slope.
fn descend_repeatedly(
    objective: &dyn Fn(&[f64]) -> f64,
    start: &[f64],
    settings: SearchSettings,
    stop: &AtomicBool,
) -> Option<Minimum> {
    assert!(!start.is_empty(), "a search needs a direction to look in");
    let mut best = Minimum { place: start.to_vec(), value: f64::INFINITY, evaluations: 0, converged: false };
    let mut edge = settings.edge;
    loop {
        let round = descend(objective, &best.place, edge, settings, best.evaluations, stop)?;
        best.converged = round.value >= best.value - settings.tolerance;
        best.evaluations = round.evaluations;
        if round.value < best.value {
            (best.place, best.value) = (round.place, round.value);
        }
        if best.converged || best.evaluations >= settings.evaluations {
            return Some(best);
        }
        edge = (0.5 * edge).max(0.1 * settings.edge);
    }
}

/// One simplex to its convergence or to the end of the budget, of which `spent` is gone.
fn descend(
    objective: &dyn Fn(&[f64]) -> f64,
    start: &[f64],
    edge: f64,
    settings: SearchSettings,
    spent: usize,
    stop: &AtomicBool,
) -> Option<Minimum> {
    let corner = |moved: Option<usize>| {
        let mut place = start.to_vec();
        if let Some(index) = moved {
            place[index] += edge;
        }
        Place(place)
    };
    let corners = std::iter::once(corner(None)).chain((0..start.len()).map(|index| corner(Some(index)))).collect();
    let mut solver = NelderMead::<Place, f64>::new(corners)
        .with_sd_tolerance(settings.tolerance)
        .expect("a validated tolerance is not negative");
    let mut problem = Problem::new(Objective { objective, stop });
    let cost = "the objective never fails";
    let (mut state, _) = solver.init(&mut problem, IterState::new()).expect(cost);
    loop {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let evaluations = spent + problem.counts.get("cost_count").copied().unwrap_or(0) as usize;
        let status = Solver::<Objective<'_>, _>::terminate(&mut solver, &state);
        if evaluations >= settings.evaluations || status != TerminationStatus::NotTerminated {
            let place = state.get_param().expect("a started search has a place").0.clone();
            return Some(Minimum { place, value: state.get_cost(), evaluations, converged: false });
        }
        (state, _) = solver.next_iter(&mut problem, state).expect(cost);
    }
}

/// A place in the space of the search, as the solver calculates with it.
#[derive(Clone, Debug)]
struct Place(Vec<f64>);

impl Place {
    fn combined(&self, other: &Self, combine: impl Fn(f64, f64) -> f64) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(&a, &b)| combine(a, b)).collect())
    }
}

impl ArgminAdd<Self, Self> for Place {
    fn add(&self, other: &Self) -> Self {
        self.combined(other, |a, b| a + b)
    }
}

impl ArgminSub<Self, Self> for Place {
    fn sub(&self, other: &Self) -> Self {
        self.combined(other, |a, b| a - b)
    }
}

impl ArgminMul<f64, Self> for Place {
    fn mul(&self, factor: &f64) -> Self {
        Self(self.0.iter().map(|a| a * factor).collect())
    }
}

/// The objective as the solver calls it.
struct Objective<'a> {
    objective: &'a dyn Fn(&[f64]) -> f64,
    stop: &'a AtomicBool,
}

impl CostFunction for Objective<'_> {
    type Param = Place;
    type Output = f64;

    fn cost(&self, place: &Place) -> Result<f64, argmin::core::Error> {
        // The solver does not take an error in its first simplex: what a stopped search found is thrown away instead.
        // NaN would be neither better nor worse than anything.
        let value = if self.stop.load(Ordering::Relaxed) { f64::INFINITY } else { (self.objective)(&place.0) };
        Ok(if value.is_nan() { f64::INFINITY } else { value })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const SETTINGS: SearchSettings =
        SearchSettings { scan: 40, reach: 2.0, descents: 3, evaluations: 2000, edge: 0.5, tolerance: 1e-12 };

    /// Rosenbrock's valley in three dimensions, smallest at (1, 1, 1).
    fn valley(x: &[f64]) -> f64 {
        x.windows(2).map(|pair| 100.0 * (pair[1] - pair[0] * pair[0]).powi(2) + (1.0 - pair[0]).powi(2)).sum()
    }

    fn search(objective: &dyn Fn(&[f64]) -> f64, settings: SearchSettings, seed: u64) -> Option<Minimum> {
        minimise(objective, &[-1.0, 0.5, 2.0], settings, seed, &AtomicBool::new(false))
    }

    #[test]
    fn a_bent_valley_is_followed_to_its_end() {
        let found = search(&valley, SETTINGS, 1).expect("not stopped");
        assert!(found.converged && found.value < 1e-10, "{found:?}");
        // The valley's Hessian has the smallest eigenvalue 0.1 or so: a value of 1e-10 is within 1e-4.
        assert!(found.place.iter().all(|x| (x - 1.0).abs() < 1e-4), "{found:?}");
        assert_eq!(search(&valley, SETTINGS, 1).expect("not stopped"), found);
        assert_ne!(search(&valley, SETTINGS, 2).expect("not stopped").place, found.place);
    }

    #[test]
    fn the_lower_of_two_basins_is_found() {
        // Basins at −2 and at 1.5, the first less deep; the centre lies in the first.
        let objective = |x: &[f64]| {
            let bowl = |at: f64| x.iter().map(|x| (x - at).powi(2)).sum::<f64>();
            (1.0 + bowl(-2.0)).min(bowl(1.5))
        };
        let run = |scan, descents| {
            let settings = SearchSettings { scan, descents, reach: 4.0, ..SETTINGS };
            minimise(&objective, &[-2.0; 2], settings, 3, &AtomicBool::new(false)).expect("not stopped")
        };
        assert!((run(1, 1).value - 1.0).abs() < 1e-9, "without a scan the nearest basin");
        assert!(run(60, 3).value < 1e-9);
    }

    #[test]
    fn places_without_a_value_are_left() {
        let objective = |x: &[f64]| if x[0] < 0.0 { f64::NAN } else { valley(x) };
        let found = search(&objective, SETTINGS, 4).expect("not stopped");
        assert!(found.value < 1e-10, "{found:?}");
        let nowhere = search(&|_| f64::NAN, SETTINGS, 4).expect("not stopped");
        assert_eq!(nowhere.value, f64::INFINITY);
    }

    #[test]
    fn a_budget_ends_the_search() {
        let settings = SearchSettings { evaluations: 30, descents: 1, ..SETTINGS };
        let found = search(&valley, settings, 1).expect("not stopped");
        // A move costs at most d + 2 evaluations.
        assert!(!found.converged && (70..=75).contains(&found.evaluations), "{found:?}");
    }

    #[test]
    fn a_stopped_search_evaluates_no_further() {
        for last in [1, 39, 40, 43, 100] {
            let (calls, stop) = (Cell::new(0), AtomicBool::new(false));
            let objective = |x: &[f64]| {
                calls.set(calls.get() + 1);
                if calls.get() == last {
                    stop.store(true, Ordering::Relaxed);
                }
                valley(x)
            };
            assert_eq!(minimise(&objective, &[-1.0, 0.5, 2.0], SETTINGS, 1, &stop), None);
            assert_eq!(calls.get(), last);
        }
    }
}
