//! The source of the lines: a thread that reads, so that a slow source does not hold up what is already being
//! sent.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use runtime::task;
use tokio::sync::mpsc;

use crate::connect::system_words;
use crate::failure::Failure;
use crate::files;

/// Bytes of one read.
const READ_BYTES: usize = 256 << 10;

/// Some whole lines.
#[derive(Debug)]
pub(super) struct Chunk {
    /// The file, or a name for standard input.
    pub(super) source: String,
    /// The number of the first line, from 1.
    pub(super) first_line: u64,
    bytes: Vec<u8>,
}

impl Chunk {
    /// The lines without their ends, which are `\n` or `\r\n`.
    pub(super) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let lines = self.bytes.split_inclusive(|&byte| byte == b'\n');
        lines.map(|line| {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            line.strip_suffix(b"\r").unwrap_or(line)
        })
    }
}

/// Starts to read the files, or standard input if there are none. Fails at once if a file cannot be opened.
pub(super) fn read(
    files: &[PathBuf],
    line_bytes_max: usize,
) -> Result<mpsc::Receiver<Result<Chunk, Failure>>, Failure> {
    let sources = open(files)?;
    let (sender, receiver) = mpsc::channel(4);
    let read_all = move || {
        for (name, source) in sources {
            let outcome =
                read_source(&name, BufReader::with_capacity(READ_BYTES, source), line_bytes_max, &sender);
            if let Err(failure) = outcome {
                // The receiver may be gone.
                let _ = sender.blocking_send(Err(failure));
                return;
            }
        }
    };
    // The process does not wait for this thread: standard input may never end.
    task::spawn_thread("input", read_all)
        .map_err(|error| Failure::new(format!("cannot start: {}", system_words(&error))))?;
    Ok(receiver)
}

enum Source {
    File(File),
    Stdin(io::Stdin),
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Source::File(file) => file.read(buffer),
            Source::Stdin(stdin) => stdin.read(buffer),
        }
    }
}

fn open(files: &[PathBuf]) -> Result<Vec<(String, Source)>, Failure> {
    if files.is_empty() {
        return Ok(vec![("standard input".to_owned(), Source::Stdin(io::stdin()))]);
    }
    files.iter().map(|path| Ok((path.display().to_string(), Source::File(files::open(path)?)))).collect()
}

fn read_source(
    name: &str,
    mut source: impl BufRead,
    line_bytes_max: usize,
    chunks: &mpsc::Sender<Result<Chunk, Failure>>,
) -> Result<(), Failure> {
    let mut first_line = 1;
    let mut bytes: Vec<u8> = Vec::new();
    loop {
        let read = match source.fill_buf() {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::new(format!("cannot read {name}: {}", system_words(&error)))),
        };
        let read_bytes = read.len();
        let whole = match read.iter().rposition(|&byte| byte == b'\n') {
            Some(last) => bytes.len() + last + 1,
            None if read_bytes == 0 => bytes.len(),
            None => 0,
        };
        bytes.extend_from_slice(read);
        source.consume(read_bytes);
        if whole > 0 {
            let rest = bytes.split_off(whole);
            let lines = bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
            let chunk =
                Chunk { source: name.to_owned(), first_line, bytes: std::mem::replace(&mut bytes, rest) };
            first_line += lines;
            if chunks.blocking_send(Ok(chunk)).is_err() {
                return Ok(());
            }
        }
        if read_bytes == 0 {
            return Ok(());
        }
        if bytes.len() > line_bytes_max.saturating_mul(2).max(READ_BYTES) {
            return Err(Failure::new(format!(
                "{name}, line {first_line}: the line is longer than any record may be"
            ))
            .mend("--max-bytes raises the limit."));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use tokio::sync::mpsc;

    use super::read_source;

    /// The lines of a text with their numbers, read `buffer_bytes` at a time.
    fn lines(text: &str, buffer_bytes: usize) -> Vec<(u64, String)> {
        let (sender, mut receiver) = mpsc::channel(1000);
        let source = BufReader::with_capacity(buffer_bytes, text.as_bytes());
        read_source("test", source, 1 << 20, &sender).expect("it can be read");
        drop(sender);
        let mut lines = Vec::new();
        while let Some(chunk) = receiver.blocking_recv() {
            let chunk = chunk.expect("it can be read");
            let text = chunk.lines().map(|line| String::from_utf8_lossy(line).into_owned());
            lines.extend((chunk.first_line..).zip(text));
        }
        lines
    }

    #[test]
    fn lines_come_whole_whatever_is_read_at_once() {
        let expect: Vec<(u64, String)> =
            (1..).zip(["one", "", "three", "four"].map(ToOwned::to_owned)).collect();
        for buffer_bytes in 1..20 {
            assert_eq!(lines("one\n\nthree\r\nfour", buffer_bytes), expect, "{buffer_bytes} at a time");
            assert_eq!(lines("one\n\nthree\nfour\n", buffer_bytes), expect, "{buffer_bytes} at a time");
        }
        assert!(lines("", 8).is_empty());
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let (sender, _receiver) = mpsc::channel(1000);
        let endless = vec![b'x'; 2 << 20];
        let failure = read_source("test", &endless[..], 100, &sender).expect_err("it is too long");
        assert!(failure.to_string().contains("line 1"), "{failure}");
    }
}
