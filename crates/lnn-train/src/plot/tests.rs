//! Figures of known motions and models.
