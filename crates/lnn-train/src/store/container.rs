//! A safetensors file with one RON record and a checksum of everything in it.
//!
//! The record lies in the file's metadata under one key, as
//! `(format:1,checksum:"crc32:xxxxxxxx",record:(…))`. The checksum is the CRC-32 of the whole file with
//! the eight digits replaced by zeros: header, record and tensors, so that any altered byte is found.
//! One key only, because the library keeps metadata in a hash map and files must be reproducible. Files of some kinds are
//! also written by other programs: those may leave the checksum out.

use std::collections::{BTreeMap, HashMap};

use safetensors::{SafeTensorError, SafeTensors};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::Damage;
use super::tensor::{Elements, Tensor};
use crate::config::from_ron;

/// The kind of a file: its metadata key, its format version and its name in messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileKind {
    pub(super) key: &'static str,
    pub(super) version: u32,
    pub(super) what: &'static str,
    pub(super) checksum: Checksum,
}

/// Whether a file of a kind must have a checksum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Checksum {
    Required,
    /// Checked where it is given.
    Optional,
}

/// Why a file was refused.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    Damage(Damage),
    Version(u32),
}

impl From<Damage> for Refusal {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

/// What a file holds: the record and the tensors by name.
pub(super) type Contents<R> = (R, BTreeMap<String, Tensor>);

/// As it is written.
#[derive(Serialize)]
struct Envelope<R> {
    format: u32,
    checksum: String,
    record: R,
}

/// As it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename = "Envelope")]
struct AnyEnvelope<R> {
    // Judged before, by `Head`.
    #[serde(rename = "format")]
    _format: u32,
    checksum: Option<String>,
    record: R,
}

/// The envelope's first field alone: another version's record may have any shape.
#[derive(Deserialize)]
struct Head {
    format: u32,
}

/// The checksum's start inside the file's JSON header, where quotes are escaped. A text inside the record
/// or a tensor's name could only hold it with more backslashes, and both come later.
const MARK: &[u8] = br#"checksum:\"crc32:"#;
const DIGITS: usize = 8;
const LENGTH_FIELD: usize = size_of::<u64>();

/// The bytes of a file.
pub(super) fn encode<R: Serialize>(
    kind: FileKind,
    record: &R,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<Vec<u8>, EncodeError> {
    let envelope = Envelope { format: kind.version, checksum: format!("crc32:{:0DIGITS$}", 0), record };
    let text = ron::to_string(&envelope)?;
    let metadata = HashMap::from([(kind.key.to_owned(), text)]);
    let mut bytes = safetensors::serialize(tensors, Some(metadata))?;
    let digits = checksum_digits(&bytes).ok_or(EncodeError::NoChecksumField)?;
    let checksum = format!("{:08x}", crc32fast::hash(&bytes));
    bytes[digits..digits + DIGITS].copy_from_slice(checksum.as_bytes());
    Ok(bytes)
}

/// Why a file's bytes could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum EncodeError {
    #[error("{0}")]
    Record(#[from] ron::Error),
    #[error("{0}")]
    Tensors(#[from] SafeTensorError),
    #[error("the checksum field is not where the format puts it")]
    NoChecksumField,
}

/// Reads and checks the bytes of a file.
pub(super) fn decode<R: DeserializeOwned>(kind: FileKind, bytes: &[u8]) -> Result<Contents<R>, Refusal> {
    let parsed = SafeTensors::read_metadata(bytes);
    if let Some(digits) = checksum_digits(bytes) {
        check(bytes, digits).map_err(|damage| promised_length(bytes).unwrap_or(damage))?;
    }
    let (header, metadata) =
        parsed.map_err(|error| promised_length(bytes).unwrap_or_else(|| Damage::NotSafetensors(error.to_string())))?;
    let text = metadata
        .metadata()
        .as_ref()
        .and_then(|entries| entries.get(kind.key))
        .filter(|_| kind.checksum == Checksum::Optional || checksum_digits(bytes).is_some())
        .ok_or(Damage::NoRecord { key: kind.key })?;
    let head: Head = from_ron(text, kind.key).map_err(|error| Damage::Record(Box::new(error)))?;
    if head.format != kind.version {
        return Err(Refusal::Version(head.format));
    }
    let envelope: AnyEnvelope<R> = from_ron(text, kind.key).map_err(|error| Damage::Record(Box::new(error)))?;
    if let (Some(found), None) = (envelope.checksum, checksum_digits(bytes)) {
        return Err(Damage::ChecksumForm(found).into());
    }
    let data = &bytes[LENGTH_FIELD + header..];
    let mut tensors = BTreeMap::new();
    for (name, info) in metadata.tensors() {
        let (start, end) = info.data_offsets;
        let elements = Elements::from_bytes(info.dtype, &data[start..end])
            .ok_or_else(|| Damage::ElementType { tensor: name.clone(), found: format!("{:?}", info.dtype) })?;
        tensors.insert(name, Tensor { shape: info.shape.clone(), elements });
    }
    Ok((envelope.record, tensors))
}

/// Whether the bytes have a record of this kind, undamaged or not.
pub(super) fn has_record(kind: FileKind, bytes: &[u8]) -> bool {
    let metadata = SafeTensors::read_metadata(bytes).ok();
    metadata.is_some_and(|(_, header)| header.metadata().as_ref().is_some_and(|entries| entries.contains_key(kind.key)))
}

/// The checksum that a file carries, right or wrong, such as `crc32:0123abcd`.
pub(super) fn stored_checksum(bytes: &[u8]) -> Option<String> {
    let digits = checksum_digits(bytes)?;
    Some(format!("crc32:{}", String::from_utf8_lossy(&bytes[digits..digits + DIGITS])))
}

/// Where the checksum's digits begin.
fn checksum_digits(bytes: &[u8]) -> Option<usize> {
    let header = bytes.get(LENGTH_FIELD..header_end(bytes)?.min(bytes.len()))?;
    let mark = header.windows(MARK.len()).position(|window| window == MARK)?;
    let digits = LENGTH_FIELD + mark + MARK.len();
    (digits + DIGITS <= bytes.len()).then_some(digits)
}

/// End of the JSON header as the first eight bytes state it.
fn header_end(bytes: &[u8]) -> Option<usize> {
    let length = u64::from_le_bytes(*bytes.first_chunk::<LENGTH_FIELD>()?);
    usize::try_from(length).ok()?.checked_add(LENGTH_FIELD)
}

fn check(bytes: &[u8], digits: usize) -> Result<(), Damage> {
    let stored = &bytes[digits..digits + DIGITS];
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..digits]);
    hasher.update(&[b'0'; DIGITS]);
    hasher.update(&bytes[digits + DIGITS..]);
    let computed = format!("{:08x}", hasher.finalize());
    // Compared as text: a digit whose case changed is an altered byte too.
    if stored == computed.as_bytes() {
        Ok(())
    } else {
        Err(Damage::Checksum { stored: String::from_utf8_lossy(stored).into_owned(), computed })
    }
}

/// The damage to report if the file's length is not what its header promises.
fn promised_length(bytes: &[u8]) -> Option<Damage> {
    let length = bytes.len() as u64;
    let Some(end) = header_end(bytes) else {
        return Some(Damage::Length { length, expected: LENGTH_FIELD as u64 });
    };
    let Some(header) = bytes.get(LENGTH_FIELD..end) else {
        // A header longer than any real one is a sign of another file type, not of a cut.
        let plausible = end <= 1 << 27 && bytes.get(LENGTH_FIELD).is_none_or(|&first| first == b'{');
        return plausible.then_some(Damage::Length { length, expected: end as u64 });
    };
    let header: serde_json::Value = serde_json::from_slice(header).ok()?;
    let data = header
        .as_object()?
        .iter()
        .filter(|(name, _)| *name != "__metadata__")
        .filter_map(|(_, info)| info.get("data_offsets")?.get(1)?.as_u64())
        .max()
        .unwrap_or(0);
    let expected = (end as u64).checked_add(data)?;
    (length != expected).then_some(Damage::Length { length, expected })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KIND: FileKind = FileKind { key: "lnn.test", version: 3, what: "test file", checksum: Checksum::Required };
    const BY_ANYONE: FileKind = FileKind { checksum: Checksum::Optional, ..KIND };

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Record {
        text: String,
        number: f64,
    }

    fn sample() -> (Record, BTreeMap<String, Tensor>) {
        let record = Record { text: r#"checksum:"crc32:12345678" \"#.to_owned(), number: -0.1 };
        let tensors = BTreeMap::from([
            ("a".to_owned(), Tensor { shape: vec![2, 1], elements: Elements::F32(vec![1.5, -2.0]) }),
            ("b".to_owned(), Tensor::flat(Elements::F64(vec![0.1]))),
            ("c".to_owned(), Tensor::flat(Elements::U64(vec![u64::MAX]))),
            ("d".to_owned(), Tensor::flat(Elements::F32(Vec::new()))),
        ]);
        (record, tensors)
    }

    fn bytes() -> Vec<u8> {
        let (record, tensors) = sample();
        encode(KIND, &record, &tensors).expect("plain data")
    }

    #[test]
    fn what_is_written_is_read_back_and_the_bytes_are_reproducible() {
        assert_eq!(decode::<Record>(KIND, &bytes()), Ok(sample()));
        assert!((0..20).all(|_| bytes() == bytes()));
    }

    #[test]
    fn every_single_bit_flip_is_found() {
        let mut bytes = bytes();
        for kind in [KIND, BY_ANYONE] {
            for bit in 0..8 * bytes.len() {
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert!(decode::<Record>(kind, &bytes).is_err(), "{kind:?}, bit {bit}");
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            assert!(decode::<Record>(kind, &bytes).is_ok());
        }
    }

    /// The sample with this text as its record.
    fn with_record(text: &str) -> Vec<u8> {
        let metadata = HashMap::from([(KIND.key.to_owned(), text.to_owned())]);
        safetensors::serialize(&sample().1, Some(metadata)).expect("plain data")
    }

    #[test]
    fn another_program_may_leave_the_checksum_out_where_the_kind_allows_it() {
        let record = r#"(text: "by hand", number: 2)"#;
        let written = with_record(&format!("(format: 3, record: {record} /* any RON */,\n)"));
        let (found, tensors) = decode::<Record>(BY_ANYONE, &written).expect("no checksum");
        assert_eq!(found, Record { text: "by hand".to_owned(), number: 2.0 });
        assert_eq!(tensors, sample().1);
        assert_eq!(decode::<Record>(KIND, &written), Err(Refusal::Damage(Damage::NoRecord { key: "lnn.test" })));
        for checksum in ["sha256:00", "crc32", ""] {
            let written = with_record(&format!("(format: 3, checksum: \"{checksum}\", record: {record})"));
            let refused = decode::<Record>(BY_ANYONE, &written);
            assert_eq!(refused, Err(Refusal::Damage(Damage::ChecksumForm(checksum.to_owned()))));
        }
        let written = with_record(&format!("(format:3,checksum:\"crc32:01234567\",record:{record})"));
        let refused = decode::<Record>(BY_ANYONE, &written).expect_err("another checksum");
        assert!(matches!(refused, Refusal::Damage(Damage::Checksum { .. })), "{refused:?}");
        let written = with_record(&format!("(format: 3, checksums: \"\", record: {record})"));
        let Err(Refusal::Damage(Damage::Record(error))) = decode::<Record>(BY_ANYONE, &written) else {
            panic!("an unknown field");
        };
        assert!(error.message.contains("`checksums`") && error.message.contains("`checksum`"), "{error}");
    }

    #[test]
    fn every_truncation_is_found_and_called_one() {
        let bytes = bytes();
        for length in 0..bytes.len() {
            let refused = decode::<Record>(KIND, &bytes[..length]).expect_err("cut short");
            let Refusal::Damage(Damage::Length { length: found, expected }) = refused else {
                panic!("length {length}: {refused:?}");
            };
            assert_eq!(found, length as u64);
            assert!(expected > found && expected <= bytes.len() as u64);
        }
    }

    #[test]
    fn a_changed_weight_is_called_a_checksum_mismatch() {
        let mut bytes = bytes();
        let last = bytes.len() - 1;
        bytes[last] ^= 0x10;
        let refused = decode::<Record>(KIND, &bytes).expect_err("altered");
        assert!(matches!(refused, Refusal::Damage(Damage::Checksum { .. })), "{refused:?}");
    }

    #[test]
    fn another_version_and_other_files_are_refused_by_name() {
        let (record, tensors) = sample();
        let newer = FileKind { version: 4, ..KIND };
        let written = encode(newer, &record, &tensors).expect("plain data");
        assert_eq!(decode::<Record>(KIND, &written), Err(Refusal::Version(4)));

        let foreign = safetensors::serialize(&tensors, None).expect("plain data");
        let refused = decode::<Record>(KIND, &foreign);
        assert_eq!(refused, Err(Refusal::Damage(Damage::NoRecord { key: "lnn.test" })));

        let picture = b"\x89PNG\r\n\x1a\n and so on and so forth";
        let refused = decode::<Record>(KIND, picture).expect_err("no container");
        assert!(matches!(refused, Refusal::Damage(Damage::NotSafetensors(_))), "{refused:?}");
    }

    proptest! {
        #[test]
        fn longer_damage_is_found_too(at in any::<prop::sample::Index>(), noise in prop::collection::vec(any::<u8>(), 1..40)) {
            let original = bytes();
            let mut altered = original.clone();
            let at = at.index(original.len());
            for (target, byte) in altered[at..].iter_mut().zip(&noise) {
                *target = *byte;
            }
            prop_assume!(altered != original);
            prop_assert!(decode::<Record>(KIND, &altered).is_err());
        }

        #[test]
        fn added_bytes_are_found(noise in prop::collection::vec(any::<u8>(), 1..40)) {
            let mut altered = bytes();
            altered.extend(noise);
            prop_assert!(decode::<Record>(KIND, &altered).is_err());
        }

        #[test]
        fn no_bytes_make_the_reader_fail(noise in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode::<Record>(KIND, &noise).is_err());
        }
    }
}
