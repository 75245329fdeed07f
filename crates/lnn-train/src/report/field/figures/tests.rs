//! Tests of all figures of a run on fields.

use resvg::tiny_skia::Pixmap;

use super::super::fixture;
use super::*;
use crate::report::colour_map::{ColourMap, MISSING};
use crate::report::draw::{NARROW, WIDE};
use crate::report::heat::HeatCell;
use crate::report::palette::Colour;
use crate::report::picture::tests::decoded;

fn figures(run: &fixture::Run) -> Vec<FieldFigure> {
    all(&run.input()).expect("small pictures")
}

fn document(figures: &[FieldFigure], name: &str, width: u32) -> String {
    let figure = figures.iter().find(|figure| figure.name() == name).expect("it is drawn");
    figure.svg(width).expect("a string takes everything")
}

/// Whether a number that is not finite has got into a document; its pictures are arbitrary letters.
fn is_broken(document: &str) -> bool {
    document.lines().filter(|line| !line.starts_with("<image")).any(|line| line.contains("NaN") || line.contains("inf"))
}

/// The pictures of a document in the order of its rows.
fn pictures(document: &str) -> Vec<Pixmap> {
    let data = document.split("base64,").skip(1).map(|rest| &rest[..rest.find('"').expect("the end of the address")]);
    data.map(|text| Pixmap::decode_png(&decoded(text)).expect("a PNG")).collect()
}

fn colour(picture: &Pixmap, x: u32, y: u32) -> Colour {
    let pixel = picture.pixel(x, y).expect("inside");
    Colour(pixel.red(), pixel.green(), pixel.blue())
}

#[test]
fn every_figure_is_drawn_at_both_widths_with_its_labels() {
    let run = fixture::run();
    let figures = figures(&run);
    let names: Vec<_> = figures.iter().map(FieldFigure::name).collect();
    assert_eq!(names, ["space_time-bump", "space_time-smooth", "energy", "density", "loss"]);
    for figure in &figures {
        for width in [WIDE, NARROW] {
            let document = figure.svg(width).expect("a string takes everything");
            assert!(document.contains(&format!("<svg width=\"{width}\"")));
            assert!(!is_broken(&document), "{}", figure.name());
            assert!(!figure.caption().is_empty());
        }
    }
    for width in [WIDE, NARROW] {
        let document = document(&figures, "space_time-bump", width);
        let words = [
            "Truth",
            "LGN",
            "CNN − truth, ≤",
            "HGN − truth, ≤",
            "field φ",
            "error φ − φ*, to ±",
            "site",
            "time",
            "1000",
        ];
        for word in words {
            assert!(document.contains(word), "{word}");
        }
        // Truth, three models, their errors, two bars; a rectangle each as a frame, and the background.
        assert_eq!(document.matches("<image").count(), 4 + 3 + 2);
        assert_eq!(document.matches("<rect").count(), 4 + 3 + 2 + 1);
        assert!(document.len() < 300_000, "{}", document.len());
    }
}

#[test]
fn time_runs_upwards_and_sites_to_the_right() {
    let mut run = fixture::run();
    let motion = &mut run.motions[0];
    let (n, frames) = (100, motion.times.len());
    // Only site 7 of the first frame is not 0.
    motion.truth.fill(0.0);
    motion.truth[7] = -0.5;
    let truth = &pictures(&document(&figures(&run), "space_time-bump", WIDE))[0];
    assert_eq!((truth.width() as usize, truth.height() as usize), (n, 400.min(frames)));
    let bottom = truth.height() - 1;
    assert_eq!(colour(truth, 7, bottom), ColourMap::Field.colour(-1.0));
    let zero = ColourMap::Field.colour(0.0);
    assert_eq!([colour(truth, 8, bottom), colour(truth, 7, 0), colour(truth, 7, bottom - 2)], [zero; 3]);
}

#[test]
fn the_error_of_a_model_is_coloured_by_its_size() {
    let mut run = fixture::run();
    let motion = &mut run.motions[0];
    let truth = motion.truth.clone();
    for (name, error) in [("lgn", 1e-3), ("cnn", -0.1), ("hgn", 0.0)] {
        let states = &mut motion.models.get_mut(name).expect("the fixture has it").states;
        *states = truth.clone();
        *states.last_mut().expect("frames") = f64::NAN;
        let last = states.len() - 200;
        states[last + 50] += error;
    }
    let document = document(&figures(&run), "space_time-bump", WIDE);
    let pictures = pictures(&document);
    // Truth and three models, then the two colour bars and the errors in the second row.
    let [lgn, cnn, hgn] = [6, 7, 8].map(|index| colour(&pictures[index], 50, 0));
    let place = 11f64.ln() / 1001f64.ln();
    assert_eq!((lgn, cnn), (ColourMap::Error.colour(place), ColourMap::Error.colour(-1.0)));
    assert_eq!(hgn, ColourMap::Error.colour(0.0));
    for words in ["LGN − truth, ≤ 0.0010", "CNN − truth, ≤ 0.10", "to ±0.10"] {
        assert!(document.contains(words), "{words}");
    }
}

#[test]
fn a_stopped_model_is_shown_as_such() {
    let mut run = fixture::run();
    fixture::stop(&mut run.motions[0], "cnn", 101);
    let figures = figures(&run);
    let maps = document(&figures, "space_time-bump", NARROW);
    for words in ["stopped", "250"] {
        assert!(maps.contains(words), "{words}");
    }
    // Narrow: truth, then each model and its error.
    let cnn = &pictures(&document(&figures, "space_time-bump", WIDE))[2];
    let rows = cnn.height();
    assert_eq!(colour(cnn, 50, 0), MISSING);
    assert_ne!(colour(cnn, 50, rows - 1), MISSING);
    let missing = (0..rows).filter(|row| colour(cnn, 50, *row) == MISSING).count();
    assert!(missing.abs_diff(3 * rows as usize / 4) <= 1, "{missing} of {rows}");
    assert!(document(&figures, "energy", WIDE).contains("CNN stopped at t = 250"));
}

#[test]
fn a_grid_is_shown_at_four_times_with_its_shape() {
    let mut run = fixture::run();
    run.motions = vec![fixture::grid()];
    for model in run.summary.models.values_mut() {
        model.motions.get_mut("bump").expect("the fixture has it").crossing_time = 32.0;
    }
    let figures = figures(&run);
    let document = document(&figures, "snapshots-bump", WIDE);
    for words in ["t = 0", "t = 16", "t = 32", "t = 60", "Truth", "LGN − truth", "row", "column"] {
        assert!(document.contains(&format!("\n{words}")), "{words}");
    }
    let pictures = pictures(&document);
    assert_eq!(pictures.len(), 4 * 7 + 2);
    assert_eq!((pictures[0].width(), pictures[0].height()), (32, 24));
    // The bump is at row 12 and column 16; row 0 is at the bottom.
    assert_eq!(colour(&pictures[0], 16, 11), ColourMap::Field.colour(1.0));
    let FieldFigure::Heat(figure) = &figures[0] else { panic!("heat maps first") };
    assert!(figure.wide.iter().take(7).all(|row| row.cells.len() == 4));
    assert_eq!(figure.wide[7].cells, [HeatCell::Keys]);
}

#[test]
fn many_models_go_to_further_rows() {
    let mut run = fixture::run();
    let (summary, motion) = (run.summary.models["lgn"].clone(), run.motions[0].models["lgn"].clone());
    for name in ["a", "b", "c"] {
        run.summary.models.insert(name.to_owned(), summary.clone());
        run.motions[0].models.insert(name.to_owned(), motion.clone());
    }
    let figures = figures(&run);
    let FieldFigure::Heat(figure) = &figures[0] else { panic!("heat maps first") };
    let lengths: Vec<usize> = figure.wide.iter().map(|row| row.cells.len()).collect();
    assert_eq!(lengths, [4, 4, 3, 3]);
    assert_eq!(figure.narrow.len(), 7);
    assert_eq!(figures[0].svg(WIDE).expect("drawn").matches("<image").count(), 7 + 6 + 2);
}

#[test]
fn broken_data_still_draw() {
    let mut run = fixture::run();
    for line in &mut run.metrics {
        (line.loss, line.acceleration_l1) = (f64::NAN, f64::INFINITY);
    }
    for motion in &mut run.motions {
        motion.energy = 0.0;
        for trajectory in motion.models.values_mut() {
            trajectory.states.fill(f64::NAN);
            trajectory.energy.fill(f64::INFINITY);
        }
    }
    run.motions[1].truth.fill(f64::NAN);
    run.densities[0].panels[0].learned.fill(f64::NAN);
    run.densities[0].panels[1].truth.fill(f64::INFINITY);
    let mut one_frame = fixture::grid();
    one_frame.name = "short".to_owned();
    one_frame.times.truncate(1);
    one_frame.truth.truncate(2 * 24 * 32);
    for model in ["lgn", "cnn", "hgn"] {
        fixture::stop(&mut one_frame, model, 1);
    }
    run.motions.push(one_frame);
    run.motions.push(fixture::large());
    let drawn = figures(&run);
    assert_eq!(drawn.len(), 6);
    for figure in &drawn {
        for width in [WIDE, NARROW] {
            let document = figure.svg(width).expect("a string takes everything");
            assert!(!is_broken(&document), "{}", figure.name());
        }
    }
    run.motions.clear();
    run.metrics.clear();
    run.densities.clear();
    assert_eq!(figures(&run), []);
}

#[test]
fn learned_energies_are_dashed_in_a_paler_colour() {
    let document = document(&figures(&fixture::run()), "energy", WIDE);
    let pale = crate::report::palette::companion(Colour(0x00, 0x72, 0xB2)).hex();
    let lines: Vec<&str> =
        document.lines().filter(|line| line.starts_with("<polyline") && line.contains(&pale)).collect();
    // The key and two motions, in pieces where a curve leaves the panel.
    assert!(lines.len() >= 3);
    assert!(lines.iter().all(|line| line.contains("stroke-dasharray=\"20 12\"")), "{lines:?}");
    assert!(document.contains("LGN: its learned energy") && !document.contains("CNN: its learned energy"));
}
