//! A quorum queue of RabbitMQ through AMQP 0-9-1: persistent messages with publisher confirms in; acknowledged by batches
//! out.

use std::collections::BTreeSet;
use std::io::{BufReader, Read};
use std::net::TcpStream;

use super::{Job, Marks, Wire, pump, unexpected, unread};
use crate::Attempt;
use crate::values::Values;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const END: u8 = 0xce;
const CHANNEL: u16 = 1;
/// The largest frame, as RabbitMQ proposes; it applies to both ends.
const FRAME_BYTES_MAX: u32 = 131_072;
/// The flag of a message's property, and its value: kept on disk.
const HAS_DELIVERY_MODE: u16 = 0x1000;
const PERSISTENT: u8 = 2;

/// (class, method), as AMQP numbers them.
type Method = (u16, u16);
const START: Method = (10, 10);
const START_OK: Method = (10, 11);
const TUNE: Method = (10, 30);
const TUNE_OK: Method = (10, 31);
const OPEN: Method = (10, 40);
const OPEN_OK: Method = (10, 41);
const CHANNEL_OPEN: Method = (20, 10);
const CHANNEL_OPEN_OK: Method = (20, 11);
const QUEUE_DECLARE: Method = (50, 10);
const QUEUE_DECLARE_OK: Method = (50, 11);
const QOS: Method = (60, 10);
const QOS_OK: Method = (60, 11);
const CONSUME: Method = (60, 20);
const CONSUME_OK: Method = (60, 21);
const PUBLISH: Method = (60, 40);
const DELIVER: Method = (60, 60);
const ACK: Method = (60, 80);
const CONFIRM_SELECT: Method = (85, 10);
const CONFIRM_SELECT_OK: Method = (85, 11);

fn short_text(out: &mut Vec<u8>, text: &str) {
    out.push(u8::try_from(text.len()).expect("a short text"));
    out.extend_from_slice(text.as_bytes());
}

fn long_text(out: &mut Vec<u8>, text: &str) {
    out.extend(u32::try_from(text.len()).expect("a text").to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn put_frame(out: &mut Vec<u8>, kind: u8, channel: u16, payload: &[u8]) {
    out.push(kind);
    out.extend(channel.to_be_bytes());
    out.extend(u32::try_from(payload.len()).expect("a frame").to_be_bytes());
    out.extend_from_slice(payload);
    out.push(END);
}

fn put_method(out: &mut Vec<u8>, channel: u16, method: Method, arguments: &[u8]) {
    let mut payload = Vec::with_capacity(4 + arguments.len());
    payload.extend(method.0.to_be_bytes());
    payload.extend(method.1.to_be_bytes());
    payload.extend_from_slice(arguments);
    put_frame(out, METHOD, channel, &payload);
}

/// The next frame: its kind and its payload.
fn frame(reader: &mut BufReader<TcpStream>) -> Attempt<(u8, Vec<u8>)> {
    let mut head = [0; 7];
    reader.read_exact(&mut head).map_err(|error| unread(&error))?;
    let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
    if length > FRAME_BYTES_MAX {
        return Err(unexpected(&head));
    }
    let mut payload = vec![0; length as usize + 1];
    reader.read_exact(&mut payload).map_err(|error| unread(&error))?;
    payload.pop();
    Ok((head[0], payload))
}

/// The method of a payload, and its arguments.
fn method(payload: &[u8]) -> Attempt<(Method, &[u8])> {
    let (head, arguments) = payload.split_first_chunk::<4>().ok_or_else(|| unexpected(payload))?;
    Ok(((u16::from_be_bytes([head[0], head[1]]), u16::from_be_bytes([head[2], head[3]])), arguments))
}

fn expect(wire: &mut Wire, expected: Method) -> Attempt<()> {
    let (_, payload) = frame(&mut wire.reader)?;
    if method(&payload)?.0 == expected { Ok(()) } else { Err(unexpected(&payload)) }
}

fn ask(wire: &mut Wire, asked: Method, arguments: &[u8], answer: Method) -> Attempt<()> {
    let mut bytes = Vec::new();
    put_method(&mut bytes, if asked.0 == OPEN.0 { 0 } else { CHANNEL }, asked, arguments);
    wire.send(&bytes)?;
    expect(wire, answer)
}

/// Connects, opens the one channel and declares the queue.
fn connect(address: &str) -> Attempt<Wire> {
    let mut wire = Wire::open(address)?;
    wire.send(b"AMQP\0\0\x09\x01")?;
    expect(&mut wire, START)?;
    // No properties of the client.
    let mut login = vec![0; 4];
    short_text(&mut login, "PLAIN");
    long_text(&mut login, "\0guest\0guest");
    short_text(&mut login, "en_US");
    ask(&mut wire, START_OK, &login, TUNE)?;
    // One channel, the largest number; no heartbeats.
    let mut limits = CHANNEL.to_be_bytes().to_vec();
    limits.extend(FRAME_BYTES_MAX.to_be_bytes());
    limits.extend([0; 2]);
    let mut bytes = Vec::new();
    put_method(&mut bytes, 0, TUNE_OK, &limits);
    wire.send(&bytes)?;
    ask(&mut wire, OPEN, &[1, b'/', 0, 0], OPEN_OK)?;
    ask(&mut wire, CHANNEL_OPEN, &[0], CHANNEL_OPEN_OK)?;
    let mut queue = vec![0; 2];
    short_text(&mut queue, "bench");
    // Durable.
    queue.push(0b10);
    let mut table = Vec::new();
    short_text(&mut table, "x-queue-type");
    table.push(b'S');
    long_text(&mut table, "quorum");
    queue.extend(u32::try_from(table.len()).expect("a table").to_be_bytes());
    queue.extend(table);
    ask(&mut wire, QUEUE_DECLARE, &queue, QUEUE_DECLARE_OK)?;
    Ok(wire)
}

/// The confirmed messages: confirms need not be in order.
#[derive(Default)]
struct Confirms {
    all_up_to: u64,
    beyond: BTreeSet<u64>,
}

impl Confirms {
    /// Adds a confirm of one tag, or of all up to it; returns how many messages it adds.
    fn add(&mut self, tag: u64, multiple: bool) -> u64 {
        let before = self.all_up_to + self.beyond.len() as u64;
        if multiple {
            self.all_up_to = self.all_up_to.max(tag);
            self.beyond = self.beyond.split_off(&(self.all_up_to + 1));
        } else if tag > self.all_up_to {
            self.beyond.insert(tag);
        }
        while self.beyond.remove(&(self.all_up_to + 1)) {
            self.all_up_to += 1;
        }
        self.all_up_to + self.beyond.len() as u64 - before
    }
}

pub(crate) fn put(job: &Job<'_>) -> Attempt<Marks> {
    let mut wire = connect(job.address)?;
    ask(&mut wire, CONFIRM_SELECT, &[0], CONFIRM_SELECT_OK)?;
    let mut publish = Vec::new();
    // To the exchange without a name, which routes by the queue's name.
    put_method(&mut publish, CHANNEL, PUBLISH, b"\0\0\0\x05bench\0");
    let mut properties = Vec::new();
    properties.extend(PUBLISH.0.to_be_bytes());
    properties.extend([0; 2]);
    properties.extend((job.size as u64).to_be_bytes());
    properties.extend(HAS_DELIVERY_MODE.to_be_bytes());
    properties.push(PERSISTENT);
    put_frame(&mut publish, HEADER, CHANNEL, &properties);
    let values = Values::new(job.size);
    let marks = job.marks_in();
    let send = |nth: u64, out: &mut Vec<u8>| {
        out.extend_from_slice(&publish);
        put_frame(out, BODY, CHANNEL, values.of(nth as usize));
    };
    let mut confirms = Confirms::default();
    pump(wire, (job, 1), &marks, send, |reader| {
        let (_, payload) = frame(reader)?;
        match method(&payload)? {
            (ACK, [tag @ .., multiple]) if tag.len() == 8 => {
                let tag = u64::from_be_bytes(tag.try_into().expect("eight bytes"));
                Ok(confirms.add(tag, *multiple & 1 == 1))
            }
            _ => Err(unexpected(&payload)),
        }
    })?;
    Ok(marks.into_inner().expect("not poisoned").finish())
}

pub(crate) fn take(job: &Job<'_>) -> Attempt<Marks> {
    let mut wire = connect(job.address)?;
    let batch = job.batch();
    let mut limit = vec![0; 4];
    limit.extend(u16::try_from(batch * 2).expect("a thousand or two").to_be_bytes());
    limit.push(0);
    ask(&mut wire, QOS, &limit, QOS_OK)?;
    ask(&mut wire, CONSUME, b"\0\0\x05bench\0\0\0\0\0\0", CONSUME_OK)?;
    let mut marks = job.marks();
    let (mut seen, mut bytes_left, mut tag) = (0, 0, [0; 8]);
    while seen < job.count {
        let (kind, payload) = frame(&mut wire.reader)?;
        match kind {
            METHOD => {
                let (DELIVER, arguments) = method(&payload)? else { return Err(unexpected(&payload)) };
                // After the consumer's tag, which is a short text.
                let start = 1 + usize::from(*arguments.first().unwrap_or(&0));
                tag = *arguments
                    .get(start..)
                    .and_then(<[u8]>::first_chunk)
                    .ok_or_else(|| unexpected(&payload))?;
            }
            HEADER => bytes_left = job.size,
            BODY => bytes_left = bytes_left.saturating_sub(payload.len()),
            _ => {}
        }
        if kind != BODY || bytes_left > 0 {
            continue;
        }
        seen += 1;
        if seen % batch == 0 || seen == job.count {
            let mut bytes = Vec::new();
            // All up to this one.
            put_method(&mut bytes, CHANNEL, ACK, &[tag.as_slice(), &[1]].concat());
            wire.send(&bytes)?;
            if !marks.add(if seen % batch == 0 { batch } else { seen % batch }) {
                break;
            }
        }
    }
    Ok(marks.finish())
}

#[cfg(test)]
mod tests {
    use super::Confirms;

    #[test]
    fn confirms_count_each_message_once() {
        let mut confirms = Confirms::default();
        assert_eq!(confirms.add(2, false), 1);
        assert_eq!(confirms.add(3, true), 2);
        assert_eq!(confirms.add(5, false), 1);
        assert_eq!(confirms.add(4, false), 1);
        assert_eq!(confirms.add(5, true), 0);
        assert_eq!(confirms.add(7, true), 2);
    }
}
