//! The data behind the page's animation: fields of the truth and of every model, packed into few bytes.

use serde::{Deserialize, Serialize};

use super::figures::capital;
use super::measure::{energy_errors, field, field_errors, is_line, largest, rate, sites};
use super::{FieldReportInput, styles};
use crate::field::{FieldMotion, FieldTrajectory};
use crate::report::animation::round;
use crate::report::colour_map::ColourMap;
use crate::report::palette::{ModelStyle, TRUTH, dash};
use crate::report::picture::base64;

/// Motions in the animation at most.
const MOTIONS: usize = 3;
/// Numbers of φ and φ̇ in the animation at most, at 8/3 characters each: about 640 kB of a page.
const NUMBERS: usize = 240_000;
/// Sites that are drawn of a line and of a grid at most.
const LINE_SITES: usize = 400;
const GRID_SITES: usize = 1024;
/// The component of the field that is shown.
const COMPONENT: usize = 0;
/// Error of the interpolation between frames in the middle, as a share of the largest |φ|, up to which frames may be
/// left out: less than a pixel or two.
const INTERPOLATION: f64 = 0.01;
/// Seconds in which a wave crosses the lattice, or that the whole motion takes where a crossing has no meaning.
const CROSSING_SECONDS: f64 = 6.0;
const MOTION_SECONDS: f64 = 15.0;

/// Everything that the page's script needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Animation {
    /// Truth first, then the models.
    pub(super) actors: Vec<Actor>,
    /// The motions that can be chosen.
    pub(super) motions: Vec<AnimatedMotion>,
    /// Colours of a heat map from the lowest to the highest value; empty without a grid.
    pub(super) colours: Vec<[u8; 3]>,
}

/// One curve or map of the animation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Actor {
    pub(super) label: String,
    pub(super) colour: String,
    /// Line pattern in pixels; empty is a solid line.
    pub(super) dash: Vec<u32>,
}

/// One motion of every actor from the same start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct AnimatedMotion {
    pub(super) label: String,
    /// What is shown, in words: which part of the motion and which sites.
    pub(super) extent: String,
    /// Rows and columns of the sites that are shown.
    pub(super) shape: [usize; 2],
    /// From one site that is shown to the next.
    pub(super) stride: usize,
    /// φ and φ̇ at the largest of the packed whole numbers, 32 767.
    pub(super) scale: [f64; 2],
    /// Largest |φ| of the truth.
    pub(super) amplitude: f64,
    /// Times of the frames.
    pub(super) times: Vec<f64>,
    /// Lattice time that passes in a second.
    pub(super) pace: f64,
    /// One track an actor, in the actors' order; absent where the actor has no states.
    pub(super) tracks: Vec<Option<Track>>,
}

/// One actor's motion; shorter than the times if its rollout stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Track {
    pub(super) frames: usize,
    /// Time of the rollout's last state, if that is not the end of the motion.
    pub(super) stopped: Option<f64>,
    /// φ, then φ̇, `[frames, shown sites]` each, as 16-bit whole numbers, lower byte first, in Base64.
    pub(super) field: String,
    pub(super) rate: String,
    /// Largest error of the field in percent of the amplitude, and error of the exact energy in percent, frame by
    /// frame; empty for the truth.
    pub(super) errors: Vec<[f64; 2]>,
}

/// Collects the animation; `None` if no motion has true states of more than one frame.
pub(super) fn animation(input: &FieldReportInput<'_>) -> Option<Animation> {
    let models = styles(input.summary, input.motions);
    let shown = |motion: &&FieldMotion| !motion.truth.is_empty() && motion.times.len() > 1;
    let motions: Vec<&FieldMotion> = input.motions.iter().filter(shown).take(MOTIONS).collect();
    let moving = |model: &&ModelStyle| {
        motions.iter().any(|motion| motion.models.get(&model.name).is_some_and(|found| !found.states.is_empty()))
    };
    let models: Vec<&ModelStyle> = models.iter().filter(moving).collect();
    if motions.is_empty() {
        return None;
    }
    let mut actors = vec![Actor { label: "Truth".to_owned(), colour: TRUTH.hex(), dash: Vec::new() }];
    actors.extend(models.iter().map(|model| Actor {
        label: model.label.clone(),
        colour: model.colour.hex(),
        dash: dash(model.colour).to_vec(),
    }));
    let budget = NUMBERS / motions.len() / actors.len() / 2;
    let colours = if motions.iter().all(|motion| is_line(motion)) {
        Vec::new()
    } else {
        ColourMap::Field.steps().map(|colour| [colour.0, colour.1, colour.2]).collect()
    };
    Some(Animation {
        actors,
        motions: motions.iter().map(|motion| animated(motion, &models, input, budget)).collect(),
        colours,
    })
}

/// Packs one motion into at most `budget` values of φ an actor, two frames at least.
fn animated(
    motion: &FieldMotion,
    models: &[&ModelStyle],
    input: &FieldReportInput<'_>,
    budget: usize,
) -> AnimatedMotion {
    let chosen = chosen_sites(motion);
    let frames = chosen_frames(motion, &chosen.sites, (budget / chosen.sites.len()).max(2));
    let followers: Vec<Option<&FieldTrajectory>> = models
        .iter()
        .map(|model| motion.models.get(&model.name).filter(|trajectory| !trajectory.states.is_empty()))
        .collect();
    let states = || std::iter::once(&motion.truth).chain(followers.iter().flatten().map(|one| &one.states));
    let all = |values: fn(&FieldMotion, &[f64], usize) -> Vec<f64>, bound: f64| {
        let largest = states().map(|states| largest(frames.iter().flat_map(|frame| values(motion, states, *frame))));
        largest.fold(f64::MIN_POSITIVE, f64::max).min(bound)
    };
    let amplitude = largest(frames.iter().flat_map(|frame| fields(motion, &motion.truth, *frame)));
    let rates_of_truth = largest(frames.iter().flat_map(|frame| rates(motion, &motion.truth, *frame)));
    // A model that runs away is cut at a few times the truth, or it would take all digits.
    let bound = |truth: f64| if truth > 0.0 { 4.0 * truth } else { f64::MAX };
    let scale = [all(fields, bound(amplitude)), all(rates, bound(rates_of_truth))];
    let track = |states: &[f64], errors: &dyn Fn(usize) -> Option<[f64; 2]>| {
        let width = super::measure::width(motion);
        let there = |frame: &&usize| (**frame + 1) * width <= states.len();
        let finite = |frame: &&usize| {
            fields(motion, states, **frame).iter().chain(&rates(motion, states, **frame)).all(|x| x.is_finite())
        };
        let own: Vec<usize> = frames.iter().take_while(there).take_while(finite).copied().collect();
        let pack = |values: fn(&FieldMotion, &[f64], usize) -> Vec<f64>, scale: f64| {
            let mut bytes = Vec::with_capacity(2 * own.len() * chosen.sites.len());
            for frame in &own {
                let values = values(motion, states, *frame);
                for site in &chosen.sites {
                    let whole = (values[*site] / scale * f64::from(i16::MAX)).round();
                    bytes.extend_from_slice(&(whole.clamp(-32_767.0, 32_767.0) as i16).to_le_bytes());
                }
            }
            base64(&bytes)
        };
        let complete = states.len() / width == motion.times.len();
        Track {
            frames: own.len(),
            stopped: (states.len() / width).checked_sub(1).filter(|_| !complete).map(|last| round(motion.times[last])),
            field: pack(fields, scale[0]),
            rate: pack(rates, scale[1]),
            errors: own.iter().filter_map(|frame| errors(*frame)).collect(),
        }
    };
    let mut tracks = vec![Some(track(&motion.truth, &|_| None))];
    tracks.extend(followers.iter().map(|follower| {
        let trajectory = (*follower)?;
        let (of_field, of_energy) = (field_errors(motion, trajectory), energy_errors(motion, trajectory));
        let errors = |frame: usize| {
            let shown = |value: f64| if value.is_finite() { round(value) } else { f64::MAX };
            Some([
                shown(100.0 * of_field.get(frame)? / amplitude.max(f64::MIN_POSITIVE)),
                shown(*of_energy.get(frame)?),
            ])
        };
        Some(track(&trajectory.states, &errors))
    }));
    let summaries = input.summary.models.values().filter_map(|model| model.motions.get(&motion.name));
    let crossing = summaries.map(|motion| motion.crossing_time).find(|time| time.is_finite() && *time > 0.0);
    let (first, last) = (motion.times[0], motion.times[motion.times.len() - 1]);
    let end = frames.last().map_or(last, |frame| motion.times[*frame]);
    let mut extent = format!("{}, {} sites", capital(&motion.description), sites(motion));
    if chosen.stride > 1 {
        extent += &format!(", of which one in {} is drawn in each direction", chosen.stride);
    }
    if end < last {
        extent += &format!("; the first {} of {} units of time", end - first, last - first);
    }
    AnimatedMotion {
        label: motion.name.clone(),
        extent,
        shape: chosen.shape,
        stride: chosen.stride,
        scale,
        amplitude,
        times: frames.iter().map(|frame| round(motion.times[*frame])).collect(),
        pace: crossing.map_or((last - first) / MOTION_SECONDS, |time| time / CROSSING_SECONDS),
        tracks,
    }
}

fn fields(motion: &FieldMotion, states: &[f64], frame: usize) -> Vec<f64> {
    field(motion, states, frame, COMPONENT).collect()
}

fn rates(motion: &FieldMotion, states: &[f64], frame: usize) -> Vec<f64> {
    rate(motion, states, frame, COMPONENT).collect()
}

struct ChosenSites {
    sites: Vec<usize>,
    shape: [usize; 2],
    stride: usize,
}

/// Every site, or evenly as many of them as the limits allow.
fn chosen_sites(motion: &FieldMotion) -> ChosenSites {
    let [rows, columns] = motion.shape;
    let most = if is_line(motion) { LINE_SITES } else { GRID_SITES };
    let fits = |stride: &usize| rows.div_ceil(*stride) * columns.div_ceil(*stride) <= most;
    let stride = (1..rows.max(columns)).find(fits).unwrap_or(rows.max(columns));
    let sites = (0..rows).step_by(stride).flat_map(|row| (0..columns).step_by(stride).map(move |c| row * columns + c));
    ChosenSites { sites: sites.collect(), shape: [rows.div_ceil(stride), columns.div_ceil(stride)], stride }
}

/// At most `most` frames: all of them, or every second, fourth, … as long as the interpolation between them stays good,
/// and then as many from the start as fit.
fn chosen_frames(motion: &FieldMotion, sites: &[usize], most: usize) -> Vec<usize> {
    let frames = motion.times.len();
    let mut stride = 1;
    while (frames - 1) / stride + 1 > most && interpolates(motion, sites, 2 * stride) {
        stride *= 2;
    }
    (0..frames).step_by(stride).take(most).collect()
}

/// Whether cubics through the true fields and rates of every `stride`-th frame pass near the frame in the middle.
fn interpolates(motion: &FieldMotion, sites: &[usize], stride: usize) -> bool {
    let amplitude = largest((0..motion.times.len()).flat_map(|frame| fields(motion, &motion.truth, frame)));
    let frames: Vec<usize> = (0..motion.times.len()).step_by(stride).collect();
    frames.windows(2).all(|pair| {
        let (from, to, middle) = (pair[0], pair[1], pair[0] + stride / 2);
        let (t0, t1, t) = (motion.times[from], motion.times[to], motion.times[middle]);
        let (step, s) = (t1 - t0, (t - t0) / (t1 - t0));
        let [a, b, exact] = [from, to, middle].map(|frame| fields(motion, &motion.truth, frame));
        let [u, v] = [from, to].map(|frame| rates(motion, &motion.truth, frame));
        sites.iter().all(|&site| {
            let (a, b, u, v) = (a[site], b[site], step * u[site], step * v[site]);
            let value = a + s * (u + s * (3.0 * (b - a) - 2.0 * u - v + s * (2.0 * (a - b) + u + v)));
            (value - exact[site]).abs() <= INTERPOLATION * amplitude
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::report::picture::tests::decoded;

    fn unpacked(text: &str, scale: f64) -> Vec<f64> {
        let bytes = decoded(text);
        bytes.chunks(2).map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]])) * scale / 32_767.0).collect()
    }

    #[test]
    fn the_packed_fields_are_those_of_the_motion() {
        let run = fixture::run();
        let data = animation(&run.input()).expect("two motions");
        let labels: Vec<&str> = data.actors.iter().map(|actor| actor.label.as_str()).collect();
        assert_eq!(labels, ["Truth", "LGN", "CNN", "HGN"]);
        assert!(data.colours.is_empty());
        let (motion, packed) = (&run.motions[0], &data.motions[0]);
        assert_eq!((packed.shape, packed.stride, packed.times.len()), ([1, 100], 1, 150));
        assert!(packed.extent.contains("the first 745 of 1000 units of time"), "{}", packed.extent);
        // A crossing of 100 in six seconds.
        assert!((packed.pace - 100.0 / 6.0).abs() < 1e-12);
        for (actor, states) in [(0, &motion.truth), (2, &motion.models["cnn"].states)] {
            let track = packed.tracks[actor].as_ref().expect("it has states");
            let (phi, rate) = (unpacked(&track.field, packed.scale[0]), unpacked(&track.rate, packed.scale[1]));
            assert_eq!((phi.len(), rate.len(), track.frames), (150 * 100, 150 * 100, 150));
            let frame = 37;
            for site in 0..100 {
                // Every second frame is kept.
                let at = 2 * frame * 200 + site;
                assert!(
                    (phi[frame * 100 + site] - states[at]).abs() <= 0.5 * packed.scale[0] / 32_767.0 * (1.0 + 1e-9)
                );
                assert!(
                    (rate[frame * 100 + site] - states[at + 100]).abs()
                        <= 0.5 * packed.scale[1] / 32_767.0 * (1.0 + 1e-9)
                );
            }
        }
        let errors = &packed.tracks[2].as_ref().expect("cnn").errors;
        assert_eq!(errors.len(), 150);
        // The energy of the fixture's CNN is (1 + 2e-4 t)² of the true one.
        let t = motion.times[2 * 37];
        assert!((errors[37][1] - 100.0 * ((1.0 + 2e-4 * t).powi(2) - 1.0)).abs() < 1e-4, "{:?}", errors[37]);
        let bytes = serde_json::to_string(&data).expect("finite numbers").len();
        assert!(bytes < 900_000, "{bytes}");
    }

    #[test]
    fn frames_are_left_out_only_where_the_motion_is_smooth_between_them() {
        let run = fixture::run();
        let all: Vec<usize> = (0..100).collect();
        // The smooth state has waves of period 33 at least and frames 5 apart; the bump passes a site in a few of its frames.
        assert!(interpolates(&run.motions[1], &all, 2) && !interpolates(&run.motions[1], &all, 8));
        assert!(interpolates(&run.motions[0], &all, 2) && !interpolates(&run.motions[0], &all, 4));
        assert_eq!(chosen_frames(&run.motions[1], &all, 500).len(), 201);
        let halved = chosen_frames(&run.motions[1], &all, 101);
        assert_eq!((halved.len(), halved[1], halved[100]), (101, 2, 200));
        assert_eq!(chosen_frames(&run.motions[0], &all, 101), (0..101).map(|k| 2 * k).collect::<Vec<_>>());
    }

    #[test]
    fn grids_come_with_colours_and_large_lattices_thinned() {
        let mut run = fixture::run();
        run.motions = vec![fixture::grid(), fixture::large()];
        let data = animation(&run.input()).expect("a grid");
        assert_eq!((data.motions.len(), data.colours.len()), (1, 255));
        assert_eq!((data.motions[0].shape, data.motions[0].stride), ([24, 32], 1));
        let mut motion = fixture::large();
        assert_eq!((chosen_sites(&motion).sites.len(), chosen_sites(&motion).stride), (400, 250));
        motion.shape = [64, 100];
        let chosen = chosen_sites(&motion);
        assert_eq!((chosen.shape, chosen.stride, chosen.sites[25 + 1]), ([22, 34], 3, 78));
        run.motions = vec![fixture::large()];
        assert_eq!(animation(&run.input()), None);
    }

    #[test]
    fn a_track_ends_where_its_rollout_does_and_wild_values_are_cut() {
        let mut run = fixture::run();
        fixture::stop(&mut run.motions[0], "cnn", 20);
        let cnn = run.motions[0].models.get_mut("cnn").expect("the fixture has it");
        cnn.states[14 * 200 + 3] = f64::NAN;
        cnn.states[6 * 200 + 3] = 1e9;
        let data = animation(&run.input()).expect("two motions");
        let packed = &data.motions[0];
        let track = packed.tracks[2].as_ref().expect("cnn");
        assert_eq!((track.frames, track.errors.len(), track.stopped), (7, 7, Some(2.5 * 19.0)));
        assert_eq!(packed.tracks[1].as_ref().expect("lgn").stopped, None);
        assert!(packed.scale[0] <= 4.0 * packed.amplitude);
        assert_eq!(unpacked(&track.field, 1.0)[3 * 100 + 3], 1.0);
        serde_json::to_string(&data).expect("finite numbers");
    }
}
