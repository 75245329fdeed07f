//! From what was measured to the cells.

use std::collections::BTreeMap;

use super::cell::{Cell, Column, Figure, Property};
use super::config::{CHARGE, DELAN, DOUBLE_PENDULUM, HNN, HNN_CANONICAL, LNN, NEURAL_NET, NEURAL_ODE, RELATIVISTIC};
use super::measure::Measured;

/// The table's cells, row by row, from the measurements of each run's models: `measured[run][model]`.
///
/// # Panics
/// If a run or model is missing that decides a cell; [`validated_runs`](super::PropertiesConfig::validated_runs) asks for
/// all of them.
#[must_use]
pub fn judge(measured: &BTreeMap<String, BTreeMap<String, Measured>>) -> Vec<Cell> {
    let of = |run: &str, model: &str| &measured[run][model];
    let mut cells = Vec::with_capacity(Property::ALL.len() * Column::ALL.len());
    for property in Property::ALL {
        for column in Column::ALL {
            let figure = match property {
                Property::DynamicalSystems => motion(of(DOUBLE_PENDULUM, model(column))),
                Property::DifferentialEquations => number(of(DOUBLE_PENDULUM, model(column)).rate_error),
                Property::ArbitraryCoordinates => {
                    let model = if column == Column::Hnn { HNN } else { model(column) };
                    motion(of(DOUBLE_PENDULUM, model))
                }
                Property::ConservationLaws => match &of(DOUBLE_PENDULUM, model(column)).energy {
                    Some(energy) => number(energy.drift),
                    None => Figure::Absent("no energy".to_owned()),
                },
                Property::ArbitraryLagrangians => match column {
                    Column::NeuralNet | Column::NeuralOde => Figure::Absent("no Lagrangian".to_owned()),
                    Column::Hnn => Figure::Absent("needs momenta".to_owned()),
                    Column::Delan | Column::Lnn => {
                        let systems = [CHARGE, RELATIVISTIC].map(|run| of(run, model(column)).rate_error);
                        match systems {
                            [Some(charge), Some(relativistic)] => Figure::of(charge.max(relativistic)),
                            _ => Figure::NotFinite,
                        }
                    }
                },
            };
            cells.push(Cell::new(property, column, figure));
        }
    }
    cells
}

/// The model that stands for a column, in the coordinates that it is meant for.
fn model(column: Column) -> &'static str {
    match column {
        Column::NeuralNet => NEURAL_NET,
        Column::NeuralOde => NEURAL_ODE,
        Column::Hnn => HNN_CANONICAL,
        Column::Delan => DELAN,
        Column::Lnn => LNN,
    }
}

/// The error of what the model was trained to predict: rates of change, or the next state.
fn motion(measured: &Measured) -> Figure {
    number(measured.step_error.or(measured.rate_error))
}

fn number(value: Option<f64>) -> Figure {
    value.map_or(Figure::NotFinite, Figure::of)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::properties::EnergyDrift;

    /// Measurements with which every cell is as one would expect.
    pub(crate) fn expected() -> BTreeMap<String, BTreeMap<String, Measured>> {
        let measured = |rate_error: f64, drift: Option<f64>| Measured {
            rate_error: Some(rate_error),
            step_error: None,
            energy: drift.map(|drift| EnergyDrift { drift: Some(drift), rollouts: 40, failed: 0 }),
        };
        let of = |models: &[(&str, Measured)]| {
            models.iter().map(|(name, measured)| ((*name).to_owned(), measured.clone())).collect()
        };
        BTreeMap::from([
            (
                DOUBLE_PENDULUM.to_owned(),
                of(&[
                    (NEURAL_NET, Measured { step_error: Some(2e-3), ..measured(0.2, None) }),
                    (NEURAL_ODE, measured(3e-3, None)),
                    (HNN, measured(0.47, Some(1e-7))),
                    (HNN_CANONICAL, measured(2e-3, Some(2e-8))),
                    (DELAN, measured(1e-4, Some(3e-9))),
                    (LNN, measured(5e-4, Some(4e-9))),
                ]),
            ),
            (CHARGE.to_owned(), of(&[(DELAN, measured(0.6, Some(0.0))), (LNN, measured(3e-5, Some(0.0)))])),
            (RELATIVISTIC.to_owned(), of(&[(DELAN, measured(0.2, Some(0.0))), (LNN, measured(5e-4, Some(0.0)))])),
        ])
    }

    fn verdicts(cells: &[Cell], property: Property) -> Vec<bool> {
        cells.iter().filter(|cell| cell.property == property).map(|cell| cell.holds).collect()
    }

    #[test]
    fn disagreements_are_those_of_the_figures() {
        let mut measured = expected();
        let cells = judge(&measured);
        assert_eq!(cells.len(), 25);
        let disagreeing = |cells: &[Cell]| -> Vec<(Property, Column)> {
            cells.iter().filter(|cell| !cell.agrees()).map(|cell| (cell.property, cell.column)).collect()
        };
        assert_eq!(disagreeing(&cells), []);
        assert_eq!(verdicts(&cells, Property::DifferentialEquations), [false, true, true, true, true]);
        assert_eq!(verdicts(&cells, Property::ArbitraryLagrangians), [false, false, false, false, true]);

        // The Lagrangian network fails at one of both systems; the Hamiltonian one manages (q, q̇).
        measured.get_mut(RELATIVISTIC).expect("there").get_mut(LNN).expect("there").rate_error = Some(0.02);
        measured.get_mut(DOUBLE_PENDULUM).expect("there").get_mut(HNN).expect("there").rate_error = Some(0.04);
        let found = disagreeing(&judge(&measured));
        assert_eq!(
            found,
            [(Property::ArbitraryCoordinates, Column::Hnn), (Property::ArbitraryLagrangians, Column::Lnn)]
        );

        // A map to the next state that is as good for any other step is a differential equation.
        measured.get_mut(DOUBLE_PENDULUM).expect("there").get_mut(NEURAL_NET).expect("there").rate_error = Some(1e-3);
        let found = disagreeing(&judge(&measured));
        assert_eq!(found[0], (Property::DifferentialEquations, Column::NeuralNet));

        // A model that ran away has no property.
        measured.get_mut(DOUBLE_PENDULUM).expect("there").get_mut(DELAN).expect("there").rate_error = None;
        let cells = judge(&measured);
        assert_eq!(verdicts(&cells, Property::DynamicalSystems), [true, true, true, false, true]);
    }
}
