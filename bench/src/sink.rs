//! The ideal sink: the least that any broker must do with a produced batch, and nothing else.
//!
//! It answers ApiVersions, FindCoordinator, Metadata, Produce and Fetch: checks the CRC of each batch,
//! appends the batch to its partition's file, calls fdatasync before it acknowledges if the topic's name asks
//! for it, and sends fetched batches from the page cache. It keeps no state but the ends of batches,
//! validates no record, promises nothing, and forgets old topics when it creates new ones.

mod topic;
mod wire;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub(crate) use topic::name as topic_name;
use topic::{Region, Topic};
use wire::{Body, Request};

use crate::Attempt;

/// Space for several of a client's largest requests, so that everything that has arrived is read at once.
const BUFFER_BYTES: usize = 8 << 20;
/// Topics that are kept: a client that is done with one may still ask for it when the next is created.
const TOPICS_MAX: usize = 2;
/// From this size on the kernel sends from the file by itself.
const SENDFILE_BYTES: usize = 64 << 10;

struct Sink {
    host: String,
    port: i32,
    dir: PathBuf,
    /// The latest at the end.
    topics: Mutex<Vec<(String, Arc<Topic>)>>,
}

/// The answers of one connection, and the partitions to sync for them.
#[derive(Default)]
struct Outbox {
    answers: Vec<u8>,
    unsynced: Vec<(Arc<Topic>, i32)>,
}

/// Serves until the process is ended.
pub(crate) fn serve(listen: &str, dir: &Path) -> Attempt<()> {
    let listener =
        TcpListener::bind(listen).map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let address = listener.local_addr().map_err(|error| format!("no address: {error}"))?;
    let sink = Arc::new(Sink {
        host: address.ip().to_string(),
        port: i32::from(address.port()),
        dir: dir.to_owned(),
        topics: Mutex::default(),
    });
    for stream in listener.incoming().map_while(Result::ok) {
        let sink = Arc::clone(&sink);
        std::thread::spawn(move || sink.connection(stream));
    }
    Ok(())
}

impl Sink {
    /// Reads all that has arrived, appends all of it, answers all of it.
    fn connection(&self, mut stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut filled = 0;
        let mut outbox = Outbox::default();
        loop {
            match stream.read(&mut buffer[filled..]) {
                Ok(count) if count > 0 => filled += count,
                _ => return,
            }
            let mut done = 0;
            while let Some(frame) = wire::first_frame(&buffer[done..filled]) {
                done += 4 + frame.len();
                let Some(request) = Request::parse(frame) else { return };
                if self.answer(&request, &mut outbox, &mut stream).is_none() {
                    return;
                }
            }
            buffer.copy_within(done..filled, 0);
            filled -= done;
            if outbox.send(&mut stream).is_none() {
                return;
            }
        }
    }

    fn known(&self, name: &[u8]) -> Option<Arc<Topic>> {
        let topics = self.topics.lock().expect("not poisoned");
        topics.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, topic)| Arc::clone(topic))
    }

    /// The topic of this name, created if it is new; an old one is forgotten then.
    fn known_or_made(&self, name: &[u8]) -> Option<Arc<Topic>> {
        if let Some(known) = self.known(name) {
            return Some(known);
        }
        let name = str::from_utf8(name).ok().filter(|name| !name.contains('/'))?;
        let topic = Arc::new(Topic::make(name, &self.dir).ok()?);
        let mut topics = self.topics.lock().expect("not poisoned");
        if topics.len() == TOPICS_MAX {
            topics.remove(0);
        }
        topics.push((name.to_owned(), Arc::clone(&topic)));
        Some(topic)
    }

    fn answer(&self, request: &Request<'_>, outbox: &mut Outbox, stream: &mut TcpStream) -> Option<()> {
        let start = outbox.answers.len();
        outbox.answers.extend([0; 4]);
        outbox.answers.extend(request.correlation_id.to_be_bytes());
        match &request.body {
            Body::ApiVersions { known } => wire::put_api_versions(&mut outbox.answers, *known),
            Body::FindCoordinator => wire::put_coordinator(&mut outbox.answers, &self.host, self.port),
            Body::Metadata { topics } => {
                let partitions = |name| self.known_or_made(name).map_or(0, |topic| topic.partitions());
                let topics: Vec<_> = topics.iter().map(|name| (*name, partitions(name))).collect();
                wire::put_metadata(&mut outbox.answers, &self.host, self.port, &topics);
            }
            Body::Produce { acks, topic, batches } => {
                let kept = self.known(topic)?;
                let mut offsets = Vec::with_capacity(batches.len());
                for (partition, batch) in batches {
                    offsets.push((*partition, kept.append(*partition, batch)?));
                    if kept.synced && *acks != 0 {
                        outbox.unsynced.push((Arc::clone(&kept), *partition));
                    }
                }
                if *acks == 0 {
                    outbox.answers.truncate(start);
                    return Some(());
                }
                wire::put_produced(&mut outbox.answers, topic, &offsets);
            }
            Body::Fetch { wait_ms, bytes_max, topic, partitions } => {
                outbox.answers.truncate(start);
                outbox.send(stream)?;
                let deadline = Instant::now() + Duration::from_millis(*wait_ms);
                let kept = self.known(topic)?;
                let regions = kept.fetch(partitions, *bytes_max, deadline);
                return send_fetched(stream, request.correlation_id, topic, &kept, &regions);
            }
        }
        set_length(&mut outbox.answers[start..], 0);
        Some(())
    }
}

/// Writes the length of a frame before it; `more` bytes of it come from elsewhere.
fn set_length(frame: &mut [u8], more: usize) {
    let length = i32::try_from(frame.len() - 4 + more).expect("a short answer");
    frame[..4].copy_from_slice(&length.to_be_bytes());
}

impl Outbox {
    /// Syncs the partitions that need it, then sends all answers.
    fn send(&mut self, stream: &mut TcpStream) -> Option<()> {
        self.unsynced.sort_by_key(|(_, partition)| *partition);
        self.unsynced.dedup_by_key(|(_, partition)| *partition);
        for (topic, partition) in self.unsynced.drain(..) {
            topic.sync(partition);
        }
        if !self.answers.is_empty() {
            stream.write_all(&self.answers).ok()?;
            self.answers.clear();
        }
        Some(())
    }
}

fn send_fetched(
    stream: &mut TcpStream,
    correlation_id: i32,
    topic: &[u8],
    kept: &Topic,
    regions: &[Region],
) -> Option<()> {
    // Four bytes for the length, which is known at the end of all heads.
    let mut heads = vec![Vec::from([0; 4])];
    heads[0].extend(correlation_id.to_be_bytes());
    wire::put_fetched(&mut heads[0], topic, regions.len());
    let mut files: Vec<(File, &Region)> = Vec::new();
    for region in regions {
        let head = heads.last_mut().expect("there is one");
        wire::put_fetched_partition(head, region);
        let file = kept.file(region.partition)?;
        if region.length < SENDFILE_BYTES {
            topic::read(&file, region, head);
        } else {
            files.push((file, region));
            heads.push(Vec::new());
        }
    }
    let later: usize = heads[1..].iter().map(Vec::len).sum();
    let sent: usize = files.iter().map(|(_, region)| region.length).sum();
    set_length(&mut heads[0], later + sent);
    for (at, head) in heads.iter().enumerate() {
        stream.write_all(head).ok()?;
        if let Some((file, region)) = files.get(at) {
            let mut position = region.position;
            let end = position + region.length as u64;
            while position < end {
                let left = (end - position) as usize;
                rustix::fs::sendfile(&*stream, file, Some(&mut position), left).ok()?;
            }
        }
    }
    Some(())
}
