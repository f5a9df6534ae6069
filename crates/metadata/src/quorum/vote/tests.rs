#![allow(clippy::disallowed_methods, reason = "tests look at the files behind the seam")]

use super::super::tests::TempDir;
use super::*;

fn vote(term: u64, id: i32, committed: bool) -> Vote {
    let voted_for = VoterId { id, directory_id: Uuid([3; 16]) };
    Vote { leader_id: LeaderId { term, voted_for }, committed }
}

#[test]
fn a_vote_is_read_as_it_was_written() {
    let dir = TempDir::new();
    assert_eq!(read(&Fs::real(), dir.path()).expect("no file is no error"), None);
    for vote in [vote(0, 1, false), vote(7, 2, true), vote(2_147_483_647, 0, false)] {
        write(&Fs::real(), dir.path(), &vote).expect("it is written");
        assert_eq!(read(&Fs::real(), dir.path()).expect("it is read"), Some(vote));
    }
}

#[test]
fn what_kafka_writes_is_read() {
    let kafka = br#"{"leaderId":-1,"leaderEpoch":0,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#;
    assert_eq!(parse(kafka), Ok(None));
    let kafka = br#"{"leaderId":1,"leaderEpoch":4,"votedId":1,"votedDirectoryId":"AwMDAwMDAwMDAwMDAwMDAw","data_version":1}"#;
    assert_eq!(parse(kafka), Ok(Some(vote(4, 1, true))));
    for wrong in [
        &br#"{"leaderId":1,"leaderEpoch":4,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#[..],
        br#"{"leaderId":1,"leaderEpoch":-4,"votedId":1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#,
        br#"{"leaderId":1,"leaderEpoch":4,"votedId":1,"votedDirectoryId":"x","data_version":1}"#,
        br#"{"leaderId":1,"leaderEpoch":4,"votedId":1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":0}"#,
    ] {
        assert!(parse(wrong).is_err());
    }
}
