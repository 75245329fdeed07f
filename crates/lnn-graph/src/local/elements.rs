//! Which sites each evaluation of a network sees.

use std::ops::Range;

use lnn_autodiff::Real;

use crate::density::Neighbourhood;
use crate::topology::{OUTSIDE, Topology};

/// The places beyond fixed ends, each with the end site that it is a neighbour of: `(site, place in its stencil)`.
fn walls(topology: &Topology) -> impl Iterator<Item = (u32, usize)> {
    let (indices, width) = topology.stencil().map_or((&[][..], 1), |stencil| (stencil.indices, stencil.width));
    let outside = indices.iter().enumerate().filter(|&(_, &index)| index == OUTSIDE);
    outside.map(move |(at, _)| ((at / width) as u32, at % width))
}

/// All evaluations of one network on one topology.
#[derive(Clone, Debug)]
pub(crate) struct Elements {
    pub(crate) width: usize,
    pub(crate) components: usize,
    /// `[elements, width]`; [`OUTSIDE`] where there is no site, so that field and rate are zero.
    pub(crate) sites: Vec<u32>,
    /// `[elements]`: the site whose density the evaluation is part of.
    pub(crate) owners: Vec<u32>,
    /// `[elements, a]`.
    attributes: Vec<f64>,
    attribute_count: usize,
}

impl Elements {
    /// The evaluations of the network number `index` of a neighbourhood, whose width says which it is: one for each site or
    /// pair of neighbours, and for each place beyond a fixed end.
    ///
    /// `site_attributes` is `[sites, ·]`; edges' attributes are the topology's own.
    pub(crate) fn new(
        neighbourhood: Neighbourhood,
        index: usize,
        components: usize,
        topology: &Topology,
        site_attributes: &[f64],
    ) -> Self {
        let width = neighbourhood.widths()[index];
        let n = topology.sites();
        let per_site = site_attributes.len() / n;
        let of_site = |site: usize| &site_attributes[site * per_site..(site + 1) * per_site];
        let per_edge =
            if neighbourhood == Neighbourhood::Pairs && width == 2 { topology.attributes_per_edge() } else { 0 };
        let (sites, owners) = (Vec::new(), Vec::new());
        let attribute_count = per_site + per_edge;
        let mut elements = Self { width, components, sites, owners, attributes: Vec::new(), attribute_count };
        let mut add = |sites: &[u32], owner: u32, of_edge: &[f64]| {
            elements.sites.extend_from_slice(sites);
            elements.owners.push(owner);
            elements.attributes.extend_from_slice(of_site(owner as usize));
            elements.attributes.extend_from_slice(of_edge);
        };
        match (neighbourhood, width) {
            (Neighbourhood::Pairs, 2) => {
                for (&[i, j], edge) in topology.edges().iter().zip(0..) {
                    let of_edge = &topology.edge_attributes()[edge * per_edge..(edge + 1) * per_edge];
                    let [i, j] = [i as u32, j as u32];
                    add(&[i, j], i, of_edge);
                    add(&[j, i], j, of_edge);
                }
                // A wall is a neighbour that does not move, and has a side of its own as every neighbour has.
                for (site, _) in walls(topology) {
                    add(&[site, OUTSIDE], site, &[]);
                    add(&[OUTSIDE, site], site, &[]);
                }
            }
            (Neighbourhood::Pairs, _) => (0..n as u32).for_each(|site| add(&[site], site, &[])),
            _ => {
                let stencil = topology.stencil().expect("a line or grid has ordered neighbourhoods");
                (0..n).for_each(|site| add(stencil.of(site), site as u32, &[]));
                // The density of a place beyond a fixed end sees the end site from the other side.
                let mut beyond = vec![OUTSIDE; width];
                for (site, place) in walls(topology) {
                    let opposite = width - 1 - place;
                    beyond[opposite] = site;
                    add(&beyond, site, &[]);
                    beyond[opposite] = OUTSIDE;
                }
            }
        }
        elements
    }

    /// Number of evaluations a sample.
    pub(crate) fn len(&self) -> usize {
        self.owners.len()
    }

    /// Unknowns of an element.
    pub(crate) fn unknowns(&self) -> usize {
        self.width * self.components
    }

    /// Numbers that an element gives: d(d + 1)/2 of its mass matrix and d of its force.
    pub(crate) fn matrix_and_force(&self) -> usize {
        let d = self.unknowns();
        d * (d + 1) / 2 + d
    }

    /// The global unknown of an element's local one, or nothing where there is no site.
    pub(crate) fn unknown(&self, element: usize, local: usize) -> Option<usize> {
        let site = self.sites[element * self.width + local / self.components];
        (site != OUTSIDE).then(|| site as usize * self.components + local % self.components)
    }

    /// The rows `rows` as runs of elements of one sample: `(sample, elements, first row of the run in the chunk)`.
    pub(crate) fn runs(&self, rows: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>, usize)> {
        let (count, start) = (self.len(), rows.start);
        let mut next = rows.start;
        std::iter::from_fn(move || {
            (next < rows.end).then(|| {
                let (sample, element, at) = (next / count, next % count, next - start);
                let length = (count - element).min(rows.end - next);
                next += length;
                (sample, element..element + length, at)
            })
        })
    }

    /// Writes what the unknowns of `global` `[samples, sites × components]` are at the elements of `rows`, an evaluation
    /// of sample `row / elements`, to `local` `[rows, unknowns]`.
    pub(crate) fn gather<T: Real>(&self, rows: Range<usize>, stride: usize, global: &[T], local: &mut [T]) {
        let (c, width) = (self.components, self.width);
        for (sample, elements, at) in self.runs(rows) {
            let global = &global[sample * stride..(sample + 1) * stride];
            let sites = &self.sites[elements.start * width..elements.end * width];
            let local = &mut local[at * width * c..(at + elements.len()) * width * c];
            if c == 1 {
                for (place, &site) in local.iter_mut().zip(sites) {
                    *place = if site == OUTSIDE { T::ZERO } else { global[site as usize] };
                }
                continue;
            }
            for (place, &site) in local.chunks_exact_mut(c).zip(sites) {
                match site {
                    OUTSIDE => place.fill(T::ZERO),
                    site => place.copy_from_slice(&global[site as usize * c..(site as usize + 1) * c]),
                }
            }
        }
    }

    /// Adds `local` `[rows, unknowns]`, the transpose of [`gather`](Self::gather), to `global`.
    pub(crate) fn scatter_add<T: Real>(&self, rows: Range<usize>, stride: usize, local: &[T], global: &mut [T]) {
        let (c, width) = (self.components, self.width);
        for (sample, elements, at) in self.runs(rows) {
            let global = &mut global[sample * stride..(sample + 1) * stride];
            let sites = &self.sites[elements.start * width..elements.end * width];
            let local = &local[at * width * c..(at + elements.len()) * width * c];
            for (values, &site) in local.chunks_exact(c).zip(sites) {
                if site != OUTSIDE {
                    for (place, &value) in global[site as usize * c..].iter_mut().zip(values) {
                        *place += value;
                    }
                }
            }
        }
    }

    /// As [`gather`](Self::gather) for what belongs to the elements' owners, `[samples, sites × width]` to `[rows, width]`.
    pub(crate) fn gather_owners<T: Real>(
        &self,
        rows: Range<usize>,
        width: usize,
        stride: usize,
        global: &[T],
        local: &mut [T],
    ) {
        for (sample, elements, at) in self.runs(rows) {
            let global = &global[sample * stride..(sample + 1) * stride];
            for (row, &owner) in self.owners[elements].iter().enumerate() {
                let owner = owner as usize * width;
                local[(at + row) * width..(at + row + 1) * width].copy_from_slice(&global[owner..owner + width]);
            }
        }
    }

    /// The transpose of [`gather_owners`](Self::gather_owners), added.
    pub(crate) fn add_to_owners<T: Real>(
        &self,
        rows: Range<usize>,
        width: usize,
        stride: usize,
        local: &[T],
        global: &mut [T],
    ) {
        for (sample, elements, at) in self.runs(rows) {
            let global = &mut global[sample * stride..(sample + 1) * stride];
            for (row, &owner) in self.owners[elements].iter().enumerate() {
                let owner = owner as usize * width;
                for (place, &value) in global[owner..owner + width].iter_mut().zip(&local[(at + row) * width..]) {
                    *place += value;
                }
            }
        }
    }

    /// Attributes of the elements of `rows`, `[rows, a]`.
    pub(crate) fn gather_attributes<T: Real>(&self, rows: Range<usize>, local: &mut [T]) {
        let a = self.attribute_count;
        for (_, elements, at) in self.runs(rows) {
            let attributes = &self.attributes[elements.start * a..elements.end * a];
            for (place, &value) in local[at * a..].iter_mut().zip(attributes) {
                *place = T::from_f64(value);
            }
        }
    }
}
