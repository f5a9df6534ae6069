//! The coordinator behaves as Kafka's. `tests/capture/transcripts.txt` has scripts, and below each step the
//! events of Kafka 4.3.1's own coordinator (`tests/capture/README.md` describes how they are captured).

use fastrand::Rng;

use super::script::Play;
use crate::Settings;
use crate::classic::State;

const TRANSCRIPTS: &str = include_str!("../../tests/capture/transcripts.txt");

fn settings() -> Settings {
    Settings { group_max_size: 5, ..Settings::default() }
}

#[test]
fn what_kafka_does() {
    let mut steps = 0;
    for transcript in TRANSCRIPTS.split("\n\n") {
        let mut play = Play::new(settings());
        let mut played = String::new();
        let lines: Vec<&str> = transcript.lines().filter(|line| !line.is_empty()).collect();
        for step in lines.chunk_by(|_, next| next.starts_with('>')) {
            let expected: Vec<&str> = step[1..].iter().map(|line| line[1..].trim()).collect();
            let mut happened = play.step(step[0]);
            happened.sort();
            played += &format!("{}\n", step[0]);
            assert!(happened == expected, "Kafka: {expected:#?}\nhere: {happened:#?}\n\n{played}");
            happened.iter().for_each(|event| played += &format!("> {event}\n"));
            steps += 1;
        }
    }
    assert!(steps > 4_000, "there is something to compare");
}

/// Writes scripts to be run in Kafka.
#[test]
#[ignore = "writes the file that SCRIPTS names"]
#[allow(clippy::disallowed_methods, reason = "a tool for whoever renews the transcripts")]
fn write_scripts() {
    // These seeds were picked because rare events happen in them.
    let rare = [78, 115, 144, 156, 206, 246, 310, 376, 424, 643, 772, 954, 1_113];
    let seeds = (0..45).chain(rare).map(|seed| Author::new(seed).write());
    let scripts: Vec<String> = seeds.chain(RETENTION.map(lines)).collect();
    let path = std::env::var("SCRIPTS").expect("SCRIPTS names a file");
    std::fs::write(path, scripts.join("\n\n")).expect("the file can be written");
}

/// The fate of offsets over days, in cases that the random author does not reach: a group that all members
/// have left, offsets without a group, a group that was left twice, and members that sent no heartbeat.
const RETENTION: [&str; 4] = [
    "z join v=3 type=connect session=1800000
     wait 3000
     z sync z1=Z
     z commit t-0=1
     z leave
     wait 604000000
     x fetch t-0
     x describe
     wait 1500000
     x fetch t-0
     x describe
     restart
     x describe",
    "x commit t-0=5 u-1=6
     wait 300000000
     x commit t-0=7
     wait 304000000
     x fetch t-0 u-1
     wait 304000000
     x fetch t-0 u-1
     x describe",
    "z join v=3 session=1800000
     wait 3000
     z sync z1=Z
     z commit t-0=1
     z leave
     wait 302400000
     y join v=3 session=1800000
     wait 3000
     y sync y1=Y
     y leave
     wait 302400000
     x fetch t-0
     restart
     wait 310000000
     x fetch t-0
     x describe",
    "z join v=3 session=1800000
     wait 3000
     z sync z1=Z
     z commit t-0=1
     wait 1700000
     z heartbeat
     wait 1700000
     z heartbeat
     wait 1900000
     z heartbeat
     x describe
     restart
     wait 604800000
     x describe",
];

fn lines(script: &str) -> String {
    let lines: Vec<&str> = script.lines().map(str::trim).collect();
    lines.join("\n")
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Writes scripts at random. Kafka leaves some requests without an answer, which scripts therefore avoid: a
/// request that the same member repeats while it waits, and the SyncGroup of a member that is removed
/// meanwhile.
struct Author {
    rng: Rng,
    play: Play,
    script: Vec<String>,
}

impl Author {
    fn new(seed: u64) -> Author {
        Author { rng: Rng::with_seed(seed), play: Play::new(settings()), script: Vec::new() }
    }

    fn write(mut self) -> String {
        // Kafka stores a group at its first request, and knows it from then on.
        for step in ["z join v=3", "wait 3000", "z sync z1=Z", "z leave"] {
            self.step(step.to_owned());
        }
        for _ in 0..80 {
            let name = NAMES[self.rng.usize(..NAMES.len())];
            match self.rng.u32(..100) {
                0..58 => self.behave(name),
                58..69 => {
                    let wait_ms = self.rng.u32(1..3_500);
                    self.step(format!("wait {wait_ms}"));
                }
                69 => {
                    let wait_ms = self.rng.u32(1..70_000);
                    self.step(format!("wait {wait_ms}"));
                }
                70..73 => self.leave(name),
                73..78 => self.stray(name),
                78..84 => self.commit(name),
                84..90 => self.come_back(name),
                90..94 => self.step("x describe".to_owned()),
                94..97 => self.step("x fetch t-0 t-1 t-2".to_owned()),
                97 => self.step("restart".to_owned()),
                98 => self.quiet(),
                _ => self.step(format!("x commit t-0={}", self.script.len())),
            }
        }
        self.script.join("\n")
    }

    fn step(&mut self, step: String) {
        self.play.step(&step);
        self.script.push(step);
    }

    /// The instance id of a client. `b` and `c` have the same one.
    fn instance(name: &str) -> &'static str {
        if ["b", "c"].contains(&name) { " instance=i" } else { "" }
    }

    fn waits(&self, name: &str) -> bool {
        self.play.waits_for().any(|asked| asked.split(' ').next() == Some(name))
    }

    fn behave(&mut self, name: &str) {
        if self.waits(name) {
            return;
        }
        let instance = Self::instance(name);
        let group = self.play.shell.coordinator.classic_group("g").map(|group| group.state());
        let Some(client) = self.play.clients.get(name) else { return self.join(name) };
        let known = client.generation_id != -1;
        match group {
            Some(State::CompletingRebalance) if known => self.sync(name),
            Some(State::Stable) if known && self.rng.u32(..4) == 0 => self.sync(name),
            Some(State::PreparingRebalance { .. }) if known => self.join(name),
            _ if known && self.rng.bool() => self.step(format!("{name} heartbeat{instance}")),
            _ => self.join(name),
        }
    }

    fn join(&mut self, name: &str) {
        let instance = Self::instance(name);
        // Clients of the same instance have the same timeouts: Kafka at first gives a returning one the
        // session timeout of the other.
        let place = match instance {
            "" => NAMES.iter().position(|it| *it == name).expect("a name") as u32,
            _ => NAMES.len() as u32,
        };
        let known = self.play.clients.get(name).is_some_and(|client| {
            let group = self.play.shell.coordinator.classic_group("g").expect("stored at the beginning");
            let awaited = group.pending_join.contains(client.member_id.as_str());
            awaited || group.member(&client.member_id).is_some()
        });
        let forgets = self.rng.u32(..8) == 0 || (!known && self.rng.u32(..4) != 0);
        let version = if Self::instance(name).is_empty() { self.rng.u32(..10) } else { self.rng.u32(5..10) };
        let protocols = match self.rng.u32(..10) {
            0 if self.rng.bool() => "range:m",
            1 if self.rng.bool() => "other:m",
            2 if self.rng.bool() => "range:n,other:n",
            3 if self.rng.bool() => "other:o,range:o",
            _ => "range:m,other:n",
        };
        let id = if forgets { " id=" } else { "" };
        if forgets && self.leaves_sync_outstanding(name) {
            return;
        }
        // The timeouts of all others differ, so that nothing falls due at the same time.
        let (session, rebalance) = (9_000 + 1_103 * place, 20_000 + 1_709 * place);
        self.may_fail();
        self.step(format!(
            "{name} join v={version}{id}{instance} session={session} rebalance={rebalance} protocols={protocols}"
        ));
        self.step_if_failing();
    }

    /// Kafka expects the SyncGroup of a static member under its old id even if it has a new one.
    fn leaves_sync_outstanding(&self, name: &str) -> bool {
        let group = self.play.shell.coordinator.classic_group("g");
        !Self::instance(name).is_empty()
            && group.is_some_and(|group| group.state() == State::Stable && !group.pending_sync.is_empty())
    }

    /// Appends of assignments, of returning static members and of offsets may fail. The append about an empty
    /// group does not: it is retried here, and not in Kafka.
    fn may_fail(&mut self) {
        let group = self.play.shell.coordinator.classic_group("g").map(|group| group.state());
        let safe = matches!(group, Some(State::Stable | State::CompletingRebalance));
        if safe && self.rng.u32(..6) == 0 {
            let errors = ["NOT_ENOUGH_REPLICAS", "NOT_LEADER_OR_FOLLOWER", "MESSAGE_TOO_LARGE"];
            let error = errors[self.rng.usize(..errors.len())];
            self.step(format!("fail {error}"));
        }
    }

    fn step_if_failing(&mut self) {
        if self.play.shell.fail.is_some() {
            self.step("fail none".to_owned());
        }
    }

    fn sync(&mut self, name: &str) {
        let client = &self.play.clients[name];
        let leads = client.joined.leader == client.joined.member_id && !client.joined.skip_assignment;
        let members = client.joined.members.iter().map(|member| {
            let id = super::script::short(&member.member_id);
            format!(" {id}={}", id.to_uppercase())
        });
        let assignments: String = if leads { members.collect() } else { String::new() };
        let version = self.rng.u32(3..=5);
        self.may_fail();
        self.step(format!("{name} sync v={version}{}{assignments}", Self::instance(name)));
        self.step_if_failing();
    }

    fn leave(&mut self, name: &str) {
        let is_static = !Self::instance(name).is_empty();
        if is_static && ["b", "c"].iter().any(|name| self.waits(name)) {
            return;
        }
        if is_static && self.rng.u32(..3) == 0 {
            // An administrator removes the member, and knows only its instance id.
            self.step("x leave [i]".to_owned());
        } else if self.play.clients.contains_key(name) && !self.waits(name) {
            let version = if is_static { 5 } else { self.rng.u32(..=5) };
            self.step(format!("{name} leave v={version}{}", Self::instance(name)));
        }
    }

    /// A request from a client that is not up to date.
    fn stray(&mut self, name: &str) {
        let Some(client) = self.play.clients.get(name) else { return };
        let generation_id = client.generation_id + self.rng.i32(-1..=1);
        let instance = ["", " instance=i", " instance=j"][self.rng.usize(..3)];
        let verb = ["heartbeat", "commit t-1=7", "sync v=3"][self.rng.usize(..3)];
        let current = self.play.shell.coordinator.classic_group("g").map(|group| group.generation_id);
        // A client that is up to date after all would repeat its SyncGroup.
        if verb == "sync v=3" && Some(generation_id) == current {
            return;
        }
        self.step(format!("{name} {verb} gen={generation_id}{instance}"));
    }

    fn commit(&mut self, name: &str) {
        let version = self.rng.u32(7..=10);
        let offset = self.script.len();
        self.may_fail();
        self.step(format!("{name} commit v={version}{} t-0={offset} t-2={offset}", Self::instance(name)));
        self.step_if_failing();
    }

    /// Every client behaves for a while, and then the static member restarts.
    fn quiet(&mut self) {
        for _ in 0..3 {
            NAMES.iter().filter(|name| **name != "c").for_each(|name| self.behave(name));
            self.step("wait 3100".to_owned());
        }
        NAMES.iter().filter(|name| **name != "c").for_each(|name| self.behave(name));
        self.come_back("b");
    }

    /// Restarts a static member.
    fn come_back(&mut self, name: &str) {
        if !self.waits(name) && !Self::instance(name).is_empty() && !self.leaves_sync_outstanding(name) {
            self.may_fail();
            self.step(format!(
                "{name} join id= instance=i session=15618 rebalance=30254 protocols=range:m,other:n"
            ));
            self.step_if_failing();
        }
    }
}
