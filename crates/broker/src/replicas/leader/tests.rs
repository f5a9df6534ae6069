//! Scripts: what happens to the leader of a partition, line by line, and what it comes to.

use super::*;

/// Broker 1, which leads in epoch 5, with the log and its high watermark.
struct Script {
    leader: Leader,
    end_offset: i64,
    high_watermark: i64,
}

fn decided(epoch: i32, replicas: &[i32], isr: &[i32]) -> Arc<Partition> {
    let mut decided = Partition::default();
    decided.leader_epoch = epoch;
    decided.replicas = replicas.to_vec().into();
    decided.isr = isr.to_vec().into();
    Arc::new(decided)
}

/// Numbers with commas between.
fn list(text: &str) -> Vec<i32> {
    text.split(',').map(|number| number.parse().unwrap()).collect()
}

impl Script {
    /// Does one line: `append END`, `fetch BROKER OFFSET`, `isr LIST`, `epoch EPOCH ISR` or `replicas LIST ISR`. Returns the
    /// high watermark, or the broker that is no replica.
    fn step(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let replicas = self.leader.decided.replicas.to_vec();
        match words[..] {
            ["append", end] => self.end_offset = end.parse().unwrap(),
            ["fetch", broker, offset] => {
                let (broker, offset) = (broker.parse().unwrap(), offset.parse().unwrap());
                if self.leader.check_replica(broker) == Err(NoReplica) {
                    return format!("no replica on {broker}");
                }
                self.leader.fetched(broker, offset);
            }
            ["isr", isr] => self.leader.decide(decided(self.leader.epoch(), &replicas, &list(isr))),
            ["epoch", epoch, isr] => {
                self.leader.decide(decided(epoch.parse().unwrap(), &replicas, &list(isr)));
            }
            ["replicas", replicas, isr] => {
                self.leader.decide(decided(self.leader.epoch(), &list(replicas), &list(isr)));
            }
            _ => panic!("{line}"),
        }
        self.high_watermark = self.leader.high_watermark(self.high_watermark, self.end_offset);
        self.high_watermark.to_string()
    }
}

/// Runs a script of broker 1 with these replicas in sync; each line has what it comes to behind an arrow.
fn check(replicas: &[i32], script: &str) {
    let leader = Leader::new(1, decided(5, replicas, replicas));
    let mut state = Script { leader, end_offset: 0, high_watermark: 0 };
    for (number, line) in script.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let (step, expected) = line.split_once(" -> ").unwrap();
        assert_eq!(state.step(step), expected, "line {}: {line}", number + 1);
    }
}

#[test]
fn alone_it_has_the_high_watermark_at_its_end() {
    check(
        &[1],
        "append 3 -> 3
         append 10 -> 10
         fetch 2 10 -> no replica on 2
         epoch 6 1 -> 10
         append 11 -> 11",
    );
}

#[test]
fn the_high_watermark_waits_for_all_in_sync() {
    check(
        &[1, 2, 3],
        "append 10 -> 0
         fetch 2 0 -> 0
         fetch 3 0 -> 0
         fetch 2 10 -> 0
         fetch 3 7 -> 7
         fetch 3 10 -> 10
         append 20 -> 10
         isr 1,2 -> 10
         fetch 2 20 -> 20
         isr 1 -> 20
         append 25 -> 25
         fetch 4 25 -> no replica on 4",
    );
}

#[test]
fn the_high_watermark_never_goes_back() {
    check(
        &[1, 2],
        "append 10 -> 0
         fetch 2 10 -> 10
         fetch 2 4 -> 10
         append 12 -> 10
         isr 1 -> 12
         isr 1,2 -> 12
         append 13 -> 12
         fetch 2 13 -> 13",
    );
}

#[test]
fn a_later_epoch_begins_without_what_followers_had() {
    check(
        &[1, 2],
        "append 10 -> 0
         fetch 2 10 -> 10
         append 20 -> 10
         fetch 2 20 -> 20
         append 30 -> 20
         epoch 6 1,2 -> 20
         append 31 -> 20
         fetch 2 31 -> 31",
    );
}

#[test]
fn a_decision_in_the_same_epoch_keeps_what_followers_had() {
    check(
        &[1, 2, 3],
        "append 10 -> 0
         fetch 2 10 -> 0
         replicas 1,2 1,2 -> 10
         append 20 -> 10
         replicas 1,2,3 1,2 -> 10
         fetch 2 20 -> 20
         fetch 3 5 -> 20
         append 21 -> 20
         isr 1,2,3 -> 20
         fetch 2 21 -> 20
         fetch 3 21 -> 21",
    );
}

#[test]
fn acks_of_all_ask_for_no_more_replicas_than_there_are() {
    for (replicas, isr, min, enough) in [
        ("1", "1", 1, true),
        ("1", "1", 2, true),
        ("1,2", "1", 2, false),
        ("1,2,3", "1", 2, false),
        ("1,2,3", "1,3", 2, true),
        ("1,2,3", "1,3", 3, false),
        ("1,2,3", "1,2,3", 9, true),
    ] {
        let leader = Leader::new(1, decided(0, &list(replicas), &list(isr)));
        assert_eq!(leader.has_in_sync(min), enough, "{isr} of {replicas}, {min} asked for");
    }
}

#[test]
fn other_epochs_are_fenced_or_unknown() {
    let leader = Leader::new(1, decided(5, &[1], &[1]));
    let checked = [-1, 4, 5, 6].map(|epoch| leader.check_epoch(epoch));
    let (fenced, unknown) = (ErrorCode::FENCED_LEADER_EPOCH, ErrorCode::UNKNOWN_LEADER_EPOCH);
    assert_eq!(checked, [Ok(()), Err(fenced), Ok(()), Err(unknown)]);
}
