//! Scripts: what happens to the leader of a partition, line by line, and what it comes to.

use storage::EpochEndOffset;

use super::proposal::{AfterAnswer, ProposalAnswer};
use super::*;

/// Broker 1, which leads in epoch 5, with the log and its high watermark.
struct Script {
    leader: Leader,
    end_offset: i64,
    high_watermark: i64,
    now_ms: i64,
    rules: InSyncRules,
}

/// The broker epoch of the leader's own broker.
const OWN: i64 = 100;

fn decided(leader_epoch: i32, partition_epoch: i32, replicas: &[i32], isr: &[i32]) -> Arc<Partition> {
    let mut decided = Partition::clone(&decision(replicas, isr));
    (decided.leader_epoch, decided.partition_epoch) = (leader_epoch, partition_epoch);
    Arc::new(decided)
}

/// Numbers with commas between.
fn list(text: &str) -> Vec<i32> {
    text.split(',').map(|number| number.parse().unwrap()).collect()
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

/// The ISR of a proposal with the broker epochs, or a dash.
fn shown(proposal: Option<&Proposal>) -> String {
    let Some(proposal) = proposal else { return "-".to_owned() };
    let isr = proposal.isr().iter().map(|it| format!("{}:{}", it.node_id, it.broker_epoch));
    let isr: Vec<String> = isr.collect();
    let (leader_epoch, partition_epoch) = (proposal.leader_epoch(), proposal.partition_epoch());
    format!("#{} in {leader_epoch}/{partition_epoch}: {}", proposal.number(), isr.join(","))
}

fn error_code(name: &str) -> ErrorCode {
    let known = [
        ErrorCode::OPERATION_NOT_ATTEMPTED,
        ErrorCode::INELIGIBLE_REPLICA,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::UNKNOWN_TOPIC_ID,
        ErrorCode::FENCED_LEADER_EPOCH,
        ErrorCode::INVALID_UPDATE_VERSION,
        ErrorCode::INVALID_REQUEST,
        ErrorCode::NEW_LEADER_ELECTED,
        ErrorCode::STALE_BROKER_EPOCH,
        ErrorCode::NOT_CONTROLLER,
        ErrorCode::REQUEST_TIMED_OUT,
    ];
    known.into_iter().find(|it| it.name() == name).unwrap()
}

impl Script {
    /// Does one line, and returns what it comes to: the high watermark, unless it asks for something else.
    fn step(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let replicas = self.leader.decided.replicas.to_vec();
        let partition_epoch = self.leader.decided.partition_epoch;
        let leader_epoch = self.leader.epoch();
        match words[..] {
            ["append", end] => self.end_offset = number(end),
            ["fetch", broker, offset] => return self.fetch(number(broker), -1, number(offset), 0),
            ["fetch", broker, offset, "from", start] => {
                return self.fetch(number(broker), -1, number(offset), number(start));
            }
            ["fetch", broker, offset, "by", epoch] => {
                return self.fetch(number(broker), number(epoch), number(offset), 0);
            }
            ["isr", isr] => self.decide(leader_epoch, partition_epoch + 1, &replicas, isr),
            ["repeat", isr] => self.decide(leader_epoch, partition_epoch, &replicas, isr),
            ["stale", isr] => self.decide(leader_epoch, partition_epoch - 1, &replicas, isr),
            ["epoch", epoch, isr] => self.decide(number(epoch), partition_epoch + 1, &replicas, isr),
            ["replicas", replicas, isr] => {
                self.decide(leader_epoch, partition_epoch + 1, &list(replicas), isr);
            }
            ["at", ms] => self.now_ms = number(ms),
            ["min", min] => self.rules.min_in_sync = number(min),
            ["brokers", ref states @ ..] => self.set_brokers(states),
            ["expand", broker] => {
                return shown(self.leader.expand(number(broker), self.high_watermark, OWN));
            }
            ["shrink"] => {
                let (rules, end_offset) = (self.rules, self.end_offset);
                return shown(self.leader.shrink(end_offset, &rules, OWN, self.now_ms));
            }
            ["again"] => return shown(self.leader.send_again()),
            ["accept", proposal, epoch, isr] => {
                let (leader_epoch, partition_epoch) = epoch.split_once('/').unwrap();
                let (leader_epoch, partition_epoch) = (number(leader_epoch), number(partition_epoch));
                let isr = list(isr);
                let answer = ProposalAnswer::Accepted { leader_epoch, partition_epoch, isr };
                return format!("{:?}", self.leader.answered(number(proposal), answer));
            }
            ["reject", proposal, error] => {
                let answer = ProposalAnswer::Rejected(error_code(error));
                let after = self.leader.answered(number(proposal), answer);
                let is_in_flight = self.leader.proposal().is_some();
                assert_eq!(is_in_flight, after != AfterAnswer::Dropped, "{error}");
                return format!("{after:?}");
            }
            ["acks", offset] => {
                let min = self.rules.min_in_sync;
                let answer = self.leader.acknowledgement(number(offset), self.high_watermark, min);
                return format!("{answer:?}");
            }
            ["settled"] => return (self.leader.check_settled(self.high_watermark).is_ok()).to_string(),
            ["low", start] => return self.leader.low_watermark(number(start)).to_string(),
            _ => panic!("{line}"),
        }
        self.raise()
    }

    fn raise(&mut self) -> String {
        let (before, end_offset) = (self.high_watermark, self.end_offset);
        self.high_watermark = self.leader.high_watermark(before, end_offset, &self.rules, self.now_ms);
        self.high_watermark.to_string()
    }

    fn decide(&mut self, leader_epoch: i32, partition_epoch: i32, replicas: &[i32], isr: &str) {
        let decided = decided(leader_epoch, partition_epoch, replicas, &list(isr));
        self.leader.decide(decided, self.end_offset, self.now_ms);
    }

    fn fetch(&mut self, node_id: i32, broker_epoch: i64, offset: i64, log_start_offset: i64) -> String {
        if self.leader.check_replica(node_id) == Err(NoReplica) {
            return format!("no replica on {node_id}");
        }
        let fetch = FollowerFetch { node_id, broker_epoch, offset, log_start_offset };
        match self.leader.fetched(&fetch, self.end_offset, self.now_ms) {
            Ok(()) => self.raise(),
            Err(error) => error.name().to_owned(),
        }
    }

    /// `NODE:EPOCH`, with an exclamation mark behind for one that is about to stop. All others are fenced.
    fn set_brokers(&mut self, states: &[&str]) {
        self.leader.set_brokers(|node_id| {
            let state = states.iter().find_map(|it| it.strip_prefix(&format!("{node_id}:")))?;
            let in_controlled_shutdown = state.ends_with('!');
            Some(BrokerState { epoch: number(state.trim_end_matches('!')), in_controlled_shutdown })
        });
    }
}

/// Runs a script of broker 1 with these replicas in sync; each line has what it comes to behind an arrow.
fn check(replicas: &[i32], script: &str) {
    let leader = Leader::new(1, decided(5, 0, replicas, replicas), 0, 0);
    let rules = InSyncRules { min_in_sync: 1, max_lag_ms: 1000 };
    let mut state = Script { leader, end_offset: 0, high_watermark: 0, now_ms: 0, rules };
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
        let leader = Leader::new(1, decided(0, 0, &list(replicas), &list(isr)), 0, 0);
        assert_eq!(leader.has_in_sync(min), enough, "{isr} of {replicas}, {min} asked for");
    }
}

#[test]
fn below_min_insync_replicas_the_high_watermark_stands_still() {
    check(
        &[1, 2, 3],
        "min 2 -> 0
         append 10 -> 0
         fetch 2 10 -> 0
         fetch 3 10 -> 10
         acks 10 -> Complete
         isr 1 -> 10
         append 12 -> 10
         acks 12 -> Outstanding
         acks 10 -> TooFewReplicas
         isr 1,3 -> 10
         fetch 3 12 -> 12
         acks 12 -> Complete",
    );
    check(
        &[1],
        "min 2 -> 0
         append 3 -> 3
         acks 3 -> Complete",
    );
}

/// R7: the leader before counted itself by what was not on its disk, and is in sync still.
#[test]
fn trap_r7_what_another_leader_committed_is_acknowledged_once_all_in_sync_have_it() {
    check(
        &[1, 2, 3],
        "append 10 -> 0
         fetch 2 10 -> 0
         fetch 3 10 -> 10
         acks 10 -> Complete
         epoch 6 1,2,3 -> 10
         acks 10 -> Outstanding
         fetch 2 10 -> 10
         acks 10 -> Outstanding
         fetch 3 9 -> 10
         acks 10 -> Outstanding
         isr 1,2 -> 10
         acks 10 -> Complete",
    );
}

#[test]
fn a_follower_joins_that_has_what_is_committed_in_this_epoch() {
    check(
        &[1, 2],
        "append 10 -> 0
         isr 1 -> 10
         brokers 2:7 -> 10
         expand 2 -> -
         fetch 2 9 by 7 -> 10
         expand 2 -> -
         fetch 2 10 by 7 -> 10
         expand 3 -> -
         expand 2 -> #1 in 5/1: 1:100,2:7
         expand 2 -> -
         accept 1 5/2 1,2 -> Committed
         expand 2 -> -",
    );
}

/// R3: what is between the high watermark and the start of the epoch may be committed, which only the leader before knew.
#[test]
fn trap_r3_a_follower_below_the_start_of_the_epoch_does_not_join() {
    check(
        &[1, 2, 3],
        "brokers 2:7 3:7 -> 0
         append 10 -> 0
         epoch 6 1,3 -> 0
         settled -> false
         fetch 2 4 by 7 -> 0
         expand 2 -> -
         fetch 2 10 by 7 -> 0
         expand 2 -> #1 in 6/1: 1:100,3:-1,2:7
         fetch 3 10 by 7 -> 10
         settled -> true",
    );
}

/// R8: a proposal may be accepted before its answer comes.
#[test]
fn trap_r8_a_proposed_replica_counts_and_one_that_is_to_go_does_too() {
    check(
        &[1, 2],
        "isr 1 -> 0
         brokers 2:7 -> 0
         fetch 2 0 by 7 -> 0
         expand 2 -> #1 in 5/1: 1:100,2:7
         at 5000 -> 0
         append 10 -> 0
         fetch 2 8 by 7 -> 8
         reject 1 INELIGIBLE_REPLICA -> Dropped
         append 11 -> 11
         fetch 2 11 by 7 -> 11
         expand 2 -> #2 in 5/1: 1:100,2:7
         accept 1 5/2 1,2 -> Late
         accept 2 5/2 1,2 -> Committed
         append 12 -> 11
         at 19000 -> 11
         shrink -> #3 in 5/2: 1:100
         append 13 -> 11
         shrink -> -
         accept 3 5/3 1 -> Committed
         append 14 -> 14",
    );
}

#[test]
fn a_proposal_that_awaits_the_metadata_counts_until_they_tell_more() {
    for error in [
        "UNKNOWN_TOPIC_OR_PARTITION",
        "UNKNOWN_TOPIC_ID",
        "FENCED_LEADER_EPOCH",
        "INVALID_UPDATE_VERSION",
        "INVALID_REQUEST",
        "NEW_LEADER_ELECTED",
    ] {
        check(
            &[1, 2],
            &format!(
                "isr 1 -> 0
                 brokers 2:7 -> 0
                 fetch 2 0 by 7 -> 0
                 expand 2 -> #1 in 5/1: 1:100,2:7
                 at 9000 -> 0
                 append 10 -> 0
                 reject 1 {error} -> AwaitMetadata
                 append 11 -> 0
                 expand 2 -> -
                 repeat 1 -> 0
                 stale 1 -> 0
                 isr 1 -> 11"
            ),
        );
    }
}

#[test]
fn a_proposal_is_sent_again_after_errors_that_pass() {
    for error in ["STALE_BROKER_EPOCH", "NOT_CONTROLLER", "REQUEST_TIMED_OUT"] {
        check(
            &[1, 2],
            &format!(
                "append 10 -> 0
                 at 2000 -> 0
                 shrink -> #1 in 5/0: 1:100
                 again -> #2 in 5/0: 1:100
                 reject 1 INELIGIBLE_REPLICA -> Late
                 reject 2 {error} -> SendAgain
                 append 11 -> 0
                 again -> #3 in 5/0: 1:100
                 accept 3 5/1 1 -> Committed
                 again -> -
                 append 12 -> 12"
            ),
        );
    }
}

#[test]
fn an_answer_of_another_epoch_is_left_to_the_metadata() {
    check(
        &[1, 2],
        "append 10 -> 0
         at 2000 -> 0
         shrink -> #1 in 5/0: 1:100
         accept 1 6/1 1 -> AwaitMetadata
         append 11 -> 0
         epoch 6 1,2 -> 0
         accept 1 5/1 1 -> Late
         append 12 -> 0
         at 9000 -> 0
         shrink -> #2 in 6/1: 1:100",
    );
}

/// The metadata repeat what an answer told of; the proposal that was made since is based on it.
#[test]
fn metadata_that_repeat_an_answer_leave_the_next_proposal_alone() {
    check(
        &[1, 2, 3],
        "isr 1 -> 0
         brokers 2:7 3:8 -> 0
         fetch 2 0 by 7 -> 0
         fetch 3 0 by 8 -> 0
         expand 2 -> #1 in 5/1: 1:100,2:7
         accept 1 5/2 1,2 -> Committed
         expand 3 -> #2 in 5/2: 1:100,2:7,3:8
         repeat 1,2 -> 0
         at 9000 -> 0
         append 10 -> 0
         fetch 2 10 by 7 -> 0
         fetch 3 9 by 8 -> 9",
    );
}

#[test]
fn followers_that_do_not_keep_up_are_to_go() {
    check(
        &[1, 2, 3],
        "append 10 -> 0
         fetch 2 0 -> 0
         fetch 3 10 -> 0
         at 500 -> 0
         append 20 -> 0
         fetch 2 10 -> 10
         fetch 3 10 -> 10
         at 1000 -> 10
         shrink -> -
         fetch 2 20 -> 10
         append 30 -> 10
         at 1500 -> 10
         shrink -> #1 in 5/0: 1:100,2:-1",
    );
}

#[test]
fn a_follower_at_the_end_is_in_sync_however_long_it_was_silent() {
    check(
        &[1, 2, 3],
        "fetch 2 0 -> 0
         at 100000 -> 0
         shrink -> #1 in 5/0: 1:100,2:-1",
    );
}

#[test]
fn the_high_watermark_waits_for_a_follower_that_is_about_to_join() {
    check(
        &[1, 2],
        "isr 1 -> 0
         brokers 2:7 -> 0
         append 10 -> 10
         fetch 2 10 by 7 -> 10
         append 15 -> 10
         at 1001 -> 15
         fetch 2 15 by 7 -> 15
         append 16 -> 15
         brokers 2:7! -> 16
         expand 2 -> -
         brokers -> 16
         append 17 -> 17",
    );
}

/// R9: the broker was started anew, with a log that may have lost its end, and its fetch from before comes late.
#[test]
fn trap_r9_a_fetch_of_an_earlier_incarnation_is_refused() {
    check(
        &[1, 2],
        "append 10 -> 0
         isr 1 -> 10
         brokers 2:7 -> 10
         fetch 2 10 by 7 -> 10
         brokers 2:8 -> 10
         expand 2 -> -
         fetch 2 10 by 7 -> NOT_LEADER_OR_FOLLOWER
         expand 2 -> -
         fetch 2 10 by 9 -> 10
         expand 2 -> -
         fetch 2 10 by 8 -> 10
         expand 2 -> #1 in 5/1: 1:100,2:8",
    );
}

#[test]
fn the_low_watermark_is_that_of_live_replicas() {
    check(
        &[1, 2, 3],
        "low 5 -> 5
         brokers 2:7 3:8 -> 0
         low 5 -> -1
         append 9 -> 0
         fetch 2 9 from 3 -> 0
         fetch 3 9 from 4 -> 9
         low 5 -> 3
         low 2 -> 2
         brokers 3:8 -> 9
         low 5 -> 4
         fetch 3 9 from 5 -> 9
         low 5 -> 5",
    );
}

/// R10: the leader before may have told clients of a higher watermark.
#[test]
fn trap_r10_nothing_is_told_that_depends_on_the_high_watermark_before_it_reaches_the_epoch() {
    check(
        &[1, 2],
        "append 10 -> 0
         settled -> true
         epoch 6 1,2 -> 0
         settled -> false
         fetch 2 9 -> 9
         settled -> false
         fetch 2 10 -> 10
         settled -> true",
    );
}

#[test]
fn a_log_diverges_where_its_epoch_ended_earlier() {
    let end = |epoch, end_offset| EpochEndOffset { epoch, end_offset };
    let checks = [
        // The reader's last record is of epoch 3, and it fetches from 10; the leader's log starts at 2.
        (3, 10, end(3, 12), Ok(None)),
        (3, 10, end(3, 10), Ok(None)),
        (3, 10, end(3, 9), Ok(Some(end(3, 9)))),
        (3, 10, end(2, 12), Ok(Some(end(2, 12)))),
        (3, 10, EpochEndOffset::UNDEFINED, Err(ErrorCode::OFFSET_OUT_OF_RANGE)),
        (3, 1, end(3, 9), Err(ErrorCode::OFFSET_OUT_OF_RANGE)),
        (3, 1, end(2, 0), Err(ErrorCode::OFFSET_OUT_OF_RANGE)),
    ];
    for (last_fetched_epoch, offset, end, expected) in checks {
        assert_eq!(divergence(last_fetched_epoch, offset, end, 2), expected, "{end:?}");
    }
}
