use super::*;
use crate::testing::TempDir;

fn producer(epoch: i16, batches: &[(i32, i64)]) -> Producer {
    let mut producer = Producer::new();
    producer.epoch = epoch;
    for &(last_sequence, last_offset) in batches {
        producer.push(BatchEntry {
            last_sequence,
            last_offset,
            offset_delta: 1,
            timestamp: 1000 + last_offset,
        });
        producer.last_timestamp = 1000 + last_offset;
    }
    producer
}

#[test]
fn bytes_are_kafkas() {
    let mut state = ProducerState::new(9);
    let mut one = producer(2, &[(7, 8)]);
    one.txn_first_offset = Some(5);
    one.coordinator_epoch = 3;
    state.load(11, one);
    let bytes = encode(&state);
    assert_eq!(&bytes[..2], [0, 1]);
    assert_eq!(&bytes[6..10], [0, 0, 0, 1]);
    let mut entry = Vec::new();
    entry.extend_from_slice(&11_i64.to_be_bytes());
    entry.extend_from_slice(&2_i16.to_be_bytes());
    entry.extend_from_slice(&7_i32.to_be_bytes());
    entry.extend_from_slice(&8_i64.to_be_bytes());
    entry.extend_from_slice(&1_i32.to_be_bytes());
    entry.extend_from_slice(&1008_i64.to_be_bytes());
    entry.extend_from_slice(&3_i32.to_be_bytes());
    entry.extend_from_slice(&5_i64.to_be_bytes());
    assert_eq!(entry.len(), PRODUCER_BYTES);
    assert_eq!(bytes[10..56], entry);
    // The bytes that Kafka ignores: the end of the batches, and no earlier batch.
    assert_eq!(bytes[56..], [0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0]);
}

#[test]
fn trap_t8_all_remembered_batches_survive() {
    let mut state = ProducerState::new(40);
    state.load(1, producer(0, &[(1, 1), (3, 3), (5, 5), (7, 7), (9, 9)]));
    state.load(2, producer(4, &[(i32::MAX, 20), (1, 22)]));
    state.load(3, producer(4, &[]));
    state.load(4, producer(4, &[(8, 30)]));
    let bytes = encode(&state);
    assert_eq!(decode(&bytes, 40).unwrap(), Snapshot { state: state.clone(), says_end: true });
    // A gap before the segment that the snapshot is of.
    assert_eq!(decode(&bytes, 45).unwrap().state.batches_end_offset(), 40);
    // As Kafka reads it: the array alone.
    let array_end = 10 + 4 * PRODUCER_BYTES;
    let mut kafkas = bytes[..array_end].to_vec();
    let crc = crc_fast::crc32_iscsi(&kafkas[6..]);
    kafkas[2..6].copy_from_slice(&crc.to_be_bytes());
    let read = decode(&kafkas, 40).unwrap();
    assert!(!read.says_end);
    assert_eq!(read.state.producers()[&1].batches().len(), 1);
    assert_eq!(read.state.producers()[&1].batches()[0].last_offset, 9);
}

#[test]
fn damage_is_told() {
    let mut state = ProducerState::new(9);
    state.load(1, producer(0, &[(1, 1), (3, 3)]));
    let bytes = encode(&state);
    for len in 0..bytes.len() {
        decode(&bytes[..len], 9).unwrap_err();
    }
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        decode(&damaged, 9).unwrap_err();
    }
    // A count that the bytes do not justify, under a right checksum.
    let mut lying = bytes;
    lying[6..10].copy_from_slice(&i32::MAX.to_be_bytes());
    let crc = crc_fast::crc32_iscsi(&lying[6..]);
    lying[2..6].copy_from_slice(&crc.to_be_bytes());
    decode(&lying, 9).unwrap_err();
}

#[test]
fn a_file_holds_it() {
    let dir = TempDir::new();
    let (fs, path) = (Fs::real(), dir.path().join("00000000000000000009.snapshot"));
    let mut state = ProducerState::new(9);
    state.load(1, producer(0, &[(1, 1)]));
    write(&fs, &path, &state).unwrap();
    assert_eq!(read(&fs, &path, 9).unwrap().state, state);
    write(&fs, &path, &ProducerState::new(9)).unwrap();
    assert_eq!(read(&fs, &path, 9).unwrap().state, ProducerState::new(9));
}
