//! A queue of ActiveMQ through STOMP: persistent messages with receipts in; acknowledged by batches out.
//!
//! The broker takes one persistent message of a connection after the other, so a producer that wants throughput has
//! several connections, whose messages share a sync.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::{Job, Marks, Wire, pump, unexpected, unread};
use crate::Attempt;
use crate::values::Values;

const CONNECTIONS: u64 = 16;
/// Messages that are acknowledged together: the broker reads a queue in pages of 200, and does not go on by
/// itself.
const BATCH: u64 = 100;
/// The most unacknowledged messages of a consumer; the broker's own default for queues.
const PREFETCH: u64 = 1_000;

/// The command of a frame, and the value of one header.
struct Frame {
    command: String,
    acknowledge: String,
    body: Vec<u8>,
}

fn connect(address: &str) -> Attempt<Wire> {
    let mut wire = Wire::open(address)?;
    wire.send(b"CONNECT\naccept-version:1.2\nhost:localhost\nheart-beat:0,0\n\n\0")?;
    let frame = frame(&mut wire.reader)?;
    if frame.command == "CONNECTED" { Ok(wire) } else { Err(unexpected(&frame.body)) }
}

fn frame(reader: &mut BufReader<TcpStream>) -> Attempt<Frame> {
    let mut command = String::new();
    // Line ends may separate frames.
    while command.trim().is_empty() {
        command.clear();
        if reader.read_line(&mut command).map_err(|error| unread(&error))? == 0 {
            return Err("the broker has closed the connection".to_owned());
        }
    }
    let (mut length, mut acknowledge) = (None, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).map_err(|error| unread(&error))?;
        match line.trim_end().split_once(':') {
            Some(("content-length", value)) => length = value.parse::<usize>().ok(),
            Some(("ack", value)) => value.clone_into(&mut acknowledge),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = Vec::new();
    match length {
        Some(length) => {
            body.resize(length + 1, 0);
            reader.read_exact(&mut body).map_err(|error| unread(&error))?;
        }
        None => drop(reader.read_until(0, &mut body).map_err(|error| unread(&error))?),
    }
    body.pop();
    Ok(Frame { command: command.trim().to_owned(), acknowledge, body })
}

pub(crate) fn put(job: &Job<'_>) -> Attempt<Marks> {
    let values = Values::new(job.size);
    let marks = job.marks_in();
    let share = |nth: u64| job.count / CONNECTIONS + u64::from(nth < job.count % CONNECTIONS);
    let one = |nth: u64| {
        let job = Job { count: share(nth), ..*job };
        let send = |nth: u64, out: &mut Vec<u8>| {
            let _ = write!(out, "SEND\ndestination:/queue/bench\npersistent:true\nreceipt:{nth}\n");
            let _ = write!(out, "content-length:{}\n\n", job.size);
            out.extend_from_slice(values.of(nth as usize));
            out.push(0);
        };
        pump(connect(job.address)?, (&job, CONNECTIONS), &marks, send, |reader| match frame(reader)? {
            frame if frame.command == "RECEIPT" => Ok(1),
            frame => Err(unexpected(&frame.body)),
        })
    };
    std::thread::scope(|scope| {
        let one = &one;
        let all: Vec<_> = (0..CONNECTIONS).map(|nth| scope.spawn(move || one(nth))).collect();
        all.into_iter().try_for_each(|it| it.join().expect("a producer does not panic"))
    })?;
    Ok(marks.into_inner().expect("not poisoned").finish())
}

pub(crate) fn take(job: &Job<'_>) -> Attempt<Marks> {
    let mut wire = connect(job.address)?;
    let mut marks = job.marks();
    let subscribe = "SUBSCRIBE\nid:0\ndestination:/queue/bench\nack:client\n";
    wire.send(format!("{subscribe}activemq.prefetchSize:{PREFETCH}\n\n\0").as_bytes())?;
    for nth in 1..=job.count {
        let frame = frame(&mut wire.reader)?;
        if frame.command != "MESSAGE" || frame.body.len() != job.size {
            return Err(unexpected(&frame.body));
        }
        if nth % BATCH == 0 || nth == job.count {
            wire.send(format!("ACK\nid:{}\n\n\0", frame.acknowledge).as_bytes())?;
            if !marks.add(if nth % BATCH == 0 { BATCH } else { nth % BATCH }) {
                break;
            }
        }
    }
    Ok(marks.finish())
}
