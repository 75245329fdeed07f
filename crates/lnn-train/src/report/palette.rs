//! One name, colour and line pattern a model, the same in every figure and in the animation.
//!
//! The first six colours are those of Okabe and Ito (2008), the others dark ones of Tol's muted scheme (2021) and a
//! brown; both stay apart for colour-blind readers. The line patterns keep the models apart in grey print.

use std::collections::BTreeSet;

use crate::record::{Rollouts, Summary};

/// An opaque sRGB colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colour(pub(crate) u8, pub(crate) u8, pub(crate) u8);

impl Colour {
    /// The colour as `#RRGGBB`.
    pub(crate) fn hex(self) -> String {
        format!("#{:02X}{:02X}{:02X}", self.0, self.1, self.2)
    }
}

/// The colour of the true system.
pub(crate) const TRUTH: Colour = Colour(0, 0, 0);
/// The colour of published figures and other reference lines.
pub(crate) const REFERENCE: Colour = Colour(0x66, 0x66, 0x66);

/// Colours and line patterns (dash, gap, … in pixels of a figure) in the order of the models.
const STYLES: [(Colour, &[u32]); 10] = [
    (Colour(0x00, 0x72, 0xB2), &[]),
    (Colour(0xD5, 0x5E, 0x00), &[7, 4]),
    (Colour(0x00, 0x9E, 0x73), &[2, 3]),
    (Colour(0xCC, 0x79, 0xA7), &[9, 3, 2, 3]),
    (Colour(0xE6, 0x9F, 0x00), &[4, 2]),
    (Colour(0x56, 0xB4, 0xE9), &[9, 3, 2, 3, 2, 3]),
    (Colour(0x33, 0x22, 0x88), &[12, 2]),
    (Colour(0x88, 0x22, 0x55), &[1, 2]),
    (Colour(0x99, 0x99, 0x33), &[5, 2, 1, 2]),
    (Colour(0x7A, 0x4A, 0x1E), &[3, 6]),
];

/// The colour of series `index` of a figure that shows no models; past ten they repeat.
pub(crate) fn series(index: usize) -> Colour {
    STYLES[index % STYLES.len()].0
}

/// The line pattern that belongs to a colour; empty is a solid line.
pub(crate) fn dash(colour: Colour) -> &'static [u32] {
    if colour == REFERENCE {
        return &[2, 3];
    }
    let own = STYLES.iter().find(|(candidate, _)| *candidate == colour).map(|(_, dash)| *dash);
    let paired = || STYLES.iter().any(|(candidate, _)| companion(*candidate) == colour);
    own.unwrap_or_else(|| if paired() { &COMPANION } else { &[] })
}

/// The lighter shade of a model's colour for a second curve of the same model; always dashed alike.
pub(crate) fn companion(colour: Colour) -> Colour {
    let lighter = |channel: u8| (0.55 * f64::from(channel) + 0.45 * 255.0).round() as u8;
    Colour(lighter(colour.0), lighter(colour.1), lighter(colour.2))
}

/// The pattern of [`companion`] curves.
const COMPANION: [u32; 2] = [5, 3];

/// A model as the report shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelStyle {
    /// The name in the run's records.
    pub(crate) name: String,
    /// The name for readers.
    pub(crate) label: String,
    /// The colour of its lines and bobs.
    pub(crate) colour: Colour,
}

/// The models of a run in the report's order: `lnn`, `baseline`, then the others by name.
///
/// `lnn` and `baseline` keep their colours in runs without the other; past ten models colours repeat.
pub(crate) fn model_styles(summary: &Summary, rollouts: &Rollouts) -> Vec<ModelStyle> {
    styles_of(summary.models.keys().chain(rollouts.models.keys()), ["lnn", "baseline"])
}

/// The models called `names`, those of `first` first and in colours of their own, then the others by name.
pub(crate) fn styles_of<'a>(names: impl Iterator<Item = &'a String>, first: [&str; 2]) -> Vec<ModelStyle> {
    let rank = |name: &str| first.iter().position(|candidate| *candidate == name).unwrap_or(first.len());
    let distinct: BTreeSet<(usize, &String)> = names.map(|name| (rank(name), name)).collect();
    let mut next_free = first.len();
    distinct
        .into_iter()
        .map(|(rank, name)| {
            let style = if rank < first.len() {
                rank
            } else {
                next_free += 1;
                (next_free - 1) % STYLES.len()
            };
            ModelStyle { name: name.clone(), label: label(name), colour: STYLES[style].0 }
        })
        .collect()
}

fn label(name: &str) -> String {
    match name {
        "lnn" => "LNN",
        "lgn" => "LGN",
        "cnn" => "CNN",
        "hgn" => "HGN",
        "baseline" => "Baseline",
        "hnn" => "HNN",
        "hnn-canonical" => "HNN (q, p)",
        "baseline-first-order" => "1st order",
        "delan" => "DeLaN",
        "neural-ode" => "Neural ODE",
        "next-state" => "Next state",
        "relu2" => "ReLU²",
        "relu3" => "ReLU³",
        "gelu" => "GELU",
        "silu" => "SiLU",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn models_keep_their_order_and_colours() {
        let (mut summary, rollouts) = (fixture::summary(), fixture::rollouts());
        let styles = model_styles(&summary, &rollouts);
        assert_eq!(styles.iter().map(|s| s.label.as_str()).collect::<Vec<_>>(), ["LNN", "Baseline"]);
        let baseline = styles[1].colour;
        summary.models.remove("lnn");
        let alone = model_styles(&summary, &Rollouts::default());
        assert_eq!(alone.len(), 1);
        assert_eq!(alone[0].colour, baseline);
    }

    #[test]
    fn no_two_of_ten_models_look_alike() {
        for (index, (colour, pattern)) in STYLES.iter().enumerate() {
            assert_eq!(dash(*colour), *pattern);
            assert!(*colour != TRUTH && *colour != REFERENCE);
            let paler = companion(*colour);
            assert_eq!(dash(paler), COMPANION);
            assert!(STYLES.iter().all(|(other, pattern)| *other != paler && *pattern != COMPANION));
            for (other, other_pattern) in &STYLES[..index] {
                assert_ne!(colour, other);
                assert_ne!(pattern, other_pattern);
            }
        }
        let (mut summary, rollouts) = (fixture::summary(), Rollouts::default());
        let model = summary.models["lnn"].clone();
        for others in 0..=8 {
            if others > 0 {
                summary.models.insert(format!("other-{others}"), model.clone());
            }
            let mut colours: Vec<String> =
                model_styles(&summary, &rollouts).iter().map(|style| style.colour.hex()).collect();
            colours.sort_unstable();
            colours.dedup();
            assert_eq!(colours.len(), 2 + others);
        }
    }
}
