//! `lnn plot`.

mod arguments;

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lnn_train::config::SystemConfig;
use lnn_train::plot::{
    Drawing, EnergyColumn, LearnedView, MotionTable, PlotError, TrackChoice, energy, mass_matrix, phase, potential,
    write_drawings,
};
use lnn_train::store::{LoadedModel, load_model};
use lnn_train::table::{Column, TableError};
use serde_json::json;

use arguments::FigureName;
pub(super) use arguments::PlotArguments;

use super::error::CommandError;
use super::model_names::conditional_names;
use super::output::{print_json, say};

/// Figures that are drawn from a table of motions; the others are of models.
const OF_MOTIONS: [FigureName; 2] = [FigureName::Phase, FigureName::Energy];

/// What there is to draw.
struct Sources {
    table: Option<PathBuf>,
    models: Vec<PathBuf>,
    /// Where the figures go unless `--out` says otherwise.
    folder: PathBuf,
}

pub(super) fn run(arguments: &PlotArguments) -> Result<ExitCode, Box<dyn Error>> {
    let sources = Sources::find(&arguments.input)?;
    let not_there =
        arguments.figures.iter().flatten().find(|figure| {
            if OF_MOTIONS.contains(figure) { sources.table.is_none() } else { sources.models.is_empty() }
        });
    if let Some(figure) = not_there {
        return Err(CommandError::FigureOfAnother { path: arguments.input.clone(), figure: figure.name() }.into());
    }
    let mut drawings = Vec::new();
    if let Some(path) = &sources.table
        && OF_MOTIONS.into_iter().any(|figure| arguments.wants(figure))
    {
        drawings.extend(of_motions(arguments, path, &sources.models)?);
    }
    for path in &sources.models {
        drawings.extend(of_model(arguments, path, sources.models.len() == 1)?);
    }
    if drawings.is_empty() {
        return Err(CommandError::NoFigures { path: arguments.input.clone() }.into());
    }
    let folder = arguments.out.as_ref().unwrap_or(&sources.folder);
    let files = write_drawings(folder, &drawings, arguments.overwrite)?;
    let mut out = std::io::stdout().lock();
    for (drawing, files) in drawings.iter().zip(files.chunks(2)) {
        if arguments.output.json {
            print_json(&json!({ "event": "figure", "name": drawing.name, "title": drawing.title, "files": files }))?;
        } else if !arguments.output.quiet {
            writeln!(out, "{} and .png: {}", files[0].display(), drawing.title)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Sources {
    fn find(input: &Path) -> Result<Self, CommandError> {
        if input.is_dir() {
            let table = Some(input.join("trajectories.csv")).filter(|path| path.is_file());
            let models = models_in(input)?;
            if table.is_none() && models.is_empty() {
                return Err(CommandError::NothingToPlot { path: input.to_owned() });
            }
            return Ok(Self { table, models, folder: input.join("plots") });
        }
        let stem = input.file_stem().unwrap_or(input.as_os_str()).to_string_lossy();
        let folder = input.with_file_name(format!("{stem}-plots"));
        if input.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("safetensors")) {
            return Ok(Self { table: None, models: vec![input.to_owned()], folder });
        }
        Ok(Self { table: Some(input.to_owned()), models: Vec::new(), folder })
    }
}

impl PlotArguments {
    /// Whether a figure is to be drawn where there is something to draw.
    fn wants(&self, figure: FigureName) -> bool {
        self.figures.as_ref().is_none_or(|figures| figures.contains(&figure))
    }

    /// Whether it is an error if a figure cannot be drawn.
    fn insists(&self, figure: FigureName) -> bool {
        self.figures.is_some() && self.wants(figure)
    }
}

/// The figures of a table of motions.
fn of_motions(arguments: &PlotArguments, path: &Path, models: &[PathBuf]) -> Result<Vec<Drawing>, Box<dyn Error>> {
    let motions = motions(arguments, path, models)?;
    if motions.left_out > 0 && arguments.output.talks() {
        say(&format!("note: {} more motion(s) are not drawn; choose with --trajectories", motions.left_out));
    }
    let mut drawings = Vec::new();
    if arguments.wants(FigureName::Phase) {
        drawings.push(phase(&motions)?);
    }
    if arguments.wants(FigureName::Energy) {
        let drawing = energy(&motions)?;
        if drawing.is_none() && arguments.insists(FigureName::Energy) {
            return Err(CommandError::NoEnergyColumn { path: path.to_owned() }.into());
        }
        drawings.extend(drawing);
    }
    Ok(drawings)
}

/// The figures of what a model has learned; `alone`, it must have those that were asked for.
fn of_model(arguments: &PlotArguments, path: &Path, alone: bool) -> Result<Vec<Drawing>, Box<dyn Error>> {
    let mut view = open(path)?.1;
    view.fix(&arguments.at)?;
    view.set_ranges(&arguments.range)?;
    let over = arguments.over.as_ref().map(|(across, up)| [across.as_str(), up.as_str()]);
    let mut drawings = Vec::new();
    let mut add = |figure: FigureName, draw: &dyn Fn() -> Result<Drawing, PlotError>| {
        if !arguments.wants(figure) {
            return Ok(());
        }
        match draw() {
            Err(PlotError::NotLearned { .. }) if !(alone && arguments.insists(figure)) => Ok(()),
            drawn => drawn.map(|drawing| drawings.push(drawing)),
        }
    };
    add(FigureName::MassMatrix, &|| mass_matrix(&view, over))?;
    add(FigureName::Potential, &|| potential(&view, &arguments.along))?;
    Ok(drawings)
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

/// A model as it was loaded and as it is drawn.
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
            return Err(TableError::Dimension { path, found, expected: view.degrees_of_freedom() }.into());
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
