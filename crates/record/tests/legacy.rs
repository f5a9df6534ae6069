//! Message sets of magic 0 and 1 as Kafka 4.3.1's own classes write and read them.

use record::{
    Batch, BatchError, BatchHeader, DecompressError, RecordFault, RecordsError, Scratch, stored_batches,
};

/// A message set, Kafka's reading of it line by line, and its format and codec.
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

/// The same lines from our reading.
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

/// A set truncated anywhere ends with its last whole message; only that is needed to go on.
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

/// A message with the checksum that it should have.
fn message(offset: i64, magic: u8, attributes: u8, value: &[u8]) -> Vec<u8> {
    let mut body = vec![magic, attributes];
    if magic > 0 {
        body.extend((1000 + offset).to_be_bytes());
    }
    body.extend((-1_i32).to_be_bytes());
    body.extend((value.len() as i32).to_be_bytes());
    body.extend(value);
    let mut crc = flate2::Crc::new();
    crc.update(&body);
    let length = 4 + body.len() as i32;
    [&offset.to_be_bytes()[..], &length.to_be_bytes(), &crc.sum().to_be_bytes(), &body].concat()
}

const SNAPPY: u8 = 2;
const LZ4: u8 = 3;
const LOG_APPEND_TIME: u8 = 8;

/// Those messages within one with that offset.
fn wrapped(offset: i64, magic: u8, attributes: u8, within: &[Vec<u8>]) -> Vec<u8> {
    let value = snap::raw::Encoder::new().compress_vec(&within.concat()).unwrap();
    message(offset, magic, attributes | SNAPPY, &value)
}

/// Offsets and timestamps, or the reason why there are none.
fn records(bytes: &[u8]) -> Result<Vec<(i64, i64)>, RecordsError> {
    let batch = Batch::parse_stored(bytes).unwrap();
    batch.verify_crc().unwrap();
    let mut scratch = Scratch::new();
    let records = batch.records_decompressed(&mut scratch, 1 << 16).unwrap();
    records.map(|record| record.map(|record| (record.offset, record.timestamp))).collect()
}

fn fault(index: u32, fault: RecordFault) -> Result<Vec<(i64, i64)>, RecordsError> {
    Err(RecordsError::Record { index, fault })
}

#[test]
fn offsets_within_count_from_the_first_with_magic_1_and_stand_for_themselves_with_magic_0() {
    let within = |magic, offsets: &[i64]| -> Vec<Vec<u8>> {
        offsets.iter().map(|&offset| message(offset, magic, 0, b"v")).collect()
    };
    let read = |magic, offset, offsets: &[i64]| {
        let read = records(&wrapped(offset, magic, 0, &within(magic, offsets)));
        read.map(|records| records.iter().map(|record| record.0).collect::<Vec<_>>())
    };
    assert_eq!(read(1, 52, &[0, 1, 2]).unwrap(), [50, 51, 52]);
    // Compacted: the last is still the compressed one's.
    assert_eq!(read(1, 52, &[3, 7]).unwrap(), [48, 52]);
    // An old librdkafka wrote 0 for the offset that the broker assigns, and the broker kept it.
    assert_eq!(read(1, 0, &[0]).unwrap(), [0]);
    assert_eq!(
        read(1, 0, &[0, 1, 2]).unwrap_err(),
        RecordsError::Record { index: 1, fault: RecordFault::Offset }
    );
    assert_eq!(read(0, 52, &[50, 51, 52]).unwrap(), [50, 51, 52]);
    assert_eq!(read(0, 52, &[40, 45]).unwrap(), [40, 45]);
}

#[test]
fn offsets_within_go_up_to_that_of_the_compressed_message() {
    let set = |offsets: &[i64]| -> Vec<Vec<u8>> {
        offsets.iter().map(|&offset| message(offset, 0, 0, b"v")).collect()
    };
    for (offsets, at) in [(&[5, 5][..], 1), (&[5, 4], 1), (&[5, 11], 1), (&[11], 0), (&[-1], 0)] {
        assert_eq!(records(&wrapped(10, 0, 0, &set(offsets))), fault(at, RecordFault::Offset), "{offsets:?}");
    }
    // A batch of magic 2 must be able to take its place.
    let far = i64::from(i32::MAX);
    assert!(records(&wrapped(far, 0, 0, &set(&[0, far]))).is_ok());
    assert_eq!(records(&wrapped(far + 1, 0, 0, &set(&[0, far + 1]))), fault(0, RecordFault::Offset));
}

#[test]
fn what_cannot_be_within_a_compressed_message_is_refused() {
    let twice = wrapped(9, 1, 0, &[wrapped(0, 1, 0, &[message(0, 1, 0, b"v")])]);
    assert_eq!(records(&twice), fault(0, RecordFault::Compressed));
    let mut batch = message(0, 1, 0, &[0; 60]);
    batch[16] = 2;
    assert_eq!(records(&wrapped(9, 1, 0, &[batch])), fault(0, RecordFault::Magic));
    assert_eq!(records(&wrapped(9, 1, 0, &[])), Err(RecordsError::NoMessages));
    // zstd came with magic 2.
    let bytes = message(9, 1, 4, b"anything");
    let batch = Batch::parse_stored(&bytes).unwrap();
    let error = batch.records_decompressed(&mut Scratch::new(), 100).unwrap_err();
    assert_eq!(error, DecompressError::UnknownCodec(record::UnknownCodec(4)));
}

#[test]
fn append_time_is_that_of_the_compressed_message() {
    let within = [message(0, 1, 0, b"v"), message(1, 1, 0, b"v")];
    assert_eq!(records(&wrapped(31, 1, 0, &within)).unwrap(), [(30, 1000), (31, 1001)]);
    assert_eq!(records(&wrapped(31, 1, LOG_APPEND_TIME, &within)).unwrap(), [(30, 1031), (31, 1031)]);
}

#[test]
fn the_checksum_of_an_lz4_frames_header_is_compared_from_magic_1_on() {
    let frame = |magic: u8, damage: u8| {
        let within = message(0, magic, 0, b"v");
        let descriptor = [0x60, 0x40];
        let checksum = (twox_hash::XxHash32::oneshot(0, &descriptor) >> 8) as u8 ^ damage;
        let length = (within.len() as u32 | 1 << 31).to_le_bytes();
        let frame: Vec<u8> =
            [&[4, 0x22, 0x4d, 0x18, 0x60, 0x40, checksum], &length[..], &within, &[0; 4]].concat();
        message(0, magic, LZ4, &frame)
    };
    let read = |bytes: &[u8]| {
        let batch = Batch::parse_stored(bytes).unwrap();
        batch.records_decompressed(&mut Scratch::new(), 1000).map(Iterator::count)
    };
    assert_eq!(read(&frame(1, 0)), Ok(1));
    assert_eq!(read(&frame(1, 1)), Err(DecompressError::Malformed(record::Compression::Lz4)));
    // The writers of magic 0 computed it wrongly.
    assert_eq!(read(&frame(0, 1)), Ok(1));
}
