//! One cell of the table: what was measured, the threshold, the verdict, and what the paper says.

use serde::{Deserialize, Serialize};

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Property {
    /// Predicts the motion of the double pendulum, in the coordinates that the model is meant for.
    DynamicalSystems,
    /// Its rates of change are those of the system's differential equation.
    DifferentialEquations,
    /// Has an energy of its own that its motions keep.
    ConservationLaws,
    /// The first property, in coordinates that are not canonical.
    ArbitraryCoordinates,
    /// Learns Lagrangians that are no quadratic kinetic energy minus a potential.
    ArbitraryLagrangians,
}

impl Property {
    /// All rows, in the paper's order.
    pub const ALL: [Self; 5] = [
        Self::DynamicalSystems,
        Self::DifferentialEquations,
        Self::ConservationLaws,
        Self::ArbitraryCoordinates,
        Self::ArbitraryLagrangians,
    ];

    /// The row's title.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::DynamicalSystems => "models dynamical systems",
            Self::DifferentialEquations => "learns differential equations",
            Self::ConservationLaws => "learns exact conservation laws",
            Self::ArbitraryCoordinates => "learns from arbitrary coordinates",
            Self::ArbitraryLagrangians => "learns arbitrary Lagrangians",
        }
    }

    /// The largest figure with which a model has the property.
    #[must_use]
    pub const fn threshold(self) -> f64 {
        match self {
            Self::DynamicalSystems | Self::DifferentialEquations | Self::ArbitraryCoordinates => 0.05,
            Self::ConservationLaws => 1e-4,
            Self::ArbitraryLagrangians => 0.01,
        }
    }
}

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Column {
    /// Plain network that maps a state to the next one.
    NeuralNet,
    /// Network of the vector field, trained through the integrator.
    NeuralOde,
    /// Hamiltonian network.
    Hnn,
    /// Deep Lagrangian network.
    Delan,
    /// Lagrangian network.
    Lnn,
}

impl Column {
    /// All columns, in the paper's order.
    pub const ALL: [Self; 5] = [Self::NeuralNet, Self::NeuralOde, Self::Hnn, Self::Delan, Self::Lnn];

    /// The column's title.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::NeuralNet => "neural net",
            Self::NeuralOde => "neural ODE",
            Self::Hnn => "HNN",
            Self::Delan => "DeLaN",
            Self::Lnn => "LNN",
        }
    }
}

/// Whether the paper's table (Cranmer et al. 2020, Table 1) has a check mark there.
#[must_use]
pub const fn published(property: Property, column: Column) -> bool {
    match property {
        Property::DynamicalSystems => true,
        Property::DifferentialEquations => !matches!(column, Column::NeuralNet),
        Property::ConservationLaws => matches!(column, Column::Hnn | Column::Delan | Column::Lnn),
        Property::ArbitraryCoordinates => !matches!(column, Column::Hnn),
        Property::ArbitraryLagrangians => matches!(column, Column::Lnn),
    }
}

/// What decides a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Figure {
    /// A measured number, dimensionless; smaller is better.
    Measured(f64),
    /// A number that is not finite: the model failed altogether. JSON has no infinity.
    NotFinite,
    /// The model has nothing that could be measured, for this reason.
    Absent(String),
}

impl Figure {
    /// The figure of a number.
    #[must_use]
    pub fn of(value: f64) -> Self {
        if value.is_finite() { Self::Measured(value) } else { Self::NotFinite }
    }
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Row.
    pub property: Property,
    /// Column.
    pub column: Column,
    /// What was measured.
    pub figure: Figure,
    /// Largest figure with which the property holds.
    pub threshold: f64,
    /// Whether the property holds.
    pub holds: bool,
    /// Whether the paper says that it does.
    pub published: bool,
}

impl Cell {
    /// The cell that `figure` decides: the property holds if there is a number at most as large as the threshold.
    #[must_use]
    pub fn new(property: Property, column: Column, figure: Figure) -> Self {
        let threshold = property.threshold();
        let holds = matches!(figure, Figure::Measured(value) if value <= threshold);
        Self { property, column, figure, threshold, holds, published: published(property, column) }
    }

    /// Whether the verdict is the paper's.
    #[must_use]
    pub const fn agrees(&self) -> bool {
        self.holds == self.published
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_table_has_its_eighteen_marks() {
        let row = |property| Column::ALL.map(|column| published(property, column));
        assert_eq!(row(Property::DynamicalSystems), [true; 5]);
        assert_eq!(row(Property::DifferentialEquations), [false, true, true, true, true]);
        assert_eq!(row(Property::ConservationLaws), [false, false, true, true, true]);
        assert_eq!(row(Property::ArbitraryCoordinates), [true, true, false, true, true]);
        assert_eq!(row(Property::ArbitraryLagrangians), [false, false, false, false, true]);
    }

    #[test]
    fn a_cell_holds_up_to_its_threshold() {
        let cell = |figure| Cell::new(Property::DynamicalSystems, Column::Lnn, figure);
        let threshold = Property::DynamicalSystems.threshold();
        let at = cell(Figure::of(threshold));
        assert!(at.holds && at.agrees());
        for figure in [Figure::of(threshold.next_up()), Figure::of(f64::INFINITY), Figure::of(f64::NAN)] {
            let above = cell(figure);
            assert!(!above.holds && !above.agrees(), "{above:?}");
        }
        let absent = Cell::new(Property::ConservationLaws, Column::NeuralNet, Figure::Absent("no energy".to_owned()));
        assert!(!absent.holds && absent.agrees());
    }
}
