//! Bytes that no well-meaning client sends: the connection ends, the broker and everyone else go on.

use std::time::{Duration, Instant};

use crate::harness::broker::Broker;
use crate::harness::clients::{Producer, create_topic, ids, read_all};
use crate::harness::wire::{API_VERSIONS, METADATA, Wire, assert_serves, frame};

/// The most memory that the broker may hold after any of this beyond what it held before.
const GROWTH_MAX: u64 = 96 << 20;

/// Runs `attack` and shows that the broker lives, serves others and has kept no memory for it.
fn survives(attack: impl FnOnce(&str)) {
    let mut broker = Broker::start();
    let topic = create_topic(broker.bootstrap(), "bystander", 1, &[]);
    let producer = Producer::new(broker.bootstrap(), &[]);
    producer.send(&topic, 0, 0, 100);
    producer.acknowledged();
    let before = broker.resident_bytes();
    attack(broker.bootstrap());
    assert_serves(broker.bootstrap());
    producer.send(&topic, 0, 1, 100);
    producer.acknowledged();
    assert_eq!(ids(&read_all(broker.bootstrap(), &topic, 0)), [0, 1]);
    if let (Some(before), Some(after)) = (before, broker.resident_bytes()) {
        assert!(after < before + GROWTH_MAX, "resident memory grew from {before} to {after}");
    }
    broker.assert_healthy();
}

fn closes(what: &str, bootstrap: &str, bytes: &[u8]) {
    let mut wire = Wire::open(bootstrap);
    wire.send(bytes);
    wire.assert_closed(what);
}

#[test]
fn lengths_that_no_frame_has() {
    survives(|bootstrap| {
        for length in [-1, i32::MIN, -100, i32::MAX, 500 << 20, 101 << 20] {
            let mut bytes = length.to_be_bytes().to_vec();
            bytes.extend([0; 64]);
            closes(&format!("length {length}"), bootstrap, &bytes);
        }
        for length in [0_i32, 1, 4, 7] {
            let mut bytes = length.to_be_bytes().to_vec();
            bytes.extend(vec![0; usize::try_from(length).expect("small")]);
            closes(&format!("length {length}"), bootstrap, &bytes);
        }
    });
}

#[test]
fn other_protocols() {
    survives(|bootstrap| {
        closes("HTTP", bootstrap, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let mut client_hello = vec![0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3];
        client_hello.extend([7; 200]);
        closes("TLS", bootstrap, &client_hello);
        closes("SSH", bootstrap, b"SSH-2.0-OpenSSH_9.6\r\n");
        closes("HTTP/2", bootstrap, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    });
}

#[test]
fn noise() {
    survives(|bootstrap| {
        let mut noise = fastrand::Rng::with_seed(11);
        for _ in 0..200 {
            let mut body = vec![0; noise.usize(8..600)];
            noise.fill(&mut body);
            // A true length first, so that the rest is taken for a request.
            let mut wire = Wire::open(bootstrap);
            wire.send(&i32::try_from(body.len()).expect("small").to_be_bytes());
            wire.send(&body);
            wire.finish_sending();
        }
    });
}

/// Every API at each version it may have, with noise for a body.
#[test]
fn noise_behind_a_good_header() {
    survives(|bootstrap| {
        let mut noise = fastrand::Rng::with_seed(12);
        for key in 0..93 {
            for version in 0..=13 {
                let mut body = vec![0; noise.usize(0..80)];
                noise.fill(&mut body);
                if noise.bool() {
                    // Small numbers look like counts and lengths that are almost right.
                    body.iter_mut().for_each(|byte| *byte %= 4);
                }
                let mut wire = Wire::open(bootstrap);
                wire.send(&frame(key, version, 1, &body));
                wire.finish_sending();
            }
        }
    });
}

#[test]
fn frames_that_end_early() {
    survives(|bootstrap| {
        let whole = frame(METADATA, 1, 5, &[0, 0, 0, 1, 0, 3, b'a', b'b', b'c']);
        for end in 1..whole.len() {
            let mut wire = Wire::open(bootstrap);
            wire.send(&whole[..end]);
            wire.finish_sending();
            wire.assert_closed("half a frame");
        }
    });
}

#[test]
fn unknown_apis_and_versions_close_the_connection() {
    survives(|bootstrap| {
        for (key, version) in [(999, 0), (-1, 0), (93, 0), (METADATA, 99), (METADATA, -1), (1, 3), (0, 99)] {
            closes(&format!("API {key} version {version}"), bootstrap, &frame(key, version, 5, &[0; 20]));
        }
        // Removed from Kafka: between brokers, before KRaft.
        for key in [4, 5, 6, 7] {
            closes(&format!("API {key}"), bootstrap, &frame(key, 0, 5, &[0; 20]));
        }
    });
}

/// The log says why a client that is too old is cut off: once, however often the client tries, and whatever
/// its id is.
#[test]
fn a_client_that_is_too_old_is_named_in_the_log() {
    let Some(mut broker) = Broker::own(&[]) else { return };
    const FETCH: i16 = 1;
    let body = [&8_i16.to_be_bytes()[..], b"old\nFAKE", &[0; 20]].concat();
    for _ in 0..100 {
        let mut wire = Wire::open(broker.bootstrap());
        // Behind the correlation id comes the client id, which `frame` leaves out.
        let mut request = [FETCH.to_be_bytes(), 2_i16.to_be_bytes(), [0; 2], [0; 2]].concat();
        request.extend(&body);
        let length = i32::try_from(request.len()).expect("short").to_be_bytes();
        wire.send(&[&length[..], &request].concat());
        wire.assert_closed("an old Fetch");
    }
    let log = broker.log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("version 2 of Fetch")).collect();
    assert!((1..=10).contains(&told.len()), "{} lines:\n{log}", told.len());
    assert!(told[0].contains("WARN") && told[0].contains("127.0.0.1"), "{}", told[0]);
    assert!(told[0].contains("\"old\\nFAKE\""), "{}", told[0]);
    assert!(told[0].contains("versions 4 to ") && told[0].contains("too old"), "{}", told[0]);
    assert!(!log.lines().any(|line| line.starts_with("FAKE")), "{log}");
    broker.assert_healthy();
}

/// The one request that is answered in a version that the broker does not know, so that clients can start somewhere.
#[test]
fn an_unknown_version_of_api_versions_is_answered_in_version_0() {
    let broker = Broker::start();
    let mut wire = Wire::open(broker.bootstrap());
    let answer = wire.ask(API_VERSIONS, 99, &[0, 1, 2, 3]);
    assert_eq!(answer[..2], 35_i16.to_be_bytes(), "UNSUPPORTED_VERSION");
    assert_eq!(answer[2..6], 1_i32.to_be_bytes(), "one API");
    assert_eq!(answer[6..10], [0, 18, 0, 0], "this one, from version 0");
    assert_eq!(answer.len(), 12, "and nothing behind it");
    // The connection is still good.
    let answer = wire.ask(API_VERSIONS, 0, &[]);
    assert_eq!(answer[..2], [0, 0]);
    // Librdkafka below 2.11.1 compresses only where Produce 0 is listed.
    let produce = answer[6..].chunks(6).find(|api| api[..2] == [0, 0]).expect("Produce");
    assert_eq!(produce[2..4], [0, 0]);
}

#[test]
fn counts_that_the_bytes_do_not_hold() {
    survives(|bootstrap| {
        for count in [i32::MAX, 1 << 30, 1_000_000, 2] {
            let mut body = count.to_be_bytes().to_vec();
            body.extend([0, 1, b'x']);
            closes(&format!("{count} topics"), bootstrap, &frame(METADATA, 1, 5, &body));
        }
        // A string longer than the frame; CreateTopics with a million topics; JoinGroup with as many protocols.
        closes("a long string", bootstrap, &frame(METADATA, 1, 5, &[0, 0, 0, 1, 0x7f, 0xff, b'x']));
        closes("CreateTopics", bootstrap, &frame(19, 2, 5, &[0, 15, 66, 64, 0, 1, b'x']));
        let mut join = vec![0, 1, b'g', 0, 0, 23, 112, 0, 0, 0, 8];
        join.extend(b"consumer");
        join.extend(i32::MAX.to_be_bytes());
        closes("JoinGroup", bootstrap, &frame(11, 0, 5, &join));
        // The compact forms: counts as unsigned varints, as large as they go, and overlong.
        for varint in [&[0xff, 0xff, 0xff, 0xff, 7][..], &[0xff; 10], &[0x80, 0x80, 0x80, 0x80, 0x80, 1]] {
            let mut body = vec![0];
            body.extend(varint);
            closes("compact count", bootstrap, &frame(METADATA, 9, 5, &body));
            let mut tags = varint.to_vec();
            tags.extend([0; 16]);
            closes("tag count", bootstrap, &frame(METADATA, 9, 5, &tags));
        }
    });
}

/// A client that sends and never reads holds itself up, not the broker; once it reads, all is there and in order.
#[test]
fn ten_thousand_requests_without_reading() {
    const REQUESTS: i32 = 10_000;
    survives(|bootstrap| {
        let mut reading = Wire::open(bootstrap);
        let mut writing = reading.another_handle();
        let writer = std::thread::spawn(move || {
            for correlation in 0..REQUESTS {
                // All topics: the answer is larger than the question.
                writing.try_send(&frame(METADATA, 1, correlation, &[0xff; 4])).expect("sent");
            }
        });
        std::thread::sleep(Duration::from_secs(1));
        assert!(assert_serves(bootstrap) < Duration::from_secs(5));
        for correlation in 0..REQUESTS {
            let response = reading.receive().expect("a response");
            assert_eq!(response[..4], correlation.to_be_bytes());
        }
        writer.join().expect("all sent");
    });
}

#[test]
fn clients_that_send_a_byte_at_a_time() {
    survives(|bootstrap| {
        let whole = frame(API_VERSIONS, 0, 5, &[]);
        let mut slow: Vec<_> = (0..200).map(|_| Wire::open(bootstrap)).collect();
        for byte in &whole[..whole.len() - 1] {
            slow.iter_mut().for_each(|wire| wire.send(&[*byte]));
            assert!(assert_serves(bootstrap) < Duration::from_secs(5));
            std::thread::sleep(Duration::from_millis(20));
        }
        // Slow is not wrong: the last byte completes the request.
        for wire in &mut slow[..20] {
            wire.send(&whole[whole.len() - 1..]);
            assert_eq!(wire.receive().expect("a response")[4..6], [0, 0]);
        }
    });
}

/// The length of a large frame is a promise, not memory: nothing is set aside before the bytes have come.
#[test]
fn announced_and_never_sent() {
    // Kafka sets it aside, and 12 GB end it.
    let Some(broker) = Broker::own(&[]) else { return };
    let before = broker.resident_bytes();
    let announced: Vec<_> = (0..200)
        .map(|_| {
            let mut wire = Wire::open(broker.bootstrap());
            wire.send(&(60_i32 << 20).to_be_bytes());
            wire.send(&[0, 0, 0, 9, 0, 0, 0, 1]);
            wire
        })
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    assert!(assert_serves(broker.bootstrap()) < Duration::from_secs(5));
    if let (Some(before), Some(after)) = (before, broker.resident_bytes()) {
        assert!(after < before + (64 << 20), "12 GB announced, and memory grew from {before} to {after}");
    }
    drop(announced);
}

#[test]
fn a_thousand_connections() {
    raise_file_limit();
    survives(|bootstrap| {
        let begun = Instant::now();
        let mut wires: Vec<_> = (0..1_000).map(|_| Wire::open(bootstrap)).collect();
        for (at, wire) in wires.iter_mut().enumerate().filter(|(at, _)| at % 10 == 0) {
            wire.send(&frame(API_VERSIONS, 0, i32::try_from(at).expect("small"), &[]));
        }
        for wire in wires.iter_mut().step_by(10) {
            assert_eq!(wire.receive().expect("a response")[4..6], [0, 0]);
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        drop(wires);
        // A storm of connections that come and go.
        (0..1_000).for_each(|_| drop(Wire::open(bootstrap)));
    });
}

/// A thousand sockets here; the usual limit is just above that.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

#[test]
fn a_connection_that_only_waits_stays() {
    let broker = Broker::start();
    let mut wire = Wire::open(broker.bootstrap());
    assert!(wire.is_open_after(Duration::from_secs(2)));
    assert_eq!(wire.ask(API_VERSIONS, 0, &[])[..2], [0, 0]);
}
