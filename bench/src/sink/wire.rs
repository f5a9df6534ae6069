//! As much of the protocol as a producer needs: ApiVersions 0, Metadata 4, Produce 5-7.

const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;

/// (key, lowest version, highest version). A client takes a broker that lists no Fetch 4 for one from before magic 2.
const APIS: [(i16, i16, i16); 4] = [(PRODUCE, 3, 7), (1, 4, 4), (METADATA, 4, 4), (API_VERSIONS, 0, 0)];

const UNSUPPORTED_VERSION: i16 = 35;

pub(crate) struct Request<'a> {
    pub(crate) correlation_id: i32,
    pub(crate) body: Body<'a>,
}

pub(crate) enum Body<'a> {
    /// `known`: the client asked in the one version that is known here.
    ApiVersions {
        known: bool,
    },
    Metadata {
        topics: Vec<&'a [u8]>,
    },
    Produce {
        acks: i16,
        topic: &'a [u8],
        partition: i32,
        batch: &'a [u8],
    },
}

/// The first whole frame, without its length.
pub(crate) fn first_frame(bytes: &[u8]) -> Option<&[u8]> {
    let length = i32::from_be_bytes(*bytes.first_chunk()?);
    bytes.get(4..4 + usize::try_from(length).ok()?)
}

/// What is left to read of a frame.
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

    /// A string; null is empty.
    fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.i16()?;
        self.bytes(usize::try_from(length.max(0)).ok()?)
    }
}

impl<'a> Request<'a> {
    /// None for anything but what a producer sends.
    pub(crate) fn parse(frame: &'a [u8]) -> Option<Request<'a>> {
        let mut rest = Rest(frame);
        let (key, version, correlation_id) = (rest.i16()?, rest.i16()?, rest.i32()?);
        rest.string()?;
        let body = match (key, version) {
            (API_VERSIONS, _) => Body::ApiVersions { known: version == 0 },
            (METADATA, 4) => Body::Metadata { topics: topics(&mut rest)? },
            (PRODUCE, 5..=7) => produce(&mut rest)?,
            _ => return None,
        };
        Some(Request { correlation_id, body })
    }
}

fn topics<'a>(rest: &mut Rest<'a>) -> Option<Vec<&'a [u8]>> {
    let count = rest.i32()?;
    (0..count.max(0)).map(|_| rest.string()).collect()
}

/// One topic and one partition, which is what the load has.
fn produce<'a>(rest: &mut Rest<'a>) -> Option<Body<'a>> {
    rest.string()?;
    let acks = rest.i16()?;
    let _timeout_ms = rest.i32()?;
    let _topics = rest.i32()?;
    let topic = rest.string()?;
    let _partitions = rest.i32()?;
    let partition = rest.i32()?;
    let length = usize::try_from(rest.i32()?).ok()?;
    let batch = rest.bytes(length)?;
    (batch.len() >= 61).then_some(Body::Produce { acks, topic, partition, batch })
}

fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(i16::try_from(text.len()).expect("a short text").to_be_bytes());
    out.extend(text);
}

/// Version 0, in which an unknown version is answered too.
pub(crate) fn put_api_versions(out: &mut Vec<u8>, known: bool) {
    let listed = if known { &APIS[..] } else { &APIS[3..] };
    let error_code: i16 = if known { 0 } else { UNSUPPORTED_VERSION };
    out.extend(error_code.to_be_bytes());
    out.extend(i32::try_from(listed.len()).expect("few").to_be_bytes());
    for (key, lowest, highest) in listed {
        for number in [key, lowest, highest] {
            out.extend(number.to_be_bytes());
        }
    }
}

/// One broker, 1, that leads partition 0 of every topic.
pub(crate) fn put_metadata(out: &mut Vec<u8>, host: &str, port: i32, topics: &[&[u8]]) {
    let put_i32s = |out: &mut Vec<u8>, numbers: &[i32]| {
        numbers.iter().for_each(|number| out.extend(number.to_be_bytes()));
    };
    put_i32s(out, &[0, 1, 1]);
    put_string(out, host.as_bytes());
    put_i32s(out, &[port]);
    // No rack; a cluster id; the controller.
    out.extend((-1_i16).to_be_bytes());
    put_string(out, b"sink");
    put_i32s(out, &[1, i32::try_from(topics.len()).expect("few")]);
    for topic in topics {
        out.extend([0; 2]);
        put_string(out, topic);
        // Not internal; one partition without an error: 0, led by 1, kept by 1, in sync on 1.
        out.push(0);
        put_i32s(out, &[1]);
        out.extend([0; 2]);
        put_i32s(out, &[0, 1, 1, 1, 1, 1]);
    }
}

pub(crate) fn put_produced(out: &mut Vec<u8>, topic: &[u8], partition: i32, base_offset: i64) {
    out.extend(1_i32.to_be_bytes());
    put_string(out, topic);
    out.extend(1_i32.to_be_bytes());
    out.extend(partition.to_be_bytes());
    out.extend([0; 2]);
    out.extend(base_offset.to_be_bytes());
    // No append time; the log starts at 0 (from version 5 on); no throttling.
    out.extend((-1_i64).to_be_bytes());
    out.extend([0; 12]);
}
