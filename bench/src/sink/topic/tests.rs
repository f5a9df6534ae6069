use std::time::Instant;

use record::{BatchBuilder, Compression};

use super::{Topic, name};

fn topic(partitions: i32) -> Topic {
    let dir = std::env::temp_dir();
    let name = name(&format!("sink-{}-{partitions}", std::process::id()), partitions, false);
    Topic::make(&name, &dir).expect("made")
}

fn batch(records: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::None);
    (0..records).for_each(|_| builder.push(0, None, Some(b"value"), &[]));
    builder.build().to_vec()
}

#[test]
fn a_name_says_how_many_partitions_and_whether_they_are_synced() {
    let dir = std::env::temp_dir();
    let made = Topic::make(&name("sink-named", 6, true), &dir).expect("made");
    assert_eq!((made.partitions(), made.synced), (6, true));
    let plain = Topic::make("sink-plain", &dir).expect("made");
    assert_eq!((plain.partitions(), plain.synced), (1, false));
}

#[test]
fn what_is_fetched_begins_with_the_batch_that_has_the_offset() {
    let topic = topic(2);
    let (one, two) = (batch(3), batch(2));
    assert_eq!(topic.append(1, &one), Some(0));
    assert_eq!(topic.append(1, &two), Some(3));
    assert_eq!(topic.append(2, &one), None);
    let fetch = |offset, max, all| topic.fetch(&[(1, offset, max)], all, Instant::now()).remove(0);
    let both = fetch(0, 1 << 20, 1 << 20);
    assert_eq!((both.position, both.length, both.end_offset), (0, one.len() + two.len(), 5));
    // From the middle of a batch on, all of it is returned; and one batch, however few bytes are requested.
    assert_eq!(fetch(2, 1, 1 << 20).length, one.len());
    let second = fetch(4, 1 << 20, 1 << 20);
    assert_eq!((second.position, second.length), (one.len() as u64, two.len()));
    assert_eq!(fetch(5, 1 << 20, 1 << 20).length, 0);
}

#[test]
fn batches_are_stamped_with_their_offset() {
    let topic = topic(1);
    topic.append(0, &batch(3)).expect("appended");
    topic.append(0, &batch(1)).expect("appended");
    let region = topic.fetch(&[(0, 3, 1 << 20)], 1 << 20, Instant::now()).remove(0);
    let mut bytes = Vec::new();
    super::read(&topic.file(0).expect("a file"), &region, &mut bytes);
    assert_eq!(bytes[..8], 3_i64.to_be_bytes());
}

#[test]
fn a_broken_batch_is_refused() {
    let mut broken = batch(1);
    *broken.last_mut().expect("some bytes") ^= 1;
    assert_eq!(topic(3).append(0, &broken), None);
    assert_eq!(topic(3).append(0, &[0; 5]), None);
}
