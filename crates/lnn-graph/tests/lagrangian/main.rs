//! Learned Lagrangians of fields against the whole, dense field by automatic differentiation, against products by
//! colours, and against differences.

mod case;
mod dense;
mod gradient;
mod models;
mod oracle;
mod refusals;
mod threads;
