//! Redis Streams: XADD in; XREADGROUP and XACK out.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::{Job, Marks, Wire, pump, unexpected, unread};
use crate::Attempt;
use crate::values::Values;

/// A reply; for an array its elements.
enum Reply {
    Text(Vec<u8>),
    List(Vec<Reply>),
    Nothing,
}

fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    let _ = write!(out, "*{}\r\n", words.len());
    for word in words {
        let _ = write!(out, "${}\r\n", word.len());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn reply(reader: &mut BufReader<TcpStream>) -> Attempt<Reply> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).map_err(|error| unread(&error))?;
    let text = line.strip_suffix(b"\r\n").ok_or_else(|| unexpected(&line))?;
    let number = || str::from_utf8(&text[1..]).ok().and_then(|digits| digits.parse::<i64>().ok());
    match (text.first(), number()) {
        (Some(b'+' | b':'), _) => Ok(Reply::Text(text[1..].to_vec())),
        (Some(b'$' | b'*'), Some(-1)) => Ok(Reply::Nothing),
        (Some(b'$'), Some(length)) => {
            let mut bytes = vec![0; usize::try_from(length).map_err(|_| unexpected(text))? + 2];
            reader.read_exact(&mut bytes).map_err(|error| unread(&error))?;
            bytes.truncate(bytes.len() - 2);
            Ok(Reply::Text(bytes))
        }
        (Some(b'*'), Some(count)) => {
            (0..count).map(|_| reply(reader)).collect::<Attempt<_>>().map(Reply::List)
        }
        _ => Err(unexpected(text)),
    }
}

fn ask(wire: &mut Wire, words: &[&[u8]]) -> Attempt<Reply> {
    let mut bytes = Vec::new();
    command(&mut bytes, words);
    wire.send(&bytes)?;
    reply(&mut wire.reader)
}

pub(crate) fn put(job: &Job<'_>) -> Attempt<Marks> {
    let mut wire = Wire::open(job.address)?;
    ask(&mut wire, &[b"XGROUP", b"CREATE", b"bench", b"readers", b"0", b"MKSTREAM"])?;
    let values = Values::new(job.size);
    let marks = job.marks_in();
    let add = |nth: u64, out: &mut Vec<u8>| {
        command(out, &[b"XADD", b"bench", b"*", b"v", values.of(nth as usize)]);
    };
    pump(wire, (job, 1), &marks, add, |reader| reply(reader).map(|_| 1))?;
    Ok(marks.into_inner().expect("not poisoned").finish())
}

pub(crate) fn take(job: &Job<'_>) -> Attempt<Marks> {
    let mut wire = Wire::open(job.address)?;
    let batch = job.batch().to_string();
    let read: [&[u8]; 9] =
        [b"XREADGROUP", b"GROUP", b"readers", b"one", b"COUNT", batch.as_bytes(), b"STREAMS", b"bench", b">"];
    let mut marks = job.marks();
    let mut bytes = Vec::new();
    command(&mut bytes, &read);
    wire.send(&bytes)?;
    let mut seen = 0;
    while seen < job.count {
        let ids = ids(reply(&mut wire.reader)?)?;
        seen += ids.len() as u64;
        // Acknowledge the entries that were read, together with the next read.
        bytes.clear();
        let mut words: Vec<&[u8]> = vec![b"XACK", b"bench", b"readers"];
        words.extend(ids.iter().map(Vec::as_slice));
        command(&mut bytes, &words);
        if seen < job.count {
            command(&mut bytes, &read);
        }
        wire.send(&bytes)?;
        reply(&mut wire.reader)?;
        if !marks.add(ids.len() as u64) {
            break;
        }
    }
    Ok(marks.finish())
}

/// The ids of the entries in the answer to a read of one stream.
fn ids(read: Reply) -> Attempt<Vec<Vec<u8>>> {
    let Reply::List(mut streams) = read else {
        return Err("the stream is shorter than it was made".to_owned());
    };
    let Some(Reply::List(mut stream)) = streams.pop() else { return Err("no stream".to_owned()) };
    let Some(Reply::List(entries)) = stream.pop() else { return Err("no entries".to_owned()) };
    let id = |entry| match entry {
        Reply::List(parts) => match parts.into_iter().next() {
            Some(Reply::Text(id)) => Ok(id),
            _ => Err("an entry without an id".to_owned()),
        },
        _ => Err("not an entry".to_owned()),
    };
    entries.into_iter().map(id).collect()
}
