//! Systems by name, with their parameters by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::system::System;

use super::SYSTEMS;
use super::error::SystemError;

/// A named number that a system is built from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// Name in ASCII, as in files and on the command line: `m1`.
    pub name: &'static str,
    /// Value when none is given.
    pub default: f64,
    /// Unit, empty for a pure number.
    pub unit: &'static str,
    /// What it is, in words.
    pub description: &'static str,
}

/// A kind of system: its name, what it is, what it is built from.
#[derive(Clone, Copy)]
pub struct SystemKind {
    /// Name in ASCII, as in `experiment dblpend`.
    pub name: &'static str,
    /// One line that says what it is.
    pub summary: &'static str,
    /// Parameters in the order in which they are listed.
    pub parameters: &'static [Parameter],
    /// Builds the system, each parameter given or at its default.
    pub build: fn(&Parameters<'_>) -> Result<Arc<dyn System>, SystemError>,
}

impl SystemKind {
    /// The system with the given parameters, the others at their defaults.
    ///
    /// # Errors
    /// [`SystemError`]: a parameter the system does not have, or a value it refuses.
    pub fn build(&self, parameters: &BTreeMap<String, f64>) -> Result<Arc<dyn System>, SystemError> {
        let known = || self.parameters.iter().map(|parameter| parameter.name);
        if let Some(given) = parameters.keys().find(|given| known().all(|name| name != *given)) {
            let (system, given, known) = (self.name, given.clone(), known().collect());
            return Err(SystemError::UnknownParameter { system, given, known });
        }
        (self.build)(&Parameters { kind: self, given: parameters })
    }
}

impl fmt::Debug for SystemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemKind").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The parameters that a system is built from: what was given, and defaults for the rest.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a> {
    kind: &'a SystemKind,
    given: &'a BTreeMap<String, f64>,
}

impl Parameters<'_> {
    /// Value of the parameter `name`: as given, else its default.
    ///
    /// # Panics
    /// When the system does not list a parameter of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> f64 {
        let listed = self.kind.parameters.iter().find(|parameter| parameter.name == name);
        let Some(parameter) = listed else { panic!("system `{}` lists no parameter `{name}`", self.kind.name) };
        self.given(name).unwrap_or(parameter.default)
    }

    /// Value of the parameter `name` if it was given, `None` if it is left at its default.
    #[must_use]
    pub fn given(&self, name: &str) -> Option<f64> {
        self.given.get(name).copied()
    }
}

/// The kind of system called `name`, or `None`.
#[must_use]
pub fn kind(name: &str) -> Option<&'static SystemKind> {
    SYSTEMS.iter().copied().find(|kind| kind.name == name)
}

/// The system called `name` with the given `parameters`, the others at their defaults.
///
/// # Errors
/// [`SystemError`]: an unknown name or parameter, with the list of those there are, or a value that
/// the system refuses, with what it expects.
pub fn build(name: &str, parameters: &BTreeMap<String, f64>) -> Result<Arc<dyn System>, SystemError> {
    let known = || SYSTEMS.iter().map(|kind| kind.name).collect();
    kind(name).ok_or_else(|| SystemError::UnknownSystem { given: name.to_owned(), known: known() })?.build(parameters)
}
