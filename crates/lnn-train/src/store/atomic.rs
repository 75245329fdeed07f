//! Files that are either the old or the new version, never a part: write beside, flush, rename.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use tempfile::NamedTempFile;

use super::error::StoreError;

/// Ending of files that are being written; what a killed process leaves behind has it.
pub(super) const PARTIAL: &str = ".partial";

/// Replaces `path` by `bytes`, or leaves it as it was.
///
/// The bytes go to a temporary file in the same folder, are flushed to the disk, and take the name in one
/// step, so that no reader and no crash can see half a file.
///
/// # Errors
/// [`StoreError::Write`] with the path and a remedy: no such folder, no permission, disk full, a folder in
/// the way.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    replace(path, bytes).map_err(StoreError::write(path))
}

/// Writes `bytes` to `path` if no file has that name, and says whether it did.
///
/// # Errors
/// [`StoreError::Write`] with the path and a remedy.
pub(crate) fn write_unless_there(path: &Path, bytes: &[u8]) -> Result<bool, StoreError> {
    let mut file = PartialFile::create(path)?;
    file.write_all(bytes).map_err(StoreError::write(path))?;
    file.finish_unless_there()
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = temporary(path)?;
    temporary.write_all(bytes)?;
    persist(temporary, path, true)
}

/// A file under another name in the folder of `path`.
fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    // Opened as any other file, so that it gets the usual permissions instead of the owner's alone.
    let open = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path);
    let mut builder = tempfile::Builder::new();
    let named = builder.prefix(".").suffix(PARTIAL).make_in(folder_of(path), open)?;
    Ok(named)
}

/// Flushes the file and gives it its name, in place of another if `replace`.
fn persist(temporary: NamedTempFile, path: &Path, replace: bool) -> io::Result<()> {
    temporary.as_file().sync_all()?;
    let named = if replace { temporary.persist(path) } else { temporary.persist_noclobber(path) };
    named.map_err(|error| error.error)?;
    sync_folder(folder_of(path))
}

/// A file that is written piece by piece and takes its name at the end; dropped before, nothing of it is left.
///
/// What was written goes to the disk while the rest is made: else a large file would wait for the disk at its end.
#[derive(Debug)]
pub(crate) struct PartialFile {
    path: PathBuf,
    temporary: NamedTempFile,
    flush: Option<JoinHandle<io::Result<()>>>,
    /// Bytes since the last flush began.
    unflushed: usize,
}

/// Bytes between two flushes.
const FLUSH_EVERY: usize = 1 << 26;

impl PartialFile {
    /// # Errors
    /// [`StoreError::Write`].
    pub(crate) fn create(path: &Path) -> Result<Self, StoreError> {
        if path.is_dir() {
            return Err(StoreError::write(path)(io::ErrorKind::IsADirectory.into()));
        }
        let temporary = temporary(path).map_err(StoreError::write(path))?;
        Ok(Self { path: path.to_owned(), temporary, flush: None, unflushed: 0 })
    }

    /// Waits for the last flush, if one is still going on.
    fn wait(&mut self) -> io::Result<()> {
        match self.flush.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(flushed)) => flushed,
            Some(Err(_)) => Err(io::Error::other("the thread that flushes the file has panicked")),
        }
    }

    /// Begins a flush if enough was written since the last one and that has ended.
    fn flush_behind(&mut self, written: usize) -> io::Result<()> {
        self.unflushed += written;
        if self.unflushed < FLUSH_EVERY || self.flush.as_ref().is_some_and(|flush| !flush.is_finished()) {
            return Ok(());
        }
        self.wait()?;
        self.unflushed = 0;
        let file = self.temporary.as_file().try_clone()?;
        self.flush = Some(std::thread::Builder::new().name("flush".to_owned()).spawn(move || file.sync_data())?);
        Ok(())
    }

    /// Takes the name, in place of what has it.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub(crate) fn finish(mut self) -> Result<(), StoreError> {
        let waited = self.wait();
        waited.and_then(|()| persist(self.temporary, &self.path, true)).map_err(StoreError::write(&self.path))
    }

    /// Takes the name if no other file has it, and says whether it did.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub(crate) fn finish_unless_there(mut self) -> Result<bool, StoreError> {
        let waited = self.wait();
        match waited.and_then(|()| persist(self.temporary, &self.path, false)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(StoreError::write(&self.path)(error)),
        }
    }
}

impl Write for PartialFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.temporary.as_file_mut().write(bytes)?;
        self.flush_behind(written)?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.as_file_mut().flush()
    }
}

impl Seek for PartialFile {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.temporary.as_file_mut().seek(position)
    }
}

/// Creates a folder and its parents; an existing folder is fine.
///
/// # Errors
/// [`StoreError::Write`] with the path and a remedy.
pub fn create_folder(path: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(path).map_err(StoreError::write(path))
}

/// The folder that a file lies in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes renames in a folder survive a power failure, where the system has such a call.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("folder exists");
        entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn replaces_the_whole_file_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("a.json");
        for contents in [&b"first, and longer"[..], b"second", b""] {
            write_atomically(&path, contents).expect("writable");
            assert_eq!(fs::read(&path).expect("written"), contents);
            assert_eq!(names(folder.path()), ["a.json"]);
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_as_readable_as_any_other() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("temporary folder");
        let ours = folder.path().join("ours");
        let usual = folder.path().join("usual");
        write_atomically(&ours, b"x").expect("writable");
        fs::write(&usual, b"x").expect("writable");
        let mode = |path: &Path| fs::metadata(path).expect("exists").permissions().mode();
        assert_eq!(mode(&ours), mode(&usual));
    }

    #[test]
    fn a_failure_names_the_path_and_the_remedy_and_changes_nothing() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("file");
        fs::write(&file, b"kept").expect("writable");
        let below = file.join("model.safetensors");
        let message = write_atomically(&below, b"x").expect_err("a file is no folder").to_string();
        assert!(message.contains(&below.display().to_string()), "{message}");
        assert!(message.contains("a part of the path is a file"), "{message}");
        let message = create_folder(&file).expect_err("a file is there").to_string();
        assert!(message.contains("a part of the path is a file"), "{message}");
        assert_eq!(fs::read(&file).expect("still there"), b"kept");

        let missing = folder.path().join("none").join("a");
        let message = write_atomically(&missing, b"x").expect_err("no such folder").to_string();
        assert!(message.contains("the folder does not exist"), "{message}");
        assert!(!message.contains(PARTIAL), "{message}");

        let taken = folder.path().join("taken");
        fs::create_dir(&taken).expect("writable");
        let message = write_atomically(&taken, b"x").expect_err("a folder is there").to_string();
        assert!(message.contains("a folder has the name"), "{message}");
        assert_eq!(names(folder.path()).len(), 2);
    }

    #[test]
    fn a_file_that_is_flushed_many_times_is_whole() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("large");
        let piece: Vec<u8> = (0..1 << 20).map(|i: u32| (i % 251) as u8).collect();
        let mut file = PartialFile::create(&path).expect("writable");
        for _ in 0..3 * FLUSH_EVERY / piece.len() {
            file.write_all(&piece).expect("writable");
        }
        assert!(file.flush.is_some() && names(folder.path()).iter().all(|name| name.ends_with(PARTIAL)));
        file.finish().expect("writable");
        let written = fs::read(&path).expect("written");
        assert_eq!(written.len(), 3 * FLUSH_EVERY);
        assert!(written.chunks_exact(piece.len()).all(|part| part == piece));
        assert_eq!(names(folder.path()), ["large"]);
    }

    #[test]
    fn a_full_disk_and_a_forbidden_folder_have_their_own_remedies() {
        for (kind, words) in [
            (io::ErrorKind::StorageFull, "free some space"),
            (io::ErrorKind::PermissionDenied, "that you may write to"),
            (io::ErrorKind::ReadOnlyFilesystem, "that you may write to"),
        ] {
            let error = StoreError::write(Path::new("runs"))(io::Error::from(kind));
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
