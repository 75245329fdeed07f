//! Standing waves of lines and grids: the eigenvectors of the difference operator of neighbours.

use std::f64::consts::PI;

use crate::topology::{Boundary, Topology, TopologyKind};

/// Standing waves along one direction, lowest first, each with a mean square of 1 over the sites.
///
/// They are orthogonal and solve f_{i−1} − 2f_i + f_{i+1} = −4 sin²(k/2) f_i with the ends of the lattice,
/// k the wave number:
///
/// - periodic: cos and sin of k i, k = 2πm/n, m = 0 … n/2;
/// - fixed: sin k(i + 1), k = πm/(n + 1), m = 1 … n;
/// - free: cos k(i + ½), k = πm/n, m = 0 … n − 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AxisModes {
    sites: usize,
    /// `[modes, sites]`.
    functions: Vec<f64>,
    /// k of each, `[modes]`.
    wave_numbers: Vec<f64>,
}

impl AxisModes {
    /// All with m up to `highest`, which is at most [`highest`].
    pub(super) fn new(sites: usize, boundary: Boundary, highest: usize) -> Self {
        debug_assert!(highest <= self::highest(sites, boundary), "the lattice has such modes");
        let mut modes = Self { sites, functions: Vec::new(), wave_numbers: Vec::new() };
        let first = usize::from(boundary == Boundary::Fixed);
        for m in first..=highest {
            match boundary {
                // The product m·i is reduced by whole turns before it is rounded.
                Boundary::Periodic => {
                    let angle = |i: usize| 2.0 * PI * (m * i % sites) as f64 / sites as f64;
                    let k = 2.0 * PI * m as f64 / sites as f64;
                    modes.push(k, |i| angle(i).cos());
                    if m > 0 && 2 * m < sites {
                        modes.push(k, |i| angle(i).sin());
                    }
                }
                Boundary::Fixed => {
                    let turn = 2 * (sites + 1);
                    modes.push(PI * m as f64 / (sites + 1) as f64, |i| {
                        (2.0 * PI * (m * (i + 1) % turn) as f64 / turn as f64).sin()
                    });
                }
                Boundary::Free => {
                    let turn = 4 * sites;
                    modes.push(PI * m as f64 / sites as f64, |i| {
                        (2.0 * PI * (m * (2 * i + 1) % turn) as f64 / turn as f64).cos()
                    });
                }
            }
        }
        modes
    }

    fn push(&mut self, wave_number: f64, function: impl Fn(usize) -> f64) {
        let from = self.functions.len();
        self.functions.extend((0..self.sites).map(function));
        let values = &mut self.functions[from..];
        let scale = (self.sites as f64 / values.iter().map(|value| value * value).sum::<f64>()).sqrt();
        for value in values {
            *value *= scale;
        }
        self.wave_numbers.push(wave_number);
    }

    pub(super) fn sites(&self) -> usize {
        self.sites
    }

    /// Number of modes.
    pub(super) fn count(&self) -> usize {
        self.wave_numbers.len()
    }

    /// Mode number `index`, `[sites]`.
    pub(super) fn function(&self, index: usize) -> &[f64] {
        &self.functions[index * self.sites..][..self.sites]
    }

    pub(super) fn wave_number(&self, index: usize) -> f64 {
        self.wave_numbers[index]
    }

    /// True when mode number `index` is the constant.
    pub(super) fn is_constant(&self, index: usize) -> bool {
        self.wave_numbers[index] == 0.0
    }
}

/// The largest m that a direction has.
pub(super) fn highest(sites: usize, boundary: Boundary) -> usize {
    match boundary {
        Boundary::Periodic => sites / 2,
        Boundary::Fixed => sites,
        Boundary::Free => sites - 1,
    }
}

/// Sites and boundary of both directions, `None` for a graph. A line is a grid of one free row: nothing
/// depends on the row.
pub(super) fn axes(topology: &Topology) -> Option<[(usize, Boundary); 2]> {
    match topology.kind() {
        TopologyKind::Line { boundary } => Some([(1, Boundary::Free), (topology.sites(), boundary)]),
        TopologyKind::Grid { rows, columns, boundary } => Some([(rows, boundary[0]), (columns, boundary[1])]),
        TopologyKind::Graph => None,
    }
}
