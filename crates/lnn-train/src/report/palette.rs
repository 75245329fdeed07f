//! One name, colour and line pattern a model, the same in every figure and in the animation.
//!
//! The first six colours are those of Okabe and Ito (2008), the others dark ones of Tol's muted scheme (2021) and a
//! brown; both stay apart for colour-blind readers. The line patterns keep the models apart in grey print.

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
    STYLES.iter().find(|(candidate, _)| *candidate == colour).map_or(&[], |(_, dash)| dash)
}

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
    let mut names: Vec<&String> = summary.models.keys().chain(rollouts.models.keys()).collect();
    names.sort_by_key(|name| (rank(name), name.as_str()));
    names.dedup();
    let mut next_free = 2;
    names
        .into_iter()
        .map(|name| {
            let style = match rank(name) {
                2 => {
                    next_free += 1;
                    (next_free - 1) % STYLES.len()
                }
                fixed => fixed,
            };
            ModelStyle { name: name.clone(), label: label(name), colour: STYLES[style].0 }
        })
        .collect()
}

fn rank(name: &str) -> usize {
    match name {
        "lnn" => 0,
        "baseline" => 1,
        _ => 2,
    }
}

fn label(name: &str) -> String {
    match name {
        "lnn" => "LNN",
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
