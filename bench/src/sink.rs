//! The ideal sink: what any broker must at least do with a produced batch, and nothing else.
//!
//! It answers a producer (ApiVersions, Metadata, Produce), checks the CRC of each batch, appends the batch to a file,
//! and with `sync` calls fdatasync before it acknowledges. It keeps no index, no state and no promise.

mod wire;

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use wire::{Body, Request};

use crate::Attempt;

/// Room for several of a client's largest requests, so that all that has come is read at once.
const BUFFER_BYTES: usize = 8 << 20;

/// The file that takes everything.
struct Log {
    file: File,
    end_offset: i64,
}

struct Sink {
    host: String,
    port: i32,
    log: Mutex<Log>,
    sync: bool,
}

/// Serves until the process is ended.
pub(crate) fn serve(listen: &str, dir: &Path, sync: bool) -> Attempt<()> {
    let listener =
        TcpListener::bind(listen).map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let path = dir.join("sink.log");
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let file = file.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    let address = listener.local_addr().map_err(|error| format!("no address: {error}"))?;
    let sink = Arc::new(Sink {
        host: address.ip().to_string(),
        port: i32::from(address.port()),
        log: Mutex::new(Log { file, end_offset: 0 }),
        sync,
    });
    for stream in listener.incoming().map_while(Result::ok) {
        let sink = Arc::clone(&sink);
        std::thread::spawn(move || sink.connection(stream));
    }
    Ok(())
}

impl Sink {
    /// Reads all that has come, appends all of it, answers all of it.
    fn connection(&self, mut stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut filled = 0;
        let mut answers = Vec::new();
        loop {
            match stream.read(&mut buffer[filled..]) {
                Ok(count) if count > 0 => filled += count,
                _ => return,
            }
            let mut done = 0;
            while let Some(frame) = wire::first_frame(&buffer[done..filled]) {
                done += 4 + frame.len();
                match Request::parse(frame) {
                    Some(request) => self.answer(&request, &mut answers),
                    None => return,
                }
            }
            buffer.copy_within(done..filled, 0);
            filled -= done;
            if answers.is_empty() {
                continue;
            }
            if self.sync {
                self.log.lock().expect("not poisoned").file.sync_data().expect("on the disk");
            }
            if stream.write_all(&answers).is_err() {
                return;
            }
            answers.clear();
        }
    }

    fn answer(&self, request: &Request<'_>, answers: &mut Vec<u8>) {
        let start = answers.len();
        answers.extend([0; 4]);
        answers.extend(request.correlation_id.to_be_bytes());
        match &request.body {
            Body::ApiVersions { known } => wire::put_api_versions(answers, *known),
            Body::Metadata { topics } => wire::put_metadata(answers, &self.host, self.port, topics),
            Body::Produce { acks, topic, partition, batch } => {
                let base_offset = self.append(batch);
                if *acks == 0 {
                    answers.truncate(start);
                    return;
                }
                wire::put_produced(answers, topic, *partition, base_offset);
            }
        }
        let length = i32::try_from(answers.len() - start - 4).expect("a short answer");
        answers[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    fn append(&self, batch: &[u8]) -> i64 {
        let said = u32::from_be_bytes(batch[17..21].try_into().expect("four bytes"));
        let found = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &batch[21..]);
        assert_eq!(u64::from(said), found, "the batch is as the client made it");
        let count = i32::from_be_bytes(batch[57..61].try_into().expect("four bytes"));
        let mut log = self.log.lock().expect("not poisoned");
        log.file.write_all(batch).expect("appended");
        log.end_offset += i64::from(count);
        log.end_offset - i64::from(count)
    }
}
