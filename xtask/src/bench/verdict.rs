//! Whether a measured figure is what was asked for.

/// Whether a figure, of which more is better, is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Less than what must be.
    Missed,
    /// What must be, less than the goal.
    Must,
    /// The goal.
    Goal,
}

impl Verdict {
    pub(crate) fn of(figure: f64, must: f64, goal: f64) -> Self {
        match figure {
            figure if figure >= goal => Self::Goal,
            figure if figure >= must => Self::Must,
            _ => Self::Missed,
        }
    }

    /// As the table says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Missed => "no",
            Self::Must => "must",
            Self::Goal => "goal",
        }
    }
}
