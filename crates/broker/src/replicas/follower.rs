//! The follower's part of a partition. Pure: the controller's decisions, the answers of the leader, the state of the log and
//! the time in; what to ask the leader next, and what to do to the log, out.
//!
//! A follower asks for one thing at a time, and fetches from the offset up to which its log is durable: the offset is its
//! promise to the leader (ADR 10). Each fetch says which epoch the last record before it is of, so that a leader whose log
//! diverges says so instead of answering with records (KIP-595); there is no state of its own for truncating.

mod truncation;

use metadata::Partition;
use protocol::ErrorCode;
use storage::EpochEndOffset;

use super::traps::{self, Trap};

/// The epoch in a fetch of a log without a record.
const NO_EPOCH: i32 = -1;

/// A follower of a partition: this broker, in one epoch after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Follower {
    /// -1 if there is none.
    leader: i32,
    leader_epoch: i32,
    partition_epoch: i32,
    stage: Stage,
    /// The question that the leader has not answered yet.
    inquiry: Option<Inquiry>,
    /// The number of questions so far.
    inquiries: u32,
    /// Nothing is asked before that time, after an error.
    backs_off_until_ms: Option<i64>,
}

/// The progress of a follower in an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Stage {
    /// The epoch has begun, and the log was not looked at yet.
    Begun,
    Fetching,
    /// The leader's log does not reach to the offset that was fetched from: where does it end?
    LeaderEndUnknown,
    /// It does not end below that: where does it start?
    LeaderStartUnknown,
    /// Nothing more can be done in this epoch.
    Failed,
}

/// The state of a follower's own log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OwnLog {
    pub(crate) start_offset: i64,
    pub(crate) high_watermark: i64,
    pub(crate) end_offset: i64,
    /// The offset up to which the log is as durable as its topic promises: the end if that is the page cache.
    pub(crate) durable_offset: i64,
    /// The latest leader epoch that it has a record of, or that began at its end.
    pub(crate) latest_epoch: Option<i32>,
}

/// A question to the leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inquiry {
    number: u32,
    pub(crate) leader: i32,
    pub(crate) leader_epoch: i32,
    pub(crate) subject: Subject,
}

/// The subject of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// Fetch: the records from an offset on.
    Records {
        offset: i64,
        /// The epoch of the last record before it; -1 if there is none.
        last_fetched_epoch: i32,
        log_start_offset: i64,
    },
    /// ListOffsets: the end of the leader's log.
    LatestOffset,
    /// ListOffsets: the start of the leader's log.
    EarliestOffset,
}

/// The next step of a follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextStep {
    /// To ask the leader.
    Ask(Inquiry),
    /// To truncate the log, and look again.
    Truncate { offset: i64 },
    /// To wait for an answer, the disk or a decision, and for the time if there is one.
    Wait { until_ms: Option<i64> },
}

/// A fetch answered without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FetchAnswer {
    /// The leader's high watermark.
    pub(crate) high_watermark: i64,
    /// The leader's log start offset.
    pub(crate) log_start_offset: i64,
    /// The place up to which the logs may agree, if the leader says that they diverge; there are no records then.
    pub(crate) diverging: Option<EpochEndOffset>,
}

/// What an answer does to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// Nothing: the answer is late, or an error.
    Nothing,
    /// Append the records, up to the first of a later epoch than this one: the leader may have truncated its log while it
    /// sent them (KAFKA-18723). Then move the high watermark and the log start, see [`OwnLog::high_watermark_after`].
    Append { leader_epoch: i32, high_watermark: i64, log_start_offset: i64 },
    /// Remove the records from `offset` on, and the epochs that begin there.
    Truncate { offset: i64 },
    /// Remove all records, and start at `offset`.
    StartOver { offset: i64 },
}

/// Why the log was not changed as a follower had decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeFailure {
    /// The records are damaged, or there is no room: the next attempt may do better.
    Passing,
    /// The log cannot go on.
    Final,
}

/// Questions count as equal that differ only in their number.
#[cfg(test)]
impl std::hash::Hash for Inquiry {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.leader, self.leader_epoch, self.subject).hash(state);
    }
}

/// The same of followers that differ only in how much they have asked, and when they ask again.
#[cfg(test)]
impl std::hash::Hash for Follower {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.leader, self.leader_epoch, self.partition_epoch, self.stage, self.inquiry).hash(state);
    }
}

impl OwnLog {
    /// The high watermark after an answer that was appended: the leader's, as far as the log reaches. It never goes back,
    /// which the leader's may do at an election.
    pub(crate) fn high_watermark_after(&self, leaders: i64) -> i64 {
        leaders.min(self.end_offset).max(self.high_watermark)
    }

    /// The log start offset after it: never above the high watermark.
    pub(crate) fn log_start_after(&self, leaders: i64) -> i64 {
        leaders.min(self.high_watermark).max(self.start_offset)
    }
}

impl Follower {
    /// A follower in the epoch of a decision.
    pub(crate) fn new(decided: &Partition) -> Self {
        Self {
            leader: decided.leader,
            leader_epoch: decided.leader_epoch,
            partition_epoch: decided.partition_epoch,
            stage: Stage::Begun,
            inquiry: None,
            inquiries: 0,
            backs_off_until_ms: None,
        }
    }

    pub(crate) fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    pub(crate) fn partition_epoch(&self) -> i32 {
        self.partition_epoch
    }

    /// The question that is open.
    pub(crate) fn open_inquiry(&self) -> Option<Inquiry> {
        self.inquiry
    }

    /// Goes by a later decision of the controller. A later epoch begins from the start, whoever leads (KAFKA-7164).
    pub(crate) fn decide(&mut self, decided: &Partition) {
        if decided.partition_epoch < self.partition_epoch {
            return;
        }
        self.partition_epoch = decided.partition_epoch;
        if decided.leader_epoch > self.leader_epoch {
            let inquiries = self.inquiries;
            *self = Self { inquiries, ..Self::new(decided) };
        }
    }

    /// The next step.
    pub(crate) fn next(&mut self, log: &OwnLog, now_ms: i64) -> NextStep {
        if self.leader < 0 || self.stage == Stage::Failed || self.inquiry.is_some() {
            return NextStep::Wait { until_ms: None };
        }
        if let Some(until_ms) = self.backs_off_until_ms {
            if now_ms < until_ms {
                return NextStep::Wait { until_ms: Some(until_ms) };
            }
            self.backs_off_until_ms = None;
        }
        if self.stage == Stage::Begun {
            // Records of before there were epochs: the leader cannot be asked about them.
            let is_unknown = log.latest_epoch.is_none() || traps::is_on(Trap::TruncatedToHighWatermark);
            if is_unknown && log.high_watermark < log.end_offset {
                return NextStep::Truncate { offset: log.high_watermark };
            }
            self.stage = Stage::Fetching;
        }
        // What is not durable is no promise yet.
        if log.durable_offset < log.end_offset && !traps::is_on(Trap::UnsyncedFetchOffset) {
            return NextStep::Wait { until_ms: None };
        }
        let subject = match self.stage {
            Stage::LeaderEndUnknown => Subject::LatestOffset,
            Stage::LeaderStartUnknown => Subject::EarliestOffset,
            _ => {
                let told = log.latest_epoch.filter(|_| !traps::is_on(Trap::LastEpochUntold));
                Subject::Records {
                    offset: log.end_offset,
                    last_fetched_epoch: told.unwrap_or(NO_EPOCH),
                    log_start_offset: log.start_offset,
                }
            }
        };
        self.inquiries = self.inquiries.wrapping_add(1);
        let (leader, leader_epoch) = (self.leader, self.leader_epoch);
        let inquiry = Inquiry { number: self.inquiries, leader, leader_epoch, subject };
        self.inquiry = Some(inquiry);
        NextStep::Ask(inquiry)
    }

    /// Takes note of a question that will not be answered: the connection broke, or it took too long.
    pub(crate) fn lost(&mut self, inquiry: &Inquiry, retry_at_ms: i64) {
        if self.inquiry.as_ref() == Some(inquiry) {
            self.back_off(retry_at_ms);
        }
    }

    fn back_off(&mut self, retry_at_ms: i64) {
        self.inquiry = None;
        self.backs_off_until_ms = Some(retry_at_ms);
    }

    /// Whether an answer is to the question that is open. Answers that were given up, or belong to an earlier epoch, come
    /// late: what they would truncate may be committed by now.
    fn is_open(&self, inquiry: &Inquiry) -> bool {
        self.inquiry.as_ref() == Some(inquiry)
            || traps::is_on(Trap::LateAnswerTaken) && self.leader_epoch >= inquiry.leader_epoch
    }

    /// Takes the answer to a fetch. `end_of` is the end that the follower's own log has for an epoch, as
    /// [`storage::Log::end_offset_for_epoch`] says it.
    pub(crate) fn fetched(
        &mut self,
        inquiry: &Inquiry,
        answer: Result<FetchAnswer, ErrorCode>,
        log: &OwnLog,
        end_of: impl Fn(i32) -> EpochEndOffset,
        retry_at_ms: i64,
    ) -> Reaction {
        if !self.is_open(inquiry) {
            return Reaction::Nothing;
        }
        let answer = match answer {
            Ok(answer) => answer,
            Err(ErrorCode::OFFSET_OUT_OF_RANGE) => {
                self.inquiry = None;
                self.stage = Stage::LeaderEndUnknown;
                return Reaction::Nothing;
            }
            Err(error_code) => return self.failed(error_code, retry_at_ms),
        };
        self.inquiry = None;
        let Some(leaders) = answer.diverging else {
            return Reaction::Append {
                leader_epoch: self.leader_epoch,
                high_watermark: answer.high_watermark,
                log_start_offset: answer.log_start_offset,
            };
        };
        match truncation::offset(leaders, end_of(leaders.epoch), log) {
            Some(offset) => Reaction::Truncate { offset },
            None => {
                // Truncating there changes nothing, and the leader would say the same again.
                self.back_off(retry_at_ms);
                Reaction::Nothing
            }
        }
    }

    /// Takes the answer to a question about the leader's end or start.
    pub(crate) fn listed(
        &mut self,
        inquiry: &Inquiry,
        answer: Result<i64, ErrorCode>,
        log: &OwnLog,
        retry_at_ms: i64,
    ) -> Reaction {
        if !self.is_open(inquiry) {
            return Reaction::Nothing;
        }
        let leaders = match answer {
            Ok(offset) if offset >= 0 => offset,
            Ok(_) => return self.failed(ErrorCode::OFFSET_NOT_AVAILABLE, retry_at_ms),
            Err(error_code) => return self.failed(error_code, retry_at_ms),
        };
        self.inquiry = None;
        match inquiry.subject {
            // An unclean election: the leader never had what is above.
            Subject::LatestOffset if leaders < log.end_offset => {
                self.stage = Stage::Fetching;
                Reaction::Truncate { offset: leaders }
            }
            Subject::LatestOffset => {
                self.stage = Stage::LeaderStartUnknown;
                Reaction::Nothing
            }
            // The leader has deleted what follows on the log.
            Subject::EarliestOffset if leaders > log.end_offset => {
                self.stage = Stage::Fetching;
                Reaction::StartOver { offset: leaders }
            }
            // The logs overlap, and the leader knows nothing of the follower's last epoch: an epoch without a record,
            // which the log forgets (KAFKA-20961).
            Subject::EarliestOffset | Subject::Records { .. } => {
                self.stage = Stage::Fetching;
                self.back_off(retry_at_ms);
                Reaction::Truncate { offset: log.end_offset }
            }
        }
    }

    /// Takes note that the log was not changed.
    pub(crate) fn not_changed(&mut self, failure: ChangeFailure, retry_at_ms: i64) {
        match failure {
            ChangeFailure::Passing => self.back_off(retry_at_ms),
            ChangeFailure::Final => self.fail(),
        }
    }

    fn fail(&mut self) {
        self.inquiry = None;
        self.stage = Stage::Failed;
    }

    fn failed(&mut self, error_code: ErrorCode, retry_at_ms: i64) -> Reaction {
        // There is a later leader, and the metadata will say so. Any other error may pass.
        if error_code == ErrorCode::FENCED_LEADER_EPOCH {
            self.fail();
        } else {
            self.back_off(retry_at_ms);
        }
        Reaction::Nothing
    }
}

#[cfg(test)]
mod tests;
