use openraft::raft::{TransferLeaderRequest, VoteRequest, VoteResponse};
use protocol::{Str, Uuid};

use super::*;
use crate::MetadataRecord;
use crate::quorum::batches::{self, Leadership};
use crate::quorum::raft::{Entry, EntryRecord, Payload};

const ONE: VoterId = VoterId { id: 1, directory_id: Uuid([1; 16]) };
const TWO: VoterId = VoterId { id: 2, directory_id: Uuid([2; 16]) };

fn committed(term: u64) -> Vote {
    Vote { leader_id: LeaderId { term, voted_for: ONE }, committed: true }
}

fn candidate(term: u64) -> Vote {
    Vote { committed: false, ..committed(term) }
}

/// The batches of entries of some terms, from an offset on.
fn batches_of(from: i64, terms: &[i32]) -> Bytes {
    let mut bytes = Vec::new();
    let leadership = Leadership { leader: ONE, voters: vec![ONE, TWO] };
    for (at, term) in (from..).zip(terms) {
        let record = MetadataRecord::NoOp(protocol::records::NoOpRecord::default());
        let payload = match at % 2 {
            0 => Payload::Blank,
            _ => Payload::Normal(EntryRecord { record, version: 0, ends_batch: true, expected: None }),
        };
        batches::encode(&[Entry::new(log_id(*term, at), payload)], &leadership, 0, &mut bytes).unwrap();
    }
    Bytes::from(bytes)
}

fn append(from: i64, terms: &[i32]) -> Append {
    let prev = (from > 0).then(|| log_id(2, from - 1));
    Append { vote: committed(5), prev, committed: prev, batches: batches_of(from, terms) }
}

fn requests() -> Vec<Request> {
    let request = |kind| Request { cluster_id: Str::from_static("cluster"), from: ONE, to: TWO, kind };
    let mut vote = VoteRequest::new(candidate(3), Some(log_id(2, 7)));
    vote.leadership_transfer = true;
    let chunk = Chunk {
        vote: committed(4),
        last: log_id(3, 9),
        size_bytes: 30,
        position: 10,
        bytes: Bytes::from_static(b"0123456789"),
    };
    vec![
        request(Kind::Vote(vote)),
        request(Kind::PreVote(VoteRequest::new(candidate(1), None))),
        request(Kind::Append(append(4, &[2, 3, 5]))),
        request(Kind::Append(append(0, &[]))),
        request(Kind::Transfer(TransferLeaderRequest::new(committed(3), TWO, Some(log_id(3, 3))))),
        request(Kind::Chunk(chunk)),
    ]
}

fn answers() -> Vec<Answer> {
    use openraft::raft::TransferLeaderError::{LogNotFlushed, VoteChanged};
    vec![
        Answer::refused("not here"),
        Answer::Vote(VoteResponse::new(candidate(3), Some(log_id(1, 2)), true)),
        Answer::Append(AppendAnswer::Success),
        Answer::Append(AppendAnswer::Conflict),
        Answer::Append(AppendAnswer::HigherVote(candidate(9))),
        Answer::Transfer(Ok(())),
        Answer::Transfer(Err(VoteChanged { expected: committed(2), actual: candidate(3) })),
        Answer::Transfer(Err(LogNotFlushed { expected: Some(log_id(1, 1)), actual: None })),
        Answer::Chunk(ChunkAnswer::Continue(1 << 20)),
        Answer::Chunk(ChunkAnswer::Done(committed(4))),
    ]
}

#[test]
fn messages_are_read_as_they_were_written() {
    for request in requests() {
        let read = Request::decode(request.encode().unwrap()).unwrap();
        assert_eq!(format!("{read:?}"), format!("{request:?}"));
    }
    for answer in answers() {
        let read = Answer::decode(answer.encode().unwrap()).unwrap();
        assert_eq!(format!("{read:?}"), format!("{answer:?}"));
    }
}

/// Reads a message that may be anything, to the last entry.
fn read(bytes: Bytes) -> bool {
    let request = Request::decode(bytes.clone());
    let is_request = match request {
        Ok(Request { kind: Kind::Append(append), .. }) => append.into_request().is_ok(),
        other => other.is_ok(),
    };
    is_request || Answer::decode(bytes).is_ok()
}

#[test]
fn bytes_that_changed_are_an_error_or_another_message_and_never_a_panic() {
    let requests = requests().into_iter().map(|request| request.encode().unwrap());
    let answers = answers().into_iter().map(|answer| answer.encode().unwrap());
    let whole: Vec<Bytes> = requests.chain(answers).collect();
    let mut random = fastrand::Rng::with_seed(7);
    let mut rejected = 0;
    for bytes in &whole {
        for end in 0..bytes.len() {
            rejected += u32::from(!read(bytes.slice(..end)));
        }
        for _ in 0..4_000 {
            let mut changed = bytes.to_vec();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(..changed.len());
                match random.u8(..4) {
                    0 => changed[at] = random.u8(..),
                    1 => changed[at] ^= 1 << random.u8(..8),
                    2 => changed.insert(at, random.u8(..)),
                    _ => drop(changed.remove(at)),
                }
                if changed.is_empty() {
                    break;
                }
            }
            rejected += u32::from(!read(Bytes::from(changed)));
        }
    }
    assert!(rejected > 10_000, "{rejected} were rejected");
}

#[test]
fn a_batch_with_a_bit_that_turned_is_rejected() {
    let bytes = batches_of(3, &[2, 2]);
    // The position in the log and the epoch are outside the checksum: they are compared.
    for at in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        let append = Append { batches: Bytes::from(changed), ..append(3, &[]) };
        let read = append.into_request();
        let is_other =
            read.as_ref().is_ok_and(|read| read.entries.iter().all(|it| it.log_id.leader_id.term == 2));
        assert!(!is_other || read.unwrap().entries.len() < 2, "byte {at}");
    }
}

#[test]
fn entries_of_no_leader_are_rejected() {
    let contradictions: [(Append, &str); 5] = [
        (append(4, &[2, 1]), "the leader epoch falls"),
        (append(4, &[6]), "of a later term than its leader"),
        (Append { batches: batches_of(5, &[2]), ..append(4, &[]) }, "entry 5 is where 4 should be"),
        (
            Append { prev: None, batches: batches_of(1, &[2]), ..append(4, &[]) },
            "entry 1 is where 0 should be",
        ),
        (Append { committed: Some(log_id(3, 4)), ..append(4, &[2]) }, "what is committed is not in"),
    ];
    for (append, reason) in contradictions {
        let error = append.into_request().unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn nobody_speaks_for_another_voter() {
    let mut request = requests().remove(0);
    request.from = TWO;
    request.to = ONE;
    let error = Request::decode(request.encode().unwrap()).unwrap_err().to_string();
    assert!(error.contains("in the name of another voter"), "{error}");
}
