//! Fields on lattices and graphs: what a run on them records.

mod record;

pub use record::{
    DensityComparison, DensityPanel, FieldModelSummary, FieldMotion, FieldMotionSummary, FieldSummary, FieldTrajectory,
};
