//! The paper's search for an initialisation, and the law it leads to.
//!
//! A Lagrangian network is trained through H⁺, the inverse of its own second derivatives, so that its gradients have
//! other sizes than a plain network's. The paper (arXiv:2003.04630, appendix on initialisation) therefore looked for
//! the standard deviation of each layer's weights by making the gradients' distribution as near as possible to
//! N(0, 1), for several widths and depths, and fitted a law to what it found, Eq. 16. This module does the same:
//!
//! ```text
//! J(σ) = Σ_l D(∂loss/∂W_l) + D(q̈)        minimised over ln σ for each cell of a grid of widths and depths
//! ```
//!
//! with the divergence D of [`divergence_from_standard_normal`], the samples of an [`Ensemble`], the minimisation of
//! [`minimise`] and the laws of [`fit_laws`]. The paper does not say how it estimated the divergence, nor from how many
//! draws; what is done here is said at each of these.

mod cell;
mod config;
mod divergence;
mod ensemble;
mod error;
mod run;
mod scaling_law;
mod search;

pub use cell::{Cell, read_cells, write_cells};
pub use config::{EXPERIMENT, PRESETS, SearchConfig};
pub use divergence::divergence_from_standard_normal;
pub use ensemble::{Divergences, Ensemble, EnsembleSizes};
pub use error::SearchError;
pub use run::{SearchEvent, SearchOptions, SearchOutcome, SearchSummary, search};
pub use scaling_law::{FittedLaw, Law, Place, fit_laws, place_of, published_deviations, published_law};
pub use search::{Minimum, SearchSettings, minimise};
