//! NATS JetStream: publishing with acknowledgements in; a pull consumer that acknowledges whole batches out.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::{Job, Marks, Wire, pump, unexpected, unread};
use crate::Attempt;
use crate::values::Values;

const SUBJECT: &str = "bench";
/// The inboxes of acknowledgements and of messages: a consumer hears nothing of earlier puts.
const PUT: &str = "put";
const TAKE: &str = "take";

/// Connects; messages to `inbox` arrive here.
fn connect(address: &str, inbox: &str) -> Attempt<Wire> {
    let mut wire = Wire::open(address)?;
    let mut hello = Vec::new();
    wire.reader.read_until(b'\n', &mut hello).map_err(|error| unread(&error))?;
    let options =
        r#"{"verbose":false,"pedantic":false,"lang":"rust","version":"1","protocol":1,"headers":true}"#;
    wire.send(format!("CONNECT {options}\r\nSUB {inbox} 1\r\n").as_bytes())?;
    Ok(wire)
}

/// One message: its reply subject, and its payload.
fn message(reader: &mut BufReader<TcpStream>) -> Attempt<(String, Vec<u8>)> {
    loop {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).map_err(|error| unread(&error))?;
        let text = String::from_utf8_lossy(&line);
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["PING" | "PONG" | "+OK"] | ["INFO", ..] => {}
            ["MSG", _, _, rest @ ..] if !rest.is_empty() => {
                let length: usize = rest[rest.len() - 1].parse().map_err(|_| unexpected(&line))?;
                let mut bytes = vec![0; length + 2];
                reader.read_exact(&mut bytes).map_err(|error| unread(&error))?;
                bytes.truncate(length);
                return Ok((if rest.len() > 1 { rest[0].to_owned() } else { String::new() }, bytes));
            }
            _ => return Err(unexpected(&line)),
        }
    }
}

/// Sends a request to JetStream.
fn ask(wire: &mut Wire, inbox: &str, subject: &str, request: &str) -> Attempt<()> {
    wire.send(format!("PUB {subject} {inbox} {}\r\n{request}\r\n", request.len()).as_bytes())?;
    accepted(&message(&mut wire.reader)?.1)
}

fn accepted(answer: &[u8]) -> Attempt<()> {
    let refused = answer.windows(7).any(|part| part == b"\"error\"");
    if refused { Err(unexpected(answer)) } else { Ok(()) }
}

pub(crate) fn put(job: &Job<'_>) -> Attempt<Marks> {
    let mut wire = connect(job.address, PUT)?;
    let stream =
        format!(r#"{{"name":"bench","subjects":["{SUBJECT}"],"storage":"file","retention":"limits"}}"#);
    ask(&mut wire, PUT, "$JS.API.STREAM.CREATE.bench", &stream)?;
    let values = Values::new(job.size);
    let marks = job.marks_in();
    let publish = |nth: u64, out: &mut Vec<u8>| {
        let _ = write!(out, "PUB {SUBJECT} {PUT} {}\r\n", job.size);
        out.extend_from_slice(values.of(nth as usize));
        out.extend_from_slice(b"\r\n");
    };
    pump(wire, (job, 1), &marks, publish, |reader| {
        accepted(&message(reader)?.1)?;
        Ok(1)
    })?;
    Ok(marks.into_inner().expect("not poisoned").finish())
}

pub(crate) fn take(job: &Job<'_>) -> Attempt<Marks> {
    let mut wire = connect(job.address, TAKE)?;
    let consumer = r#"{"stream_name":"bench","config":{"durable_name":"one","ack_policy":"all","deliver_policy":"all","max_ack_pending":100000}}"#;
    ask(&mut wire, TAKE, "$JS.API.CONSUMER.DURABLE.CREATE.bench.one", consumer)?;
    let batch = job.batch();
    let pull = format!(r#"{{"batch":{batch}}}"#);
    let pull = format!("PUB $JS.API.CONSUMER.MSG.NEXT.bench.one {TAKE} {}\r\n{pull}\r\n", pull.len());
    let mut marks = job.marks();
    // One batch is in flight while the next is requested.
    wire.send(pull.repeat(2).as_bytes())?;
    for nth in 1..=job.count {
        let (answer_to, value) = message(&mut wire.reader)?;
        if value.len() != job.size {
            return Err(unexpected(&value));
        }
        if nth % batch == 0 || nth == job.count {
            let more = if nth + batch < job.count { pull.as_str() } else { "" };
            wire.send(format!("PUB {answer_to} 0\r\n\r\n{more}").as_bytes())?;
            if !marks.add(if nth % batch == 0 { batch } else { nth % batch }) {
                break;
            }
        }
    }
    Ok(marks.finish())
}
