//! The systems, one file each with its whole truth, and the registry that finds them by name.
//!
//! ```
//! use std::collections::BTreeMap;
//! use lnn_physics::systems;
//!
//! let system = systems::build("kepler", &BTreeMap::from([("m1".to_owned(), 3.0)]))?;
//! assert_eq!(system.degrees_of_freedom(), 2);
//! let error = systems::build("keppler", &BTreeMap::new()).unwrap_err();
//! assert!(error.to_string().contains("the systems are dblpend, relativistic"));
//! # Ok::<(), systems::SystemError>(())
//! ```

mod charge;
mod double_pendulum;
mod error;
mod henon_heiles;
mod kepler;
mod parameter;
mod pendulum;
mod registry;
mod relativistic;
mod sphere;
mod spring;
mod spring_pendulum;

pub use charge::Charge;
pub use double_pendulum::DoublePendulum;
pub use error::SystemError;
pub use henon_heiles::HenonHeiles;
pub use kepler::Kepler;
pub use pendulum::{MAX_LINKS, Pendulum};
pub use registry::{Parameter, Parameters, SystemKind, build, kind};
pub use relativistic::{RelativisticLagrangian, RelativisticParticle};
pub use sphere::Sphere;
pub use spring::Spring;
pub use spring_pendulum::SpringPendulum;

/// All systems, in the order in which they are listed: a new one is a file and a line here.
pub static SYSTEMS: &[&SystemKind] = &[
    &double_pendulum::KIND,
    &relativistic::KIND,
    &charge::KIND,
    &pendulum::KIND,
    &spring::KIND,
    &spring_pendulum::KIND,
    &kepler::KIND,
    &henon_heiles::KIND,
    &sphere::KIND,
];
