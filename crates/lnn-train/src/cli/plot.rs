//! `lnn plot`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use lnn_train::config::SystemConfig;
use lnn_train::plot::{
    Drawing, EnergyColumn, LearnedView, MotionTable, TrackChoice, energy, mass_matrix, phase, potential, write_drawings,
};
use lnn_train::store::{LoadedModel, load_model};
use lnn_train::table::Column;
use serde_json::json;

use super::error::CommandError;
use super::model_names::conditional_names;
use super::output::{OutputArguments, print_json, say};

/// Draw motions from a table or a run's folder, and what a model has learned.
///
/// Of a table (CSV, NPY, NPZ, as `lnn rollout` writes them or as you measured them): the phase portrait, and the energy
/// against time for every column whose name begins with `energy`. Of a model's file: maps of its mass matrix over two
/// variables, and its potential along the coordinates. Of a run's folder: both, for its `trajectories.csv` and each of its
/// models. Every figure is written as SVG and PNG.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct PlotArguments {
    /// A run's folder, a model's file, or a table of motions.
    input: PathBuf,

    /// Figures to draw, separated by commas [default: all that the input has].
    #[arg(long, value_enum, value_name = "NAMES", value_delimiter = ',')]
    figures: Option<Vec<FigureName>>,

    /// With a table: also show the energy that this model gives the states.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,

    /// Columns that are the conditional inputs of --model, in its order [default: their names in its file].
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "model")]
    conditionals: Option<Vec<String>>,

    /// Trajectories to draw, by their numbers [default: the first six; of a run the first].
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    trajectories: Vec<f64>,

    /// Coordinates of a table that are angles in radians, such as `q0,q1`: drawn from −π to π.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    angles: Vec<String>,

    /// Names of the columns of a plain NPY array, or of a CSV without a header.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Option<Vec<String>>,

    /// Variables of the maps, such as `q0,q1` or `q0,q_dot0` [default: the first two coordinates].
    #[arg(long, value_name = "A,B", value_parser = pair)]
    over: Option<(String, String)>,

    /// Coordinates along which the potential is drawn [default: each].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    along: Vec<String>,

    /// Values of the variables that do not vary, such as `q2=0.5,q_dot0=1` [default: the centre of the coordinates, rest].
    #[arg(long, value_name = "NAME=VALUE", value_delimiter = ',', value_parser = value)]
    at: Vec<(String, f64)>,

    /// Ranges of the variables that vary, such as `q0=-1..1` [default: from −π to π for an angle; else what the model was
    /// trained on, as far as its file says].
    #[arg(long, value_name = "NAME=LOW..HIGH", value_delimiter = ',', value_parser = range, allow_hyphen_values = true)]
    range: Vec<(String, f64, f64)>,

    /// Folder of the figures [default: `plots` in the run's folder; beside a file, its name with `-plots`].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Replace figures that are there.
    #[arg(long)]
    overwrite: bool,

    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FigureName {
    /// Velocity against position.
    Phase,
    /// Energy against time.
    Energy,
    /// Maps of the mass matrix.
    MassMatrix,
    /// The potential along coordinates.
    Potential,
}

impl FigureName {
    fn name(self) -> &'static str {
        match self {
            Self::Phase => "phase",
            Self::Energy => "energy",
            Self::MassMatrix => "mass-matrix",
            Self::Potential => "potential",
        }
    }
}

pub(super) fn run(arguments: &PlotArguments) -> Result<ExitCode, Box<dyn Error>> {
    let input = &arguments.input;
    let (table, models, folder) = if input.is_dir() {
        let table = Some(input.join("trajectories.csv")).filter(|path| path.is_file());
        (table, models_in(input)?, input.join("plots"))
    } else {
        let stem = input.file_stem().unwrap_or(input.as_os_str()).to_string_lossy();
        let folder = input.with_file_name(format!("{stem}-plots"));
        match input.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("safetensors")) {
            true => (None, vec![input.clone()], folder),
            false => (Some(input.clone()), Vec::new(), folder),
        }
    };
    if table.is_none() && models.is_empty() {
        return Err(CommandError::NothingToPlot { path: input.clone() }.into());
    }
    let wanted = |figure: FigureName| arguments.figures.as_ref().is_none_or(|figures| figures.contains(&figure));
    let asked = |figure: FigureName| arguments.figures.as_ref().is_some_and(|figures| figures.contains(&figure));
    let of_table = [FigureName::Phase, FigureName::Energy];
    let not_there = arguments.figures.iter().flatten().find(|figure| match of_table.contains(figure) {
        true => table.is_none(),
        false => models.is_empty(),
    });
    if let Some(figure) = not_there {
        return Err(CommandError::FigureOfAnother { path: input.clone(), figure: figure.name() }.into());
    }
    let mut drawings = Vec::new();
    if let Some(path) = &table
        && of_table.into_iter().any(wanted)
    {
        let motions = motions(arguments, path, &models)?;
        if motions.left_out > 0 && arguments.output.talks() {
            say(&format!("note: {} more motion(s) are not drawn; choose with --trajectories", motions.left_out));
        }
        if wanted(FigureName::Phase) {
            drawings.push(phase(&motions)?);
        }
        if wanted(FigureName::Energy) {
            match energy(&motions)? {
                Some(drawing) => drawings.push(drawing),
                None if asked(FigureName::Energy) => {
                    return Err(CommandError::NoEnergyColumn { path: path.clone() }.into());
                }
                None => {}
            }
        }
    }
    for path in &models {
        let view = view(arguments, path)?;
        if let Some(drawing) =
            learned(mass_matrix(&view, over(arguments)), wanted(FigureName::MassMatrix), asked(FigureName::MassMatrix))?
        {
            drawings.push(drawing);
        }
        if let Some(drawing) =
            learned(potential(&view, &arguments.along), wanted(FigureName::Potential), asked(FigureName::Potential))?
        {
            drawings.push(drawing);
        }
    }
    if drawings.is_empty() {
        return Err(CommandError::NoFigures { path: input.clone() }.into());
    }
    let folder = arguments.out.clone().unwrap_or(folder);
    let files = write_drawings(&folder, &drawings, arguments.overwrite)?;
    if arguments.output.json {
        for (drawing, files) in drawings.iter().zip(files.chunks(2)) {
            print_json(&json!({ "event": "figure", "name": drawing.name, "title": drawing.title, "files": files }))?;
        }
    } else if !arguments.output.quiet {
        use std::io::Write;
        let mut out = std::io::stdout().lock();
        for (drawing, files) in drawings.iter().zip(files.chunks(2)) {
            writeln!(out, "{}  and .png  {}", files[0].display(), drawing.title)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A figure of a model, if it is wanted; one that the model cannot have is an error only if it was asked for.
fn learned(
    drawing: Result<Drawing, lnn_train::plot::PlotError>,
    wanted: bool,
    asked: bool,
) -> Result<Option<Drawing>, lnn_train::plot::PlotError> {
    match drawing {
        _ if !wanted => Ok(None),
        Err(lnn_train::plot::PlotError::NotLearned { .. }) if !asked => Ok(None),
        other => other.map(Some),
    }
}

fn over(arguments: &PlotArguments) -> Option<[&str; 2]> {
    arguments.over.as_ref().map(|(across, up)| [across.as_str(), up.as_str()])
}

/// The files of the models in a run's folder, by name.
fn models_in(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let read = |source| CommandError::FileRead { path: folder.to_owned(), source };
    let mut models = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("model-") && name.ends_with(".safetensors") {
            models.push(path);
        }
    }
    models.sort_unstable();
    Ok(models)
}

/// A model to be drawn, with what the command fixes and where it looks.
fn view(arguments: &PlotArguments, path: &Path) -> Result<LearnedView, Box<dyn Error>> {
    let mut view = open(path)?.1;
    view.fix(&arguments.at)?;
    view.set_ranges(&arguments.range)?;
    Ok(view)
}

fn open(path: &Path) -> Result<(LoadedModel, LearnedView), Box<dyn Error>> {
    let loaded = load_model(path)?;
    let model = loaded.model().map_err(|source| CommandError::Model { path: path.to_owned(), source })?;
    let system = loaded.header.system.as_ref().map(SystemConfig::build).transpose()?;
    let view = LearnedView::new(path, &loaded, &model, system)?;
    Ok((loaded, view))
}

/// The motions to draw, with the energies of a model if one was given.
fn motions(arguments: &PlotArguments, path: &Path, models: &[PathBuf]) -> Result<MotionTable, Box<dyn Error>> {
    let mut choice = TrackChoice {
        columns: arguments.columns.clone(),
        trajectories: arguments.trajectories.clone(),
        conditionals: Vec::new(),
        angles: arguments.angles.clone(),
    };
    let given = arguments.model.as_deref().map(open).transpose()?;
    if let (Some(model), Some((loaded, _))) = (&arguments.model, &given) {
        choice.conditionals = conditional_names(model, &loaded.header, arguments.conditionals.as_deref())?;
    }
    // A model knows names, units and angles of its coordinates; in a run's folder all models have the same.
    let known = match (&given, models.first()) {
        (None, Some(first)) => Some(open(first)?.1),
        _ => None,
    };
    let mut table = MotionTable::read(path, &choice)?;
    let view = given.as_ref().map(|(_, view)| view).or(known.as_ref());
    if let Some(view) = view.filter(|view| view.degrees_of_freedom() == table.degrees_of_freedom()) {
        for (coordinate, variable) in table.coordinates.iter_mut().zip(view.variables()) {
            coordinate.symbol.clone_from(&variable.symbol);
            coordinate.angle |= variable.angle;
            if coordinate.unit.is_empty() {
                coordinate.unit.clone_from(&variable.unit);
            }
        }
        let unit = view.time_unit().map(str::to_owned);
        table.time_unit = table.time_unit.or(unit);
    }
    if let Some((loaded, view)) = &given {
        let d = table.degrees_of_freedom();
        if view.degrees_of_freedom() != d {
            let (path, found) = (path.to_owned(), d);
            return Err(
                lnn_train::table::TableError::Dimension { path, found, expected: view.degrees_of_freedom() }.into()
            );
        }
        for track in &mut table.tracks {
            let values = view.energies(&track.states, &track.conditionals);
            if !values.is_empty() {
                let column = Column::named(format!("energy by {}", loaded.header.name));
                track.energies.push(EnergyColumn { column, values });
            }
        }
    }
    Ok(table)
}

/// `q0,q1` as two names.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once(',') {
        Some((a, b)) if !a.trim().is_empty() && !b.trim().is_empty() && !b.contains(',') => {
            Ok((a.trim().to_owned(), b.trim().to_owned()))
        }
        _ => Err(format!("`{text}` is not two variables; expected A,B such as q0,q1")),
    }
}

/// `q2=0.5` as a name and a number.
fn value(text: &str) -> Result<(String, f64), String> {
    let wrong = || format!("`{text}` fixes nothing; expected NAME=VALUE with a number, such as q2=0.5");
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let value: f64 = value.trim().parse().map_err(|_| wrong())?;
    if value.is_finite() { Ok((name.trim().to_owned(), value)) } else { Err(wrong()) }
}

/// `q0=-1..1` as a name and two numbers.
fn range(text: &str) -> Result<(String, f64, f64), String> {
    let wrong = || format!("`{text}` is no range; expected NAME=LOW..HIGH with numbers, such as q0=-1..1");
    let (name, ends) = text.split_once('=').ok_or_else(wrong)?;
    let (low, high) = ends.split_once("..").ok_or_else(wrong)?;
    let end = |text: &str| text.trim().parse::<f64>().map_err(|_| wrong());
    Ok((name.trim().to_owned(), end(low)?, end(high)?))
}

const EXAMPLES: &str = "\
Examples:
  lnn plot runs/dblpend/fast-0
      Everything of a run, into runs/dblpend/fast-0/plots/.
  lnn plot motions.csv --angles q0,q1 --trajectories 0,3
  lnn plot data.csv --model model.safetensors --figures energy
      The learned energy along measured motions: does it stay?
  lnn plot model.safetensors --over q0,q1 --at q_dot0=1 --range q0=-1..1
  lnn plot model.safetensors --figures potential --along q1 --out figures";
