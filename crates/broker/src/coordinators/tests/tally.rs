//! A second kind of shard, which only counts: it is so small that a failure of these tests is a mistake of
//! the host.

use std::collections::BTreeMap;

use coordinator::{
    Append, CoordinatorRecord, DeletedTopic, Output, ReplayError, ReplayOutcome, Reply, StoredRecord,
};
use protocol::Bytes;
use protocol::messages::LeaveGroupResponse;

use super::*;

/// A number for each name.
#[derive(Default)]
struct Tally {
    numbers: BTreeMap<Str, i64>,
    /// Requests that wait until a name's number is high enough, with the number and the deadline of each.
    waiting: BTreeMap<Token, (Str, i64, SteadyMs)>,
}

enum TallyRequest {
    /// Adds one to the number; the reply comes once that is stored.
    Add(Str),
    /// Waits until the number is that high, for at most so many milliseconds.
    Await(Str, i64, i64),
}

fn answer(error_code: ErrorCode) -> Reply {
    LeaveGroupResponse { error_code, ..Default::default() }.into()
}

impl Tally {
    fn answer_waiting(&mut self, error: ErrorCode, is_over: impl Fn(&Str, i64, SteadyMs) -> bool) -> Output {
        let over = |token: &Token| {
            let (name, number, until) = &self.waiting[token];
            is_over(name, *number, *until)
        };
        let tokens: Vec<Token> = self.waiting.keys().copied().filter(over).collect();
        tokens.iter().for_each(|token| drop(self.waiting.remove(token)));
        let replies = tokens.into_iter().map(|token| (token, answer(error))).collect();
        Output { replies, ..Output::default() }
    }
}

impl Shard for Tally {
    type Request = TallyRequest;
    type Settings = ();

    const TOPIC: &'static str = "tally";

    fn new((): ()) -> Self {
        Self::default()
    }

    fn replay(&mut self, record: StoredRecord) -> Result<ReplayOutcome, ReplayError> {
        let name = Str::from(std::str::from_utf8(&record.key.unwrap()).unwrap());
        let number = i64::from_be_bytes(record.value.unwrap()[..8].try_into().unwrap());
        self.numbers.insert(name, number);
        Ok(ReplayOutcome::Applied)
    }

    fn end_transaction(&mut self, _: i64, _: bool) {}

    fn begin(&mut self, _: Now) {}

    fn load_remarks(&self) -> Vec<String> {
        Vec::new()
    }

    fn contents(&self) -> String {
        format!("{} numbers", self.numbers.len())
    }

    fn limit_appends(&mut self, _: usize) {}

    fn decide(&mut self, token: Token, request: TallyRequest, now: Now) -> Output {
        match request {
            TallyRequest::Add(name) => {
                let number = self.numbers.get(&name).copied().unwrap_or(0) + 1;
                let mut value = number.to_be_bytes().to_vec();
                // More than one batch can hold.
                value.resize(if &*name == "large" { 4 << 20 } else { 8 }, 0);
                let key = Bytes::copy_from_slice(name.as_bytes());
                let append = Append::new(vec![CoordinatorRecord { key, value: Some(value.into()) }]);
                let append = append.with_reply(token, answer(ErrorCode::NONE));
                Output { append: Some(append), ..Output::default() }
            }
            TallyRequest::Await(name, number, for_ms) => {
                self.waiting.insert(token, (name, number, SteadyMs(now.steady.0 + for_ms)));
                Output::default()
            }
        }
    }

    fn topics_deleted(&mut self, _: &[DeletedTopic]) -> Output {
        Output::default()
    }

    fn appended(&mut self, _: Now) -> Output {
        let numbers = self.numbers.clone();
        self.answer_waiting(ErrorCode::NONE, |name, number, _| {
            numbers.get(name).is_some_and(|reached| *reached >= number)
        })
    }

    fn not_appended(&mut self, _: &[CoordinatorRecord], _: ErrorCode, _: Now) -> Output {
        Output::default()
    }

    fn next_deadline(&self) -> Option<SteadyMs> {
        self.waiting.values().map(|(_, _, until)| *until).min()
    }

    fn tick(&mut self, now: Now) -> Output {
        self.answer_waiting(ErrorCode::REQUEST_TIMED_OUT, |_, _, until| until <= now.steady)
    }

    fn resign(mut self, _: Now) -> Vec<(Token, Reply)> {
        self.answer_waiting(ErrorCode::NOT_COORDINATOR, |_, _, _| true).replies
    }
}

/// A host of tallies in a directory of its own.
struct Tallies {
    home: Home,
    host: Arc<Coordinators<Tally>>,
    log: Arc<Replica>,
}

impl Tallies {
    fn new(name: &str) -> Self {
        let home = Home::new(name);
        let log = Arc::new(open_log(&home.directory, Tally::TOPIC, 0));
        let host = Arc::new(Coordinators::new((), 1));
        host.elect(Arc::clone(&log), 1);
        Self { home, host, log }
    }

    fn ask(&self, request: TallyRequest) -> PendingReply {
        self.host.ask("any", request).unwrap()
    }

    fn add(&self, name: &'static str) -> PendingReply {
        self.ask(TallyRequest::Add(Str::from_static(name)))
    }

    fn await_number(&self, name: &'static str, number: i64, for_ms: i64) -> PendingReply {
        self.ask(TallyRequest::Await(Str::from_static(name), number, for_ms))
    }

    fn number(&self, name: &str) -> Result<i64, ErrorCode> {
        let look = |shard: &mut Tally, _| shard.numbers.get(name).copied().unwrap_or(0);
        self.host.look("any", look).map(|(number, _)| number)
    }
}

async fn told(pending: PendingReply) -> ErrorCode {
    pending.settled::<LeaveGroupResponse>().await.unwrap().error_code
}

#[tokio::test]
async fn another_kind_of_shard_is_hosted_beside_the_groups() {
    let tallies = Tallies::new("tally");
    let waits = tallies.await_number("a", 2, 60_000);
    let first = tallies.add("a");
    let second = tallies.add("a");
    assert_eq!(tallies.number("a"), Ok(2), "what is appended is replayed at once");
    let group_id = tallies.home.group(0);
    drop(tallies.home.commit(&group_id, 5));
    assert_eq!(tallies.home.directory.flusher().run_round(), 2);
    for pending in [first, second, waits] {
        assert_eq!(told(pending).await, ErrorCode::NONE);
    }
    assert_eq!(tallies.home.committed(&group_id), Ok(5));

    let shard = Arc::new(HostedShard::loading(Arc::clone(&tallies.log)));
    tallies.host.replace(&shard);
    assert_eq!(tallies.number("a"), Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
    tallies.host.load(&shard);
    assert_eq!(tallies.number("a"), Ok(2), "the log says the same");
}

#[tokio::test]
async fn a_record_that_is_not_stored_changes_nothing() {
    let tallies = Tallies::new("not-stored");
    let waits = tallies.await_number("large", 1, 60_000);
    assert_eq!(told(tallies.add("large")).await, ErrorCode::UNKNOWN_SERVER_ERROR);
    assert_eq!(tallies.number("large"), Ok(0));
    tallies.host.resign_all();
    assert_eq!(told(waits).await, ErrorCode::NOT_COORDINATOR, "it was not answered by that");
    assert_eq!(tallies.number("large"), Err(ErrorCode::COORDINATOR_NOT_AVAILABLE));
}

#[tokio::test]
async fn a_deadline_that_has_come_is_kept() {
    let tallies = Tallies::new("deadline");
    let (soon, late) = (tallies.await_number("a", 1, 0), tallies.await_number("a", 1, 600_000));
    assert_ne!(tallies.host.tick(), i64::MAX);
    assert_eq!(told(soon).await, ErrorCode::REQUEST_TIMED_OUT);
    tallies.host.resign(0);
    assert_eq!(told(late).await, ErrorCode::NOT_COORDINATOR);
}
