//! Which sites each evaluation of a network sees.

use std::ops::Range;

use lnn_autodiff::Real;

use crate::density::Neighbourhood;
use crate::topology::{OUTSIDE, Topology};

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
    /// The evaluations of the network number `index` of a neighbourhood, whose width says which it is.
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
        let (mut sites, mut owners, mut attributes) = (Vec::new(), Vec::new(), Vec::new());
        let mut attribute_count = per_site;
        match (neighbourhood, width) {
            (Neighbourhood::Pairs, 2) => {
                let edge_attributes = topology.edge_attributes();
                let per_edge = edge_attributes.len() / topology.edges().len().max(1);
                attribute_count += per_edge;
                for (edge, &[i, j]) in topology.edges().iter().enumerate() {
                    for [from, to] in [[i, j], [j, i]] {
                        sites.extend([from as u32, to as u32]);
                        owners.push(from as u32);
                        attributes.extend_from_slice(of_site(from));
                        attributes.extend_from_slice(&edge_attributes[edge * per_edge..(edge + 1) * per_edge]);
                    }
                }
            }
            (Neighbourhood::Pairs, _) => {
                sites.extend(0..n as u32);
                owners.extend(0..n as u32);
                attributes.extend_from_slice(site_attributes);
            }
            _ => {
                let stencil = topology.stencil().expect("a line or grid has ordered neighbourhoods");
                sites.extend_from_slice(stencil.indices);
                owners.extend(0..n as u32);
                attributes.extend_from_slice(site_attributes);
            }
        }
        Self { width, components, sites, owners, attributes, attribute_count }
    }

    /// Number of evaluations a sample.
    pub(crate) fn len(&self) -> usize {
        self.owners.len()
    }

    /// Unknowns of an element.
    pub(crate) fn unknowns(&self) -> usize {
        self.width * self.components
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
