//! Scripts: what happens to a follower, line by line, and what it does.

use metadata::Partition;

use super::*;

/// Broker 2, which follows broker 1 in epoch 5, and its log.
struct Script {
    follower: Follower,
    /// Epochs and the offsets that they begin at.
    epochs: Vec<(i32, i64)>,
    log: OwnLog,
    /// The questions so far; those lost or answered too.
    inquiries: Vec<Inquiry>,
    now_ms: i64,
}

/// The time that it backs off.
const BACK_OFF_MS: i64 = 100;

fn decided(leader: i32, leader_epoch: i32, partition_epoch: i32) -> Partition {
    let mut decided = Partition::default();
    (decided.leader, decided.leader_epoch, decided.partition_epoch) = (leader, leader_epoch, partition_epoch);
    decided
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

impl Script {
    /// A follower of a log whose epochs are `EPOCH@START` each, with its end, all of it durable and committed.
    fn new(epochs: &str, end_offset: i64) -> Self {
        let epochs = epochs.split_whitespace().map(|entry| {
            let (epoch, start) = entry.split_once('@').unwrap();
            (number(epoch), number(start))
        });
        let log = OwnLog {
            start_offset: 0,
            high_watermark: end_offset,
            end_offset,
            durable_offset: end_offset,
            latest_epoch: None,
        };
        let follower = Follower::new(&decided(1, 5, 0));
        Self { follower, epochs: epochs.collect(), log, inquiries: Vec::new(), now_ms: 0 }
    }

    fn log(&self) -> OwnLog {
        OwnLog { latest_epoch: self.epochs.last().map(|(epoch, _)| *epoch), ..self.log }
    }

    fn end_of(&self, epoch: i32) -> EpochEndOffset {
        let Some(latest) = self.epochs.last() else { return EpochEndOffset::UNDEFINED };
        if epoch > latest.0 {
            return EpochEndOffset::UNDEFINED;
        }
        let higher = self.epochs.partition_point(|(known, _)| *known <= epoch);
        let end_offset = self.epochs.get(higher).map_or(self.log.end_offset, |(_, start)| *start);
        let epoch = if higher == 0 { epoch } else { self.epochs[higher - 1].0 };
        EpochEndOffset { epoch, end_offset }
    }

    fn step(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["next"] => return self.next(),
            ["at", ms] => self.now_ms = number(ms),
            ["sync"] => self.log.durable_offset = self.log.end_offset,
            ["watermark", offset] => self.log.high_watermark = number(offset),
            ["decide", leader, epochs] => {
                let (leader_epoch, partition_epoch) = epochs.split_once('/').unwrap();
                let decided = decided(number(leader), number(leader_epoch), number(partition_epoch));
                self.follower.decide(&decided);
            }
            ["lose"] => self.follower.lost(self.inquiries.last().unwrap(), self.retry_at_ms()),
            ["full"] => self.follower.not_changed(ChangeFailure::Passing, self.retry_at_ms()),
            ["broken"] => self.follower.not_changed(ChangeFailure::Final, self.retry_at_ms()),
            [question, ref answer @ ..] => {
                let index: usize = number(question.strip_prefix('#').unwrap());
                let inquiry = self.inquiries[index - 1];
                return self.answer(&inquiry, answer);
            }
            _ => panic!("{line}"),
        }
        self.shown()
    }

    fn retry_at_ms(&self) -> i64 {
        self.now_ms + BACK_OFF_MS
    }

    fn next(&mut self) -> String {
        match self.follower.next(&self.log(), self.now_ms) {
            NextStep::Ask(inquiry) => {
                self.inquiries.push(inquiry);
                let to = format!("of {} in {}", inquiry.leader, inquiry.leader_epoch);
                match inquiry.subject {
                    Subject::Records { offset, last_fetched_epoch, log_start_offset } => {
                        format!("fetch {offset} after {last_fetched_epoch} from {log_start_offset} {to}")
                    }
                    Subject::LatestOffset => format!("end {to}"),
                    Subject::EarliestOffset => format!("start {to}"),
                }
            }
            NextStep::Truncate { offset } => self.truncate(offset),
            NextStep::Wait { until_ms: Some(until_ms) } => format!("wait until {until_ms}"),
            NextStep::Wait { until_ms: None } => "wait".to_owned(),
        }
    }

    /// `records EPOCH COUNT hw OFFSET start OFFSET`, `diverging EPOCH END`, `offset OFFSET` or `error NAME`.
    fn answer(&mut self, inquiry: &Inquiry, words: &[&str]) -> String {
        let known = [
            ErrorCode::OFFSET_OUT_OF_RANGE,
            ErrorCode::FENCED_LEADER_EPOCH,
            ErrorCode::UNKNOWN_LEADER_EPOCH,
            ErrorCode::NOT_LEADER_OR_FOLLOWER,
            ErrorCode::KAFKA_STORAGE_ERROR,
        ];
        let error = |name: &str| known.into_iter().find(|it| it.name() == name).unwrap();
        let (log, retry_at_ms) = (self.log(), self.retry_at_ms());
        let mut records = None;
        let answer = match words {
            ["offset", offset] => {
                let reaction = self.follower.listed(inquiry, Ok(number(offset)), &log, retry_at_ms);
                return self.react(reaction, None);
            }
            ["error", name] if !matches!(inquiry.subject, Subject::Records { .. }) => {
                let reaction = self.follower.listed(inquiry, Err(error(name)), &log, retry_at_ms);
                return self.react(reaction, None);
            }
            ["error", name] => Err(error(name)),
            ["diverging", epoch, end] => Ok(FetchAnswer {
                high_watermark: -1,
                log_start_offset: 0,
                diverging: Some(EpochEndOffset { epoch: number(epoch), end_offset: number(end) }),
            }),
            ["records", epoch, count, "hw", high_watermark, "start", start] => {
                records = Some((number(epoch), number(count)));
                let (high_watermark, log_start_offset) = (number(high_watermark), number(start));
                Ok(FetchAnswer { high_watermark, log_start_offset, diverging: None })
            }
            _ => panic!("{words:?}"),
        };
        let end_of: Vec<EpochEndOffset> = (0..10).map(|epoch| self.end_of(epoch)).collect();
        let end_of = |epoch: i32| end_of[usize::try_from(epoch).unwrap()];
        let reaction = self.follower.fetched(inquiry, answer, &log, end_of, retry_at_ms);
        self.react(reaction, records)
    }

    fn react(&mut self, reaction: Reaction, records: Option<(i32, i64)>) -> String {
        match reaction {
            Reaction::Nothing => "nothing".to_owned(),
            Reaction::Append { leader_epoch, high_watermark, log_start_offset } => {
                let (epoch, count) = records.unwrap();
                if count > 0 && epoch <= leader_epoch {
                    if self.epochs.last().is_none_or(|(latest, _)| *latest < epoch) {
                        self.epochs.push((epoch, self.log.end_offset));
                    }
                    self.log.end_offset += count;
                }
                self.log.high_watermark = self.log.high_watermark_after(high_watermark);
                self.log.start_offset = self.log.log_start_after(log_start_offset);
                self.shown()
            }
            Reaction::Truncate { offset } => self.truncate(offset),
            Reaction::StartOver { offset } => {
                self.epochs.clear();
                let log = &mut self.log;
                (log.start_offset, log.high_watermark) = (offset, offset);
                (log.end_offset, log.durable_offset) = (offset, offset);
                format!("start over, {}", self.shown())
            }
        }
    }

    fn truncate(&mut self, offset: i64) -> String {
        let log = &mut self.log;
        log.end_offset = offset;
        log.durable_offset = log.durable_offset.min(offset);
        log.high_watermark = log.high_watermark.min(offset);
        self.epochs.retain(|(_, start)| *start < offset);
        format!("truncate, {}", self.shown())
    }

    fn shown(&self) -> String {
        let OwnLog { start_offset, high_watermark, end_offset, .. } = self.log;
        format!("{start_offset} {high_watermark} {end_offset}")
    }
}

/// Runs a script of a follower whose log has these epochs and this end. What each line comes to stands behind an arrow:
/// the next step, or the start, high watermark and end of the log.
fn check(epochs: &str, end_offset: i64, script: &str) {
    let mut state = Script::new(epochs, end_offset);
    for (number, line) in script.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let (step, expected) = line.split_once(" -> ").unwrap();
        assert_eq!(state.step(step), expected, "line {}: {line}", number + 1);
    }
}

#[test]
fn it_asks_for_more_once_it_has_synced_what_came() {
    check(
        "",
        0,
        "next -> fetch 0 after -1 from 0 of 1 in 5
         next -> wait
         #1 records 3 10 hw 7 start 0 -> 0 7 10
         next -> wait
         sync -> 0 7 10
         next -> fetch 10 after 3 from 0 of 1 in 5
         #2 records 5 0 hw 10 start 4 -> 4 10 10
         next -> fetch 10 after 3 from 4 of 1 in 5
         #3 records 5 2 hw 99 start 11 -> 11 12 12
         sync -> 11 12 12
         next -> fetch 12 after 5 from 11 of 1 in 5",
    );
}

#[test]
fn it_backs_off_after_errors_that_pass() {
    for error in ["UNKNOWN_LEADER_EPOCH", "NOT_LEADER_OR_FOLLOWER", "KAFKA_STORAGE_ERROR"] {
        check(
            "3@0",
            10,
            &format!(
                "next -> fetch 10 after 3 from 0 of 1 in 5
                 #1 error {error} -> nothing
                 next -> wait until 100
                 at 100 -> 0 10 10
                 next -> fetch 10 after 3 from 0 of 1 in 5
                 lose -> 0 10 10
                 next -> wait until 200
                 at 200 -> 0 10 10
                 next -> fetch 10 after 3 from 0 of 1 in 5
                 full -> 0 10 10
                 next -> wait until 300"
            ),
        );
    }
}

#[test]
fn it_ends_in_an_epoch_that_is_over_and_goes_on_in_the_next() {
    for end in ["#1 error FENCED_LEADER_EPOCH -> nothing", "broken -> 0 10 10"] {
        check(
            "3@0",
            10,
            &format!(
                "next -> fetch 10 after 3 from 0 of 1 in 5
                 {end}
                 next -> wait
                 decide 1 5/1 -> 0 10 10
                 next -> wait
                 decide 3 6/2 -> 0 10 10
                 next -> fetch 10 after 3 from 0 of 3 in 6"
            ),
        );
    }
}

#[test]
fn without_a_leader_it_waits() {
    check(
        "3@0",
        10,
        "decide -1 6/1 -> 0 10 10
         next -> wait
         decide 1 7/2 -> 0 10 10
         decide 9 6/1 -> 0 10 10
         next -> fetch 10 after 3 from 0 of 1 in 7",
    );
}

/// R1 (KIP-101): what is above the high watermark may be committed all the same.
#[test]
fn trap_r1_it_truncates_by_the_leaders_epochs_and_not_to_its_high_watermark() {
    check(
        "3@0",
        10,
        "watermark 6 -> 0 6 10
         next -> fetch 10 after 3 from 0 of 1 in 5
         #1 diverging 3 8 -> truncate, 0 6 8
         next -> fetch 8 after 3 from 0 of 1 in 5
         #2 records 5 2 hw 8 start 0 -> 0 8 10",
    );
}

/// R2 (KIP-279): the leader has no record of the follower's epochs, one after the other.
#[test]
fn trap_r2_it_goes_back_epoch_by_epoch() {
    check(
        "1@0 3@4 4@8",
        10,
        "watermark 4 -> 0 4 10
         next -> fetch 10 after 4 from 0 of 1 in 5
         #1 diverging 2 7 -> truncate, 0 4 4
         next -> fetch 4 after 1 from 0 of 1 in 5
         #2 diverging 1 3 -> truncate, 0 3 3
         next -> fetch 3 after 1 from 0 of 1 in 5
         #3 records 2 1 hw 3 start 0 -> 0 3 4",
    );
    // All of its log is of later epochs than the leader's.
    check(
        "3@2",
        10,
        "watermark 2 -> 0 2 10
         next -> fetch 10 after 3 from 0 of 1 in 5
         #1 diverging 2 6 -> truncate, 0 2 2",
    );
}

#[test]
fn an_epoch_without_a_record_is_forgotten() {
    check(
        "3@0 4@10",
        10,
        "next -> fetch 10 after 4 from 0 of 1 in 5
         #1 diverging 3 12 -> truncate, 0 10 10
         next -> fetch 10 after 3 from 0 of 1 in 5",
    );
}

#[test]
fn a_divergence_that_leads_nowhere_is_asked_about_later() {
    check(
        "3@0",
        10,
        "next -> fetch 10 after 3 from 0 of 1 in 5
         #1 diverging 3 10 -> nothing
         next -> wait until 100
         at 100 -> 0 10 10
         next -> fetch 10 after 3 from 0 of 1 in 5
         #2 diverging 3 -1 -> nothing
         next -> wait until 200",
    );
}

/// R12 (KAFKA-7164).
#[test]
fn trap_r12_a_later_epoch_of_the_same_leader_begins_anew() {
    check(
        "3@0",
        10,
        "next -> fetch 10 after 3 from 0 of 1 in 5
         decide 1 7/3 -> 0 10 10
         #1 records 5 2 hw 12 start 0 -> nothing
         next -> fetch 10 after 3 from 0 of 1 in 7
         #2 diverging 3 9 -> truncate, 0 9 9",
    );
}

/// R13: by then what it would truncate may be committed.
#[test]
fn trap_r13_late_answers_are_dropped() {
    check(
        "3@0",
        10,
        "watermark 8 -> 0 8 10
         next -> fetch 10 after 3 from 0 of 1 in 5
         lose -> 0 8 10
         at 100 -> 0 8 10
         next -> fetch 10 after 3 from 0 of 1 in 5
         #1 diverging 3 8 -> nothing
         #2 diverging 3 8 -> truncate, 0 8 8
         #2 diverging 3 8 -> nothing
         next -> fetch 8 after 3 from 0 of 1 in 5
         #3 records 5 2 hw 10 start 0 -> 0 10 10
         #1 diverging 3 8 -> nothing
         #3 records 5 2 hw 10 start 0 -> nothing",
    );
}

/// A leader that truncated its log while it sent records may send some of a later epoch (KAFKA-18723).
#[test]
fn records_of_a_later_epoch_are_not_appended() {
    check(
        "3@0",
        10,
        "next -> fetch 10 after 3 from 0 of 1 in 5
         #1 records 6 2 hw 10 start 0 -> 0 10 10",
    );
}

/// R10: the high watermark of a new leader may be behind.
#[test]
fn trap_r10_the_high_watermark_does_not_go_back() {
    check(
        "3@0",
        10,
        "next -> fetch 10 after 3 from 0 of 1 in 5
         #1 records 5 2 hw 4 start 0 -> 0 10 12",
    );
}

#[test]
fn a_log_that_ends_before_the_leaders_starts_over() {
    check(
        "3@0",
        10,
        "next -> fetch 10 after 3 from 0 of 1 in 5
         #1 error OFFSET_OUT_OF_RANGE -> nothing
         next -> end of 1 in 5
         #2 offset 30 -> nothing
         next -> start of 1 in 5
         #3 offset 20 -> start over, 20 20 20
         next -> fetch 20 after -1 from 20 of 1 in 5
         #4 records 5 5 hw 25 start 20 -> 20 25 25",
    );
}

/// After an unclean election.
#[test]
fn a_log_that_goes_beyond_the_leaders_is_truncated_to_its_end() {
    check(
        "3@0",
        10,
        "next -> fetch 10 after 3 from 0 of 1 in 5
         #1 error OFFSET_OUT_OF_RANGE -> nothing
         next -> end of 1 in 5
         #2 offset 7 -> truncate, 0 7 7
         next -> fetch 7 after 3 from 0 of 1 in 5",
    );
}

/// R16 (KAFKA-20961): the leader knows nothing of an epoch that has no record, and would say so for ever.
#[test]
fn trap_r16_an_epoch_that_only_the_follower_knows_is_no_end() {
    check(
        "3@0 4@10",
        10,
        "next -> fetch 10 after 4 from 0 of 1 in 5
         #1 error OFFSET_OUT_OF_RANGE -> nothing
         next -> end of 1 in 5
         #2 offset 10 -> nothing
         next -> start of 1 in 5
         #3 offset 0 -> truncate, 0 10 10
         next -> wait until 100
         at 100 -> 0 10 10
         next -> fetch 10 after 3 from 0 of 1 in 5",
    );
}

#[test]
fn questions_about_the_leaders_ends_can_fail() {
    check(
        "3@0",
        10,
        "next -> fetch 10 after 3 from 0 of 1 in 5
         #1 error OFFSET_OUT_OF_RANGE -> nothing
         next -> end of 1 in 5
         #2 error NOT_LEADER_OR_FOLLOWER -> nothing
         next -> wait until 100
         at 100 -> 0 10 10
         next -> end of 1 in 5
         #2 offset 3 -> nothing
         #3 offset -1 -> nothing
         next -> wait until 200
         at 200 -> 0 10 10
         next -> end of 1 in 5
         #4 error FENCED_LEADER_EPOCH -> nothing
         next -> wait",
    );
}

/// Records of before there were epochs.
#[test]
fn a_log_without_epochs_keeps_what_is_committed() {
    check(
        "",
        10,
        "watermark 6 -> 0 6 10
         next -> truncate, 0 6 6
         next -> fetch 6 after -1 from 0 of 1 in 5",
    );
}
