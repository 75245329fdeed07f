//! The bytes of one array: in a file of its own, in place within an archive, or unpacked from it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::super::TableError;
use super::header::Header;

/// An array's numbers.
#[derive(Debug)]
pub(super) struct Store {
    header: Header,
    place: StorePlace,
}

#[derive(Debug)]
enum StorePlace {
    /// From this byte of a file.
    Open { file: File, start: u64 },
    /// The member of this number in the archive, not read yet.
    Archived { member: usize },
}

impl Store {
    /// The numbers behind the header of an NPY file.
    pub(super) fn of_file(path: &Path, header: Header, file: File) -> Result<Self, TableError> {
        let length = file.metadata().map_err(|source| TableError::Read { path: path.to_owned(), source })?.len();
        header.require(path, length)?;
        let start = header.start;
        Ok(Self { header, place: StorePlace::Open { file, start } })
    }

    /// A member of an archive, `length` bytes long with its header.
    pub(super) fn of_member(path: &Path, header: Header, member: usize, length: u64) -> Result<Self, TableError> {
        header.require(path, length)?;
        Ok(Self { header, place: StorePlace::Archived { member } })
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// Fills `bytes` from this byte of the numbers on.
    pub(super) fn read(&mut self, path: &Path, from: u64, bytes: &mut [u8]) -> Result<(), TableError> {
        let read = |source: io::Error| TableError::Read { path: path.to_owned(), source };
        if let StorePlace::Archived { member } = self.place {
            self.place = unpack(path, &self.header, member)?;
        }
        let StorePlace::Open { file, start } = &mut self.place else { unreachable!("just opened") };
        file.seek(SeekFrom::Start(*start + from)).map_err(read)?;
        file.read_exact(bytes).map_err(read)
    }
}

impl Header {
    /// Refuses an array of which some numbers are not there.
    fn require(&self, path: &Path, length: u64) -> Result<(), TableError> {
        // Without a fixed size no column of it can be read.
        let expected = match self.element_bytes() {
            None => return Ok(()),
            Some(_) => self.bytes().unwrap_or(u64::MAX),
        };
        let found = length.saturating_sub(self.start);
        if found >= expected {
            return Ok(());
        }
        Err(TableError::CutShort { path: path.to_owned(), array: self.name.clone(), found, expected })
    }
}

/// Opens a member where it lies, or unpacks it into a temporary file without a name; its checksum is checked either way.
fn unpack(path: &Path, header: &Header, member: usize) -> Result<StorePlace, TableError> {
    let read = |source: io::Error| TableError::Read { path: path.to_owned(), source };
    let refused = |error: ZipError| refused(path, header.name.as_deref(), &error);
    let folder = std::env::temp_dir();
    let no_room = |source: io::Error| TableError::Unpack { path: path.to_owned(), folder: folder.clone(), source };
    let mut archive = ZipArchive::new(io::BufReader::new(File::open(path).map_err(read)?)).map_err(refused)?;
    let mut packed = archive.by_index(member).map_err(refused)?;
    let damaged = |error: io::Error| refused(ZipError::Io(error));
    match (packed.compression(), packed.data_start()) {
        (CompressionMethod::Stored, Some(start)) => {
            io::copy(&mut packed, &mut io::sink()).map_err(damaged)?;
            let file = File::open(path).map_err(read)?;
            Ok(StorePlace::Open { file, start: start + header.start })
        }
        _ => {
            let mut file = tempfile::tempfile().map_err(no_room)?;
            let mut buffer = vec![0; 1 << 16];
            loop {
                let length = packed.read(&mut buffer).map_err(damaged)?;
                if length == 0 {
                    break;
                }
                io::Write::write_all(&mut file, &buffer[..length]).map_err(no_room)?;
            }
            Ok(StorePlace::Open { file, start: header.start })
        }
    }
}

pub(super) fn refused(path: &Path, array: Option<&str>, error: &ZipError) -> TableError {
    TableError::Archive { path: path.to_owned(), array: array.map(str::to_owned), message: error.to_string() }
}
