//! Motions of models of known behaviour.
