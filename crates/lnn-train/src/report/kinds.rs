//! What each kind of model is, in a sentence and a formula, for readers of the page.

use super::input::ReportInput;
use super::palette::model_styles;
use crate::config::ModelKind;

/// The models of one kind and what they are.
pub(crate) struct KindView {
    /// Labels of the models, separated by commas.
    pub(crate) labels: String,
    /// What their networks stand for.
    pub(crate) formula: &'static str,
    /// What that means for the motion.
    pub(crate) sentence: &'static str,
}

/// One entry for each kind that ran, in the order of the models.
pub(crate) fn kinds(input: &ReportInput<'_>) -> Vec<KindView> {
    let mut views: Vec<KindView> = Vec::new();
    for style in model_styles(input.summary, input.rollouts) {
        let Some(&kind) = input.kinds.get(&style.name) else { continue };
        let (formula, sentence) = describe(kind);
        match views.iter_mut().find(|view| view.formula == formula) {
            Some(view) => view.labels += &format!(", {}", style.label),
            None => views.push(KindView { labels: style.label, formula, sentence }),
        }
    }
    views
}

fn describe(kind: ModelKind) -> (&'static str, &'static str) {
    const LAGRANGIAN: &str = "A Lagrangian neural network does not learn the motion itself but one number for every \
        state, the Lagrangian L, and the Euler–Lagrange equation turns its derivatives into accelerations: for any L it \
        conserves an energy, up to the error of the integration.";
    match kind {
        ModelKind::Lnn { potential_scale: None, .. } => ("L = ½ m |q̇|² + net(q, q̇)", LAGRANGIAN),
        ModelKind::Lnn { potential_scale: Some(_), .. } => ("L = ½ m |q̇|² + net(q, q̇) + s net₂(q)", LAGRANGIAN),
        ModelKind::Delan { .. } => (
            "L = ½ q̇ᵀ M(q) q̇ − V(q), M = C(q) C(q)ᵀ + ε I",
            "A deep Lagrangian network (DeLaN) learns the mass matrix M and the potential V of a Lagrangian of this \
             form, which not every system has; it too conserves an energy.",
        ),
        ModelKind::Hnn => (
            "H = net(q, q̇); dq/dt = ∂H/∂q̇, dq̇/dt = −∂H/∂q",
            "A Hamiltonian neural network obeys Hamilton’s equations as if the velocities were the momenta, which they \
             seldom are: it needs canonical coordinates, and here it is given others.",
        ),
        ModelKind::HnnCanonical { potential_scale } => (
            match potential_scale {
                None => "H = net(q, p); dq/dt = ∂H/∂p, dp/dt = −∂H/∂q",
                Some(_) => "H = net(q, p) + s net₂(q); dq/dt = ∂H/∂p, dp/dt = −∂H/∂q",
            },
            "A Hamiltonian neural network in canonical coordinates, which somebody who knows the system’s momenta p has to \
             give it; here its velocities are found from its momenta by the true system’s formula.",
        ),
        ModelKind::Baseline { .. } => (
            "q̈ = s net(q, q̇)",
            "The baseline is an ordinary network that learns the accelerations directly and knows no law of mechanics.",
        ),
        ModelKind::BaselineFirstOrder { .. } => (
            "(dq/dt, dq̇/dt) = net(q, q̇)",
            "A first-order network learns the whole vector field, even that dq/dt is the velocity.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn each_kind_that_ran_is_said_once() {
        let (mut summary, rollouts, metrics, system) = fixture::run();
        let lnn = summary.models["lnn"].clone();
        summary.models.insert("lnn-wide".to_owned(), lnn);
        let mut input = fixture::input(&summary, &metrics, &rollouts, &system);
        let mut names = input.kinds.clone();
        names.insert("lnn-wide".to_owned(), names["lnn"]);
        input.kinds = &names;
        let labels: Vec<String> = kinds(&input).into_iter().map(|view| view.labels).collect();
        assert_eq!(labels, ["LNN, lnn-wide", "Baseline"]);
    }
}
