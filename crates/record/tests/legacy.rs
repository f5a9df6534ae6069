//! Message sets of magic 0 and 1 as Kafka 4.3.1's own classes write and read them.

use record::{Batch, BatchError, BatchHeader, DecompressError, Scratch, stored_batches};

/// A message set, what Kafka reads in it line by line, and its format and codec.
struct Set {
    name: String,
    magic: i8,
    bytes: Vec<u8>,
    expected: String,
}

fn sets() -> Vec<Set> {
    let mut sets: Vec<Set> = Vec::new();
    for line in include_str!("captured/legacy.txt").lines() {
        if let Some(rest) = line.strip_prefix("set ") {
            let (name, hex) = rest.rsplit_once(' ').unwrap();
            let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            let bytes = (0..hex.len()).step_by(2).map(byte).collect();
            let magic = name[..1].parse().unwrap();
            sets.push(Set { name: name.to_owned(), magic, bytes, expected: String::new() });
        } else {
            sets.last_mut().unwrap().expected.push_str(&format!("{line}\n"));
        }
    }
    assert_eq!(sets.len(), 8 + 12 + 1);
    sets
}

fn text(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "-".to_owned(), |bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

/// The same lines of what is read here.
fn read(bytes: &[u8]) -> String {
    let (mut lines, mut scratch) = (String::new(), Scratch::new());
    for batch in stored_batches(bytes) {
        let batch = batch.unwrap();
        batch.verify_crc().unwrap();
        let header = batch.header();
        let mut records = Vec::new();
        for record in batch.records_decompressed(&mut scratch, 1 << 20).unwrap() {
            let record = record.unwrap();
            let (key, value) = (text(record.key), text(record.value).replace(' ', "_"));
            assert_eq!(record.headers.len(), 0);
            records.push((
                record.offset,
                format!("record {} {} {key} {value}\n", record.offset, record.timestamp),
            ));
        }
        lines.push_str(&format!(
            "batch {} {} {}\n",
            records[0].0,
            header.last_offset(),
            header.max_timestamp
        ));
        lines.extend(records.into_iter().map(|(_, line)| line));
    }
    lines
}

#[test]
fn what_kafka_reads_is_read() {
    for set in sets() {
        assert_eq!(read(&set.bytes), set.expected, "{}", set.name);
    }
}

#[test]
fn producers_may_not_send_them() {
    for set in sets().iter().filter(|set| set.magic < 2) {
        assert_eq!(BatchHeader::parse(&set.bytes).unwrap_err(), BatchError::Magic(set.magic));
        assert_eq!(Batch::parse(&set.bytes).unwrap_err(), BatchError::Magic(set.magic));
        assert_eq!(record::batches(&set.bytes).next().unwrap().unwrap_err(), BatchError::Magic(set.magic));
    }
}

#[test]
fn each_bit_that_the_checksum_covers_counts() {
    for set in sets().iter().filter(|set| set.magic < 2) {
        let size = BatchHeader::parse_stored(&set.bytes).unwrap().size_bytes();
        for at in 12..size {
            let mut bytes = set.bytes.clone();
            bytes[at] ^= 0x10;
            let checked = Batch::parse_stored(&bytes).and_then(|batch| batch.verify_crc());
            assert!(checked.is_err(), "{} byte {at}", set.name);
        }
    }
}

/// Cut anywhere, a set ends with what is whole; nothing but that is asked for to go on.
#[test]
fn a_set_may_be_cut_anywhere() {
    for set in sets() {
        for cut in 0..set.bytes.len() {
            let error = stored_batches(&set.bytes[..cut]).find_map(Result::err);
            match error {
                None => assert!(read(&set.bytes[..cut]).len() < set.expected.len()),
                Some(BatchError::Truncated { have_bytes, need_bytes }) => assert!(have_bytes < need_bytes),
                Some(error) => panic!("{} at {cut}: {error}", set.name),
            }
        }
    }
}

/// Whatever the bytes within are, reading ends, with an error at most.
#[test]
fn noise_within_ends_with_an_error() {
    let (mut random, mut scratch) = (fastrand::Rng::with_seed(11), Scratch::new());
    let (mut faults, mut undone) = (0, 0);
    for _ in 0..200 {
        for set in sets().iter().filter(|set| set.magic < 2) {
            let mut bytes = set.bytes.clone();
            let at = random.usize(17..bytes.len());
            bytes[at] = random.u8(..);
            let Ok(batch) = Batch::parse_stored(&bytes) else { continue };
            match batch.records_decompressed(&mut scratch, 1 << 16) {
                Ok(records) => faults += usize::from(records.into_iter().any(|record| record.is_err())),
                Err(error) => {
                    assert!(!matches!(error, DecompressError::TooLarge { max_bytes: 0 }));
                    undone += 1;
                }
            }
        }
    }
    assert!(faults > 20 && undone > 20, "{faults} {undone}");
}
