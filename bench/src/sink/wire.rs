//! The part of the protocol that a producer and a consumer need: ApiVersions 0, FindCoordinator 0, Metadata
//! 4, Produce 5-7, Fetch 10.

use super::topic::{HEADER_BYTES, Region};

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const METADATA: i16 = 3;
const FIND_COORDINATOR: i16 = 10;
const API_VERSIONS: i16 = 18;

/// (key, lowest version, highest version). librdkafka takes a broker that lists no Fetch 4 for one from
/// before magic 2, and one without FindCoordinator for one from before LZ4.
const APIS: [(i16, i16, i16); 5] =
    [(PRODUCE, 3, 7), (FETCH, 4, 10), (METADATA, 4, 4), (FIND_COORDINATOR, 0, 0), (API_VERSIONS, 0, 0)];

const UNSUPPORTED_VERSION: i16 = 35;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;

pub(crate) struct Request<'a> {
    pub(crate) correlation_id: i32,
    pub(crate) body: Body<'a>,
}

/// Requests with one topic each, as the load has.
pub(crate) enum Body<'a> {
    /// `known`: the client asked in the one version that is known here.
    ApiVersions {
        known: bool,
    },
    FindCoordinator,
    Metadata {
        topics: Vec<&'a [u8]>,
    },
    Produce {
        acks: i16,
        topic: &'a [u8],
        batches: Vec<(i32, &'a [u8])>,
    },
    /// `partitions`: index, offset, and most bytes of each.
    Fetch {
        wait_ms: u64,
        bytes_max: usize,
        topic: &'a [u8],
        partitions: Vec<(i32, i64, usize)>,
    },
}

/// The first whole frame, without its length.
pub(crate) fn first_frame(bytes: &[u8]) -> Option<&[u8]> {
    let length = i32::from_be_bytes(*bytes.first_chunk()?);
    bytes.get(4..4 + usize::try_from(length).ok()?)
}

/// The rest of a frame.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn i16(&mut self) -> Option<i16> {
        self.bytes(2).map(|bytes| i16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn i32(&mut self) -> Option<i32> {
        self.bytes(4).map(|bytes| i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn i64(&mut self) -> Option<i64> {
        self.bytes(8).map(|bytes| i64::from_be_bytes(bytes.try_into().expect("eight bytes")))
    }

    /// A count; null is 0.
    fn count(&mut self) -> Option<usize> {
        self.i32().map(|count| usize::try_from(count).unwrap_or(0))
    }

    /// A string; null is empty.
    fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.i16()?;
        self.bytes(usize::try_from(length.max(0)).ok()?)
    }
}

impl<'a> Request<'a> {
    /// Parses a request; `None` for anything but those of a producer or a consumer of one topic.
    pub(crate) fn parse(frame: &'a [u8]) -> Option<Request<'a>> {
        let mut rest = Rest(frame);
        let (key, version, correlation_id) = (rest.i16()?, rest.i16()?, rest.i32()?);
        rest.string()?;
        let body = match (key, version) {
            (API_VERSIONS, _) => Body::ApiVersions { known: version == 0 },
            (FIND_COORDINATOR, 0) => Body::FindCoordinator,
            (METADATA, 4) => Body::Metadata { topics: topics(&mut rest)? },
            (PRODUCE, 5..=7) => produce(&mut rest)?,
            (FETCH, 10) => fetch(&mut rest)?,
            _ => return None,
        };
        Some(Request { correlation_id, body })
    }
}

fn topics<'a>(rest: &mut Rest<'a>) -> Option<Vec<&'a [u8]>> {
    let count = rest.count()?;
    (0..count).map(|_| rest.string()).collect()
}

fn produce<'a>(rest: &mut Rest<'a>) -> Option<Body<'a>> {
    rest.string()?;
    let acks = rest.i16()?;
    let _timeout_ms = rest.i32()?;
    if rest.count()? != 1 {
        return None;
    }
    let topic = rest.string()?;
    let count = rest.count()?;
    let batches = (0..count).map(|_| {
        let partition = rest.i32()?;
        let length = rest.count()?;
        rest.bytes(length).filter(|batch| batch.len() >= HEADER_BYTES).map(|batch| (partition, batch))
    });
    Some(Body::Produce { acks, topic, batches: batches.collect::<Option<_>>()? })
}

fn fetch<'a>(rest: &mut Rest<'a>) -> Option<Body<'a>> {
    let _replica = rest.i32()?;
    let wait_ms = u64::try_from(rest.i32()?).ok()?;
    let _bytes_min = rest.i32()?;
    let bytes_max = rest.count()?;
    // Isolation level, session and its epoch.
    rest.bytes(1 + 4 + 4)?;
    if rest.count()? != 1 {
        return None;
    }
    let topic = rest.string()?;
    let count = rest.count()?;
    let partitions = (0..count).map(|_| {
        let partition = rest.i32()?;
        let _leader_epoch = rest.i32()?;
        let offset = rest.i64()?;
        let _log_start_offset = rest.i64()?;
        Some((partition, offset, rest.count()?))
    });
    Some(Body::Fetch { wait_ms, bytes_max, topic, partitions: partitions.collect::<Option<_>>()? })
}

fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(i16::try_from(text.len()).expect("a short text").to_be_bytes());
    out.extend(text);
}

/// Version 0, which also answers an unknown version.
pub(crate) fn put_api_versions(out: &mut Vec<u8>, known: bool) {
    let listed = if known { &APIS[..] } else { &APIS[4..] };
    let error_code: i16 = if known { 0 } else { UNSUPPORTED_VERSION };
    out.extend(error_code.to_be_bytes());
    out.extend(i32::try_from(listed.len()).expect("few").to_be_bytes());
    for (key, lowest, highest) in listed {
        for number in [key, lowest, highest] {
            out.extend(number.to_be_bytes());
        }
    }
}

fn put_i32s(out: &mut Vec<u8>, numbers: &[i32]) {
    numbers.iter().for_each(|number| out.extend(number.to_be_bytes()));
}

fn count_of(what: usize) -> i32 {
    i32::try_from(what).expect("few")
}

/// No error, broker 1; a consumer that commits nothing only wants to know.
pub(crate) fn put_coordinator(out: &mut Vec<u8>, host: &str, port: i32) {
    out.extend([0; 2]);
    put_i32s(out, &[1]);
    put_string(out, host.as_bytes());
    put_i32s(out, &[port]);
}

/// One broker, 1, that leads all partitions of every topic. A topic without partitions is unknown.
pub(crate) fn put_metadata(out: &mut Vec<u8>, host: &str, port: i32, topics: &[(&[u8], i32)]) {
    put_i32s(out, &[0, 1, 1]);
    put_string(out, host.as_bytes());
    put_i32s(out, &[port]);
    // No rack; a cluster id; the controller.
    out.extend((-1_i16).to_be_bytes());
    put_string(out, b"sink");
    put_i32s(out, &[1, count_of(topics.len())]);
    for (topic, partitions) in topics {
        let error_code = if *partitions == 0 { UNKNOWN_TOPIC_OR_PARTITION } else { 0 };
        out.extend(error_code.to_be_bytes());
        put_string(out, topic);
        // Not internal.
        out.push(0);
        put_i32s(out, &[*partitions]);
        for partition in 0..*partitions {
            // No error: led by 1, replica on 1, in sync on 1.
            out.extend([0; 2]);
            put_i32s(out, &[partition, 1, 1, 1, 1, 1]);
        }
    }
}

pub(crate) fn put_produced(out: &mut Vec<u8>, topic: &[u8], offsets: &[(i32, i64)]) {
    put_i32s(out, &[1]);
    put_string(out, topic);
    put_i32s(out, &[count_of(offsets.len())]);
    for (partition, base_offset) in offsets {
        put_i32s(out, &[*partition]);
        out.extend([0; 2]);
        out.extend(base_offset.to_be_bytes());
        // No append time; the log starts at 0.
        out.extend((-1_i64).to_be_bytes());
        out.extend([0; 8]);
    }
    put_i32s(out, &[0]);
}

/// The part before the partitions of a fetch's answer: no throttling, no error, no session, one topic.
pub(crate) fn put_fetched(out: &mut Vec<u8>, topic: &[u8], partitions: usize) {
    put_i32s(out, &[0]);
    out.extend([0; 2]);
    put_i32s(out, &[0, 1]);
    put_string(out, topic);
    put_i32s(out, &[count_of(partitions)]);
}

/// The part before the bytes of one partition: everything is stable, the log starts at 0, nothing is aborted.
pub(crate) fn put_fetched_partition(out: &mut Vec<u8>, region: &Region) {
    put_i32s(out, &[region.partition]);
    out.extend([0; 2]);
    out.extend(region.end_offset.to_be_bytes());
    out.extend(region.end_offset.to_be_bytes());
    out.extend([0; 8]);
    put_i32s(out, &[0, count_of(region.length)]);
}
