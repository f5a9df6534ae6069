//! A short run of the fuzz targets, the same each time: messages with bytes changed, truncated, inserted and
//! left out.

use bytes::{BufMut, Bytes, BytesMut};
use fastrand::Rng;
use protocol::frame::LENGTH_BYTES;
use protocol::records::{
    CoordinatorKey, CoordinatorValue, FramedRecord, coordinator_key, coordinator_value, framed,
};
use protocol::{Message, Request, Response, Writer, frame};

use crate::entry_points;
use crate::sample::{Sample, Source, encoded};

const ROUNDS: u64 = 60;

/// Calls `target` with `seed_bytes` and mutations of them.
fn mutate(rng: &mut Rng, seed_bytes: &Bytes, target: impl Fn(&[u8])) {
    target(seed_bytes);
    for _ in 0..ROUNDS {
        let mut bytes = seed_bytes.to_vec();
        for _ in 0..rng.usize(1..4) {
            mutate_once(rng, &mut bytes);
        }
        target(&bytes);
    }
}

fn mutate_once(rng: &mut Rng, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let place = rng.usize(0..bytes.len());
    match rng.u8(0..7) {
        0 => bytes[place] ^= 1 << rng.u8(0..8),
        1 => bytes[place] = rng.u8(..),
        2 => bytes[place] = [0, 1, 2, 0x7f, 0x80, 0xff][rng.usize(0..6)],
        3 => bytes.truncate(place),
        4 => bytes.insert(place, rng.u8(0..3)),
        5 => {
            bytes.remove(place);
        }
        _ => {
            let end = rng.usize(place..=bytes.len()).min(place + 20);
            let copy = bytes[place..end].to_vec();
            bytes.splice(place..place, copy);
        }
    }
}

fn seeds<M: Message + Sample>() -> impl Iterator<Item = (i16, M)> {
    M::VERSIONS.map(|version| (version, M::sample(&mut Source::random(7, version))))
}

fn without_length(frame: protocol::wire::Frame) -> Bytes {
    frame.into_bytes().slice(LENGTH_BYTES..)
}

fn fuzz_request<M: Request + Sample>(rng: &mut Rng) {
    for (version, message) in seeds::<M>() {
        let frame = frame::encode_request(1, Some("client".into()), &message, version, Writer::new());
        mutate(rng, &without_length(frame.expect("a sample fits")), entry_points::request);
    }
}

fn fuzz_response<M: Response + Sample>(rng: &mut Rng) {
    for (version, message) in seeds::<M>() {
        let frame = frame::encode_response(1, &message, version, Writer::new());
        let mut bytes = BytesMut::new();
        bytes.put_i16(M::API_KEY.as_i16());
        bytes.put_i16(version);
        bytes.put_slice(&without_length(frame.expect("a sample fits")));
        mutate(rng, &bytes.freeze(), entry_points::response);
    }
}

fn fuzz_key<M: CoordinatorKey + Sample>(rng: &mut Rng) {
    for (_, key) in seeds::<M>() {
        mutate(rng, &coordinator_key::encode(&key).expect("a sample fits"), entry_points::record_key);
    }
}

fn fuzz_value<M: CoordinatorValue + Sample>(rng: &mut Rng) {
    for (version, value) in seeds::<M>() {
        mutate(
            rng,
            &coordinator_value::encode(&value, version).expect("a sample fits"),
            entry_points::record_value,
        );
    }
}

fn fuzz_record<M: FramedRecord + Sample>(rng: &mut Rng) {
    for (version, record) in seeds::<M>() {
        mutate(rng, &framed::encode(&record, version).expect("a sample fits"), entry_points::framed_record);
    }
}

fn fuzz_data<M: Message + Sample + std::fmt::Debug>(rng: &mut Rng) {
    for (version, message) in seeds::<M>() {
        let mut bytes = BytesMut::new();
        bytes.put_i16(version);
        bytes.put_slice(&encoded(&message, version));
        mutate(rng, &bytes.freeze(), entry_points::plain);
    }
}

#[test]
fn nothing_panics() {
    let mut rng = Rng::with_seed(42);
    macro_rules! fuzz_all {
        (@one request $group:ident $name:ident) => { fuzz_request::<protocol::$group::$name>(&mut rng) };
        (@one response $group:ident $name:ident) => { fuzz_response::<protocol::$group::$name>(&mut rng) };
        (@one key $group:ident $name:ident) => { fuzz_key::<protocol::$group::$name>(&mut rng) };
        (@one value $group:ident $name:ident) => { fuzz_value::<protocol::$group::$name>(&mut rng) };
        (@one record $group:ident $name:ident) => { fuzz_record::<protocol::$group::$name>(&mut rng) };
        (@one data $group:ident $name:ident) => { fuzz_data::<protocol::$group::$name>(&mut rng) };
        ($($group:ident $kind:ident $name:ident $class:ident,)*) => { $(fuzz_all!(@one $kind $group $name);)* };
    }
    protocol::every_message!(fuzz_all);
}

#[test]
fn noise_does_not_panic() {
    let mut rng = Rng::with_seed(43);
    let targets = [
        entry_points::request,
        entry_points::response,
        entry_points::record_key,
        entry_points::record_value,
        entry_points::framed_record,
        entry_points::plain,
    ];
    for round in 0..20_000 {
        let len = rng.usize(0..200);
        let largest = [2, 4, 255][round % 3];
        let mut bytes: Vec<u8> = (0..len).map(|_| rng.u8(0..=largest)).collect();
        // Half of the time an API, a type or a version that exists.
        if rng.bool() && bytes.len() >= 4 {
            bytes[..4].copy_from_slice(&[0, rng.u8(0..93), 0, rng.u8(0..15)]);
        }
        for target in targets {
            target(&bytes);
        }
    }
}
