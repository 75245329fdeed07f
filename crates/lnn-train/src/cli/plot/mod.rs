//! `lnn plot`.

mod arguments;

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lnn_train::plot::{
    Drawing, EnergyColumn, LearnedView, MotionTable, PlotError, TrackChoice, energy, mass_matrix, phase, potential,
    write_drawings,
};
use lnn_train::store::{LoadedModel, StoreError, load_model};
use lnn_train::table::{Column, TableError};
use serde_json::json;

use arguments::FigureName;
pub(super) use arguments::PlotArguments;

use super::error::CommandError;
use super::model_names::conditional_names;
use super::output::{print_json, say};

/// Figures that are drawn from a table of motions; the others are of models.
const OF_MOTIONS: [FigureName; 2] = [FigureName::Phase, FigureName::Energy];

/// The motions of a run: of `lnn experiment`, of `lnn train`.
const RUN_TABLES: [&str; 2] = ["trajectories.csv", "rollouts.csv"];

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
    arguments.require_options_of(&sources)?;
    let mut drawings = Vec::new();
    if let Some(path) = &sources.table
        && OF_MOTIONS.into_iter().any(|figure| arguments.wants(figure))
    {
        drawings.extend(of_motions(arguments, path, &sources.models)?);
    }
    let mut learned = Learned::default();
    for path in &sources.models {
        learned.draw(arguments, path)?;
    }
    drawings.extend(learned.drawings(arguments)?);
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
            let tables = RUN_TABLES.map(|name| input.join(name));
            let table = tables.into_iter().find(|path| path.is_file());
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

    /// Refuses options that what is drawn has no use for.
    fn require_options_of(&self, sources: &Sources) -> Result<(), CommandError> {
        let of_tables = [
            ("--trajectories", !self.trajectories.is_empty()),
            ("--angles", !self.angles.is_empty()),
            ("--columns", self.columns.is_some()),
            ("--model", self.model.is_some()),
        ];
        let of_models = [
            ("--over", self.over.is_some()),
            ("--along", !self.along.is_empty()),
            ("--at", !self.at.is_empty()),
            ("--range", !self.range.is_empty()),
        ];
        for (there, options, needed) in [
            (sources.table.is_some(), of_tables, "a table of motions"),
            (!sources.models.is_empty(), of_models, "a learned model"),
        ] {
            if let Some((option, _)) = options.into_iter().find(|(_, given)| *given && !there) {
                return Err(CommandError::OptionOfAnother { path: self.input.clone(), option, needed });
            }
        }
        Ok(())
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

/// The figures of what models have learned.
#[derive(Default)]
struct Learned {
    drawings: Vec<(FigureName, Drawing)>,
    /// Figures that a model does not have.
    refused: Vec<(FigureName, PlotError)>,
}

impl Learned {
    /// Adds the figures of a model.
    fn draw(&mut self, arguments: &PlotArguments, path: &Path) -> Result<(), Box<dyn Error>> {
        let mut view = open(path)?.1;
        view.fix(&arguments.at)?;
        view.set_ranges(&arguments.range)?;
        let over = arguments.over.as_ref().map(|(across, up)| [across.as_str(), up.as_str()]);
        let mut add = |figure: FigureName, draw: &dyn Fn() -> Result<Drawing, PlotError>| {
            if arguments.wants(figure) {
                match draw() {
                    Ok(drawing) => self.drawings.push((figure, drawing)),
                    Err(error @ PlotError::NotLearned { .. }) => self.refused.push((figure, error)),
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        };
        add(FigureName::MassMatrix, &|| mass_matrix(&view, over))?;
        add(FigureName::Potential, &|| potential(&view, &arguments.along))?;
        Ok(())
    }

    /// All of them; it is an error if a figure was asked for that no model has.
    fn drawings(self, arguments: &PlotArguments) -> Result<Vec<Drawing>, PlotError> {
        let drawn = |figure: &FigureName| self.drawings.iter().any(|(name, _)| name == figure);
        let missing = self.refused.into_iter().find(|(figure, _)| arguments.insists(*figure) && !drawn(figure));
        match missing {
            Some((_, error)) => Err(error),
            None => Ok(self.drawings.into_iter().map(|(_, drawing)| drawing).collect()),
        }
    }
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
    let loaded = load_model(path).map_err(|error| match error {
        StoreError::OtherModel { .. } => CommandError::FieldModel { path: path.to_owned() }.into(),
        error => Box::<dyn Error>::from(error),
    })?;
    let model = loaded.model().map_err(|source| CommandError::Model { path: path.to_owned(), source })?;
    let system = loaded.header.build_system();
    let system = system.map_err(|source| CommandError::System { path: path.to_owned(), source })?;
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
