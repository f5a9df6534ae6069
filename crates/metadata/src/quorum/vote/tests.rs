#![allow(clippy::disallowed_methods, reason = "tests look at the files behind the seam")]

use super::super::tests::TempDir;
use super::*;

/// The vote in a file with those bytes.
fn parse(bytes: &[u8]) -> Result<Option<Vote>, VoteError> {
    let dir = TempDir::new();
    std::fs::write(dir.path().join(FILE_NAME), bytes).unwrap();
    read(&Fs::real(), dir.path()).map(|state| state.vote)
}

fn vote(term: u64, id: i32, committed: bool) -> Vote {
    let voted_for = VoterId { id, directory_id: Uuid([3; 16]) };
    Vote { leader_id: LeaderId { term, voted_for }, committed }
}

#[test]
fn a_vote_is_read_as_it_was_written() {
    let dir = TempDir::new();
    assert_eq!(read(&Fs::real(), dir.path()).expect("no file is no error"), QuorumState::default());
    for vote in [vote(0, 1, false), vote(7, 2, true), vote(2_147_483_647, 0, false)] {
        write(&Fs::real(), dir.path(), &vote, 1, &[]).expect("it is written");
        let state = read(&Fs::real(), dir.path()).expect("it is read");
        assert_eq!(state, QuorumState { vote: Some(vote), voters: None });
    }
    // Kafka before 3.9 reads no other version.
    let voters = [1, 2, 3].map(|id| VoterId { id, directory_id: Uuid([3; 16]) });
    write(&Fs::real(), dir.path(), &vote(7, 2, false), 0, &voters).expect("it is written");
    let line = std::fs::read_to_string(dir.path().join(FILE_NAME)).unwrap();
    assert_eq!(
        line,
        r#"{"clusterId":"","leaderId":-1,"leaderEpoch":7,"votedId":2,"appliedOffset":0,"currentVoters":[{"voterId":1},{"voterId":2},{"voterId":3}],"data_version":0}"#
    );
    let state = read(&Fs::real(), dir.path()).expect("it is read");
    assert_eq!(state.voters, Some(vec![1, 2, 3]));
    // The directory is not in the file. Without it this node would follow nobody in that term.
    assert_eq!(resolve(state.vote.expect("a vote"), &voters), vote(7, 2, false));
    assert_ne!(state.vote, Some(vote(7, 2, false)));
}

#[test]
fn what_kafka_writes_is_read() {
    let kafka = br#"{"leaderId":-1,"leaderEpoch":0,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#;
    assert_eq!(parse(kafka).unwrap(), None);
    let kafka = br#"{"leaderId":1,"leaderEpoch":4,"votedId":1,"votedDirectoryId":"AwMDAwMDAwMDAwMDAwMDAw","data_version":1}"#;
    assert_eq!(parse(kafka).unwrap(), Some(vote(4, 1, true)));
    // Of a leader that knows of itself, and of one whose voters stand in its settings.
    for kafka in [
        &br#"{"leaderId":1,"leaderEpoch":4,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#[..],
        br#"{"clusterId":"","leaderId":1,"leaderEpoch":4,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0}"#,
    ] {
        assert_eq!(parse(kafka).unwrap().map(|vote| vote.leader_id.term), Some(4));
    }
    for wrong in [
        &br#"{"leaderId":1,"leaderEpoch":-4,"votedId":1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#[..],
        br#"{"leaderId":1,"leaderEpoch":4,"votedId":1,"votedDirectoryId":"x","data_version":1}"#,
        br#"{"leaderId":1,"leaderEpoch":4,"votedId":1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":2}"#,
    ] {
        assert!(parse(wrong).is_err());
    }
    let dir = TempDir::new();
    let several = br#"{"clusterId":"","leaderId":1,"leaderEpoch":4,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1},{"voterId":2}],"data_version":0}"#;
    std::fs::write(dir.path().join(FILE_NAME), several).unwrap();
    assert_eq!(read(&Fs::real(), dir.path()).unwrap().voters, Some(vec![1, 2]));
}
