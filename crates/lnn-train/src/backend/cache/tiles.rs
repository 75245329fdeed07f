//! Tuned tiles in a file of RON, one for each adapter and driver.

use std::path::PathBuf;

use jiff::Timestamp;
use lnn_gpu::device::AdapterSummary;
use lnn_gpu::mlp::{GradientTile, NarrowTile, ProductTile, Tiles};
use lnn_gpu::tuning::ShapeClass;
use serde::{Deserialize, Serialize};

use super::{CacheFolder, CacheProblem, read};
use crate::config::{from_ron, to_ron};
use crate::store::{create_folder, write_atomically};

/// Of the file; raised when its form or the meaning of a number in it changes.
const FORMAT: u32 = 2;

/// The tiles that a tuning has chosen on an adapter, for the shapes that it has seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TunedTiles {
    entries: Vec<TunedEntry>,
}

/// What was chosen for one class of shapes.
#[derive(Clone, Debug, PartialEq)]
pub struct TunedEntry {
    /// For which networks and batches.
    pub class: ShapeClass,
    /// The fastest tiles.
    pub tiles: Tiles,
    /// The day of the tuning, year-month-day in UTC.
    pub date: String,
}

impl TunedTiles {
    /// What is kept for this adapter and driver; nothing if there is no file. What cannot be used is left aside and told.
    pub fn load(folder: &CacheFolder, adapter: &AdapterSummary) -> (Self, Vec<CacheProblem>) {
        let mut problems = Vec::new();
        let file = Self::read(folder, adapter).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        let mut tiles = Self::default();
        for stored in file.map(|file| file.tuned).unwrap_or_default() {
            let entry = TunedEntry::from(stored);
            match entry.tiles.check(adapter, entry.class.tangents) {
                Ok(()) => tiles.insert(entry),
                Err(source) => {
                    let path = Self::path(folder, adapter);
                    problems.push(CacheProblem::Tiles { path, class: entry.class, source: Box::new(source) });
                }
            }
        }
        (tiles, problems)
    }

    fn read(folder: &CacheFolder, adapter: &AdapterSummary) -> Result<Option<File>, CacheProblem> {
        /// What every version of the file has.
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let syntax = |error| CacheProblem::Syntax(Box::new(error));
        let path = Self::path(folder, adapter);
        let Some(bytes) = read(&path)? else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes);
        let Head { format: found } = from_ron(&text, &path.display().to_string()).map_err(syntax)?;
        if found != FORMAT {
            return Err(CacheProblem::Format { path, found, known: FORMAT });
        }
        let file: File = from_ron(&text, &path.display().to_string()).map_err(syntax)?;
        let wanted = Made::on(adapter);
        if file.made_on != wanted {
            let (found, wanted) = (file.made_on.in_words(), wanted.in_words());
            return Err(CacheProblem::OtherAdapter { path, found, wanted });
        }
        Ok(Some(file))
    }

    fn path(folder: &CacheFolder, adapter: &AdapterSummary) -> PathBuf {
        folder.file("tiles", adapter, "ron")
    }

    /// Writes all of them for this adapter and driver, and says where.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn store(&self, folder: &CacheFolder, adapter: &AdapterSummary) -> Result<PathBuf, CacheProblem> {
        let path = Self::path(folder, adapter);
        let tuned = self.entries.iter().map(Stored::from).collect();
        let text = to_ron(&File { format: FORMAT, made_on: Made::on(adapter), tuned })?;
        create_folder(folder.path())?;
        write_atomically(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Adds what a tuning has chosen today, in place of what was chosen for the same class.
    pub fn add(&mut self, class: ShapeClass, tiles: Tiles) {
        let date = Timestamp::now().strftime("%Y-%m-%d").to_string();
        self.insert(TunedEntry { class, tiles, date });
    }

    fn insert(&mut self, entry: TunedEntry) {
        self.entries.retain(|other| other.class != entry.class);
        self.entries.push(entry);
        self.entries.sort_by_key(|entry| entry.class);
    }

    /// What was chosen for this class, if it was tuned.
    pub fn of(&self, class: ShapeClass) -> Option<&TunedEntry> {
        self.entries.iter().find(|entry| entry.class == class)
    }

    /// All of them, by class.
    pub fn entries(&self) -> &[TunedEntry] {
        &self.entries
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    made_on: Made,
    tuned: Vec<Stored>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Made {
    adapter: String,
    driver: String,
    interface: String,
}

impl Made {
    fn on(adapter: &AdapterSummary) -> Self {
        let AdapterSummary { name, driver, backend, .. } = adapter.clone();
        Self { adapter: name, driver, interface: backend }
    }

    fn in_words(&self) -> String {
        let Self { adapter, driver, interface } = self;
        format!("{adapter} ({interface}, {driver})")
    }
}

/// A [`TunedEntry`] as the file has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    tangents: usize,
    width: usize,
    rows: usize,
    date: String,
    forward: Option<StoredProduct>,
    reverse: Option<StoredProduct>,
    functional_forward: Option<StoredProduct>,
    functional_reverse: Option<StoredProduct>,
    weight_gradient: Option<StoredGradient>,
    narrow_jet: Option<StoredNarrow>,
    narrow_functional: Option<StoredNarrow>,
    narrow_step: Option<StoredNarrow>,
}

/// A tile with these fields, as the file has it.
macro_rules! stored {
    ($($stored:ident is $tile:ident { $($field:ident),* })*) => {$(
        #[derive(Debug, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct $stored {
            $($field: u32),*
        }

        impl From<$tile> for $stored {
            fn from($tile { $($field),* }: $tile) -> Self {
                Self { $($field),* }
            }
        }

        impl From<$stored> for $tile {
            fn from($stored { $($field),* }: $stored) -> Self {
                Self { $($field),* }
            }
        }
    )*};
}
stored! {
    StoredProduct is ProductTile { samples, columns }
    StoredGradient is GradientTile { side, splits }
    StoredNarrow is NarrowTile { samples, depth }
}

impl From<&TunedEntry> for Stored {
    fn from(TunedEntry { class, tiles, date }: &TunedEntry) -> Self {
        Self {
            tangents: class.tangents,
            width: class.width,
            rows: class.rows,
            date: date.clone(),
            forward: tiles.forward.map(Into::into),
            reverse: tiles.reverse.map(Into::into),
            functional_forward: tiles.functional_forward.map(Into::into),
            functional_reverse: tiles.functional_reverse.map(Into::into),
            weight_gradient: tiles.weight_gradient.map(Into::into),
            narrow_jet: tiles.narrow_jet.map(Into::into),
            narrow_functional: tiles.narrow_functional.map(Into::into),
            narrow_step: tiles.narrow_step.map(Into::into),
        }
    }
}

impl From<Stored> for TunedEntry {
    fn from(stored: Stored) -> Self {
        let Stored { tangents, width, rows, date, .. } = stored;
        let tiles = Tiles {
            forward: stored.forward.map(Into::into),
            reverse: stored.reverse.map(Into::into),
            functional_forward: stored.functional_forward.map(Into::into),
            functional_reverse: stored.functional_reverse.map(Into::into),
            weight_gradient: stored.weight_gradient.map(Into::into),
            narrow_jet: stored.narrow_jet.map(Into::into),
            narrow_functional: stored.narrow_functional.map(Into::into),
            narrow_step: stored.narrow_step.map(Into::into),
        };
        Self { class: ShapeClass { tangents, width, rows }, tiles, date }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::tests::adapter;
    use super::*;

    fn class(width: usize) -> ShapeClass {
        ShapeClass { tangents: 3, width, rows: 4096 }
    }

    fn wide() -> Tiles {
        Tiles {
            forward: Some(ProductTile { samples: 2, columns: 128 }),
            reverse: Some(ProductTile { samples: 4, columns: 64 }),
            weight_gradient: Some(GradientTile { side: 64, splits: 32 }),
            ..Tiles::default()
        }
    }

    fn narrow() -> Tiles {
        Tiles {
            narrow_jet: Some(NarrowTile { samples: 16, depth: 32 }),
            narrow_functional: Some(NarrowTile { samples: 4, depth: 64 }),
            narrow_step: Some(NarrowTile { samples: 2, depth: 64 }),
            ..Tiles::default()
        }
    }

    fn tuned() -> TunedTiles {
        let mut tuned = TunedTiles::default();
        tuned.add(class(512), wide());
        tuned.add(class(64), narrow());
        tuned
    }

    /// A folder with a file of tiles, and the file.
    fn stored() -> (tempfile::TempDir, CacheFolder, PathBuf) {
        let place = tempfile::tempdir().expect("a folder");
        let folder = CacheFolder::at(place.path().join("not/yet/there"));
        let path = tuned().store(&folder, &adapter()).expect("writable");
        (place, folder, path)
    }

    #[test]
    fn what_was_tuned_is_there_in_the_next_run() {
        let (_place, folder, path) = stored();
        let (found, problems) = TunedTiles::load(&folder, &adapter());
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(found, tuned());
        assert_eq!(found.of(class(512)).map(|entry| entry.tiles), Some(wide()));
        assert_eq!(found.of(class(576)), None);
        let text = fs::read_to_string(&path).expect("written");
        assert!(text.contains(&format!("format: {FORMAT}")) && text.contains("NVIDIA H100"), "{text}");
        // Tuned again, a class has its new tiles, and the others stay.
        let mut again = found;
        again.add(class(512), Tiles { reverse: None, ..wide() });
        assert_eq!(again.entries().len(), 2);
        again.store(&folder, &adapter()).expect("writable");
        assert_eq!(TunedTiles::load(&folder, &adapter()).0, again);
    }

    #[test]
    fn without_a_file_there_is_nothing_and_nothing_to_tell() {
        let place = tempfile::tempdir().expect("a folder");
        let (found, problems) = TunedTiles::load(&CacheFolder::at(place.path()), &adapter());
        assert!(found == TunedTiles::default() && problems.is_empty());
    }

    #[test]
    fn a_file_that_is_damaged_or_of_another_kind_is_left_aside_by_its_name() {
        let (_place, folder, path) = stored();
        let text = fs::read_to_string(&path).expect("written");
        for (damaged, words) in [
            (text[..text.len() / 2].to_owned(), "tuned tiles are left aside"),
            ("not RON at all".to_owned(), "tuned tiles are left aside"),
            (text.replace(&format!("format: {FORMAT}"), "format: 99"), "format 99"),
            (text.replace("forward:", "forwards:"), "forwards"),
            (text.replace("NVIDIA 550.54", "NVIDIA 540.1"), "NVIDIA 540.1"),
            (String::new(), "tuned tiles are left aside"),
        ] {
            fs::write(&path, &damaged).expect("writable");
            let (found, problems) = TunedTiles::load(&folder, &adapter());
            assert_eq!(found, TunedTiles::default(), "{damaged}");
            let [problem] = &problems[..] else { panic!("{words}: {problems:?}") };
            let message = problem.to_string();
            assert!(message.contains(words) && message.contains(&*path.display().to_string()), "{words}: {message}");
        }
        fs::remove_file(&path).expect("there");
        fs::create_dir(&path).expect("writable");
        let (_, problems) = TunedTiles::load(&folder, &adapter());
        assert!(matches!(&problems[..], [CacheProblem::Read { .. }]), "{problems:?}");
    }

    #[test]
    fn tiles_that_there_are_not_or_that_do_not_fit_are_left_aside_alone() {
        let (_place, folder, path) = stored();
        let text = fs::read_to_string(&path).expect("written");
        fs::write(&path, text.replace("columns: 128", "columns: 256")).expect("writable");
        let (found, problems) = TunedTiles::load(&folder, &adapter());
        assert_eq!((found.of(class(512)), found.entries().len()), (None, 1));
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        assert!(problem.to_string().contains("32 samples × 256 units"), "{problem}");
        // An adapter of the same name with less memory.
        fs::write(&path, text).expect("writable");
        let small = AdapterSummary { workgroup_memory: 20 << 10, ..adapter() };
        let (found, problems) = TunedTiles::load(&folder, &small);
        assert!(found.of(class(64)).is_none() && found.of(class(512)).is_some(), "{found:?}");
        assert!(problems[0].to_string().contains("bytes of workgroup memory"), "{problems:?}");
    }
}
