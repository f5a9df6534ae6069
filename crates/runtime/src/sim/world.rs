//! The scheduler: it chooses the next step.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use super::baton::Gate;
use super::chance::Chance;
use super::host::Host;
use super::net::Network;
use super::trace::Trace;
use super::{Failure, Options, Report, task};

/// The longest duration of a step, in simulated microseconds.
const STEP_MICROS_MAX: u64 = 20;

pub(super) type BoxedTask = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The host of the director and its tasks.
pub(super) const DIRECTOR: Host = Host(0);

/// The panic payload that unwinds threads of a killed host.
#[derive(Debug)]
pub struct HostKill;

/// The state of a host.
#[derive(Debug)]
pub(super) struct HostState {
    pub(super) name: String,
    pub(super) is_up: bool,
    /// Whether nothing of it runs, as after SIGSTOP.
    is_paused: bool,
    /// The offset of its wall clock.
    skew_ms: i64,
}

/// A task or a thread, which takes steps.
struct Unit {
    host: Host,
    name: String,
    work: Work,
    is_ready: bool,
    is_aborted: bool,
}

enum Work {
    /// `None` while it is polled.
    Task(Option<BoxedTask>),
    Thread(Arc<Gate>),
}

pub(crate) struct State {
    pub(super) now: Duration,
    wall_ms: i64,
    /// The host whose code runs.
    pub(super) host: Host,
    pub(super) hosts: Vec<HostState>,
    next_id: u64,
    units: BTreeMap<u64, Unit>,
    ready: Vec<u64>,
    /// Units that became ready in this step, in order of ids: a waker of several may wake them in any order,
    /// as tokio's channels do.
    woken: BTreeSet<u64>,
    pub(super) timers: BTreeMap<(Duration, u64), Waker>,
    pub(super) chance: Chance,
    trace: Trace,
    pub(super) network: Network,
    /// The longest delay of a notified thread.
    pub(super) lateness_max: Duration,
    failure: Option<Failure>,
    /// The director is done: everything else unwinds.
    is_ending: bool,
}

pub(crate) struct World {
    state: Mutex<State>,
    /// The gate at which the scheduler waits for the baton.
    scheduler: Gate,
    time_max: Duration,
}

/// The world and the unit of a thread of this process.
#[derive(Clone)]
struct Here {
    world: Arc<World>,
    /// `None` on the scheduler's thread.
    thread: Option<(u64, Arc<Gate>)>,
}

thread_local! {
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

/// The world that this thread is in.
///
/// # Panics
/// Outside of a run.
#[track_caller]
pub(crate) fn world() -> Arc<World> {
    try_world().expect("this is called within a simulated run")
}

/// The same, or `None` outside of a run.
pub(crate) fn try_world() -> Option<Arc<World>> {
    HERE.try_with(|here| here.borrow().as_ref().map(|here| Arc::clone(&here.world))).ok().flatten()
}

/// Keeps the panics that end killed threads from being reported.
pub(super) fn silence_killed() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !info.payload().is::<HostKill>() {
                before(info);
            }
        }));
    });
}

impl State {
    pub(super) fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(super) fn wall_ms(&self) -> i64 {
        let since = i64::try_from(self.now.as_millis()).unwrap_or(i64::MAX);
        self.wall_ms + since + self.hosts[self.host.0 as usize].skew_ms
    }

    /// Arms a timer that wakes `waker` at `deadline`; returns its key.
    pub(super) fn arm(&mut self, deadline: Duration, waker: Waker) -> u64 {
        let id = self.id();
        self.timers.insert((deadline, id), waker);
        id
    }

    pub(super) fn note(&mut self, event: fmt::Arguments<'_>) {
        self.trace.note(self.now, event);
    }

    fn make_ready(&mut self, id: u64) {
        if let Some(unit) = self.units.get_mut(&id)
            && !std::mem::replace(&mut unit.is_ready, true)
            && !self.hosts[unit.host.0 as usize].is_paused
        {
            self.woken.insert(id);
        }
    }

    /// Keeps everything on a host from running, or lets it go on.
    pub(super) fn set_paused(&mut self, host: Host, is_paused: bool) {
        self.hosts[host.0 as usize].is_paused = is_paused;
        let of_host = |id: &u64| self.units.get(id).is_some_and(|unit| unit.host == host);
        self.ready.retain(|id| !of_host(id));
        self.woken.retain(|id| !of_host(id));
        if !is_paused {
            let waiting = self.units.iter().filter(|(_, unit)| unit.host == host && unit.is_ready);
            self.woken.extend(waiting.map(|(id, _)| *id));
        }
    }

    fn add(&mut self, host: Host, name: String, work: Work) -> u64 {
        let id = self.id();
        self.units.insert(id, Unit { host, name, work, is_ready: false, is_aborted: false });
        self.make_ready(id);
        id
    }

    pub(super) fn is_up(&self, host: Host) -> bool {
        self.hosts[host.0 as usize].is_up
    }

    /// A list of all units, to find a deadlock.
    fn units(&self) -> String {
        let mut text = String::new();
        for unit in self.units.values() {
            let host = &self.hosts[unit.host.0 as usize].name;
            write!(text, "\n  {host}: {}", unit.name).expect("a string takes everything");
        }
        text
    }
}

/// The result of a step.
enum Step {
    Taken,
    /// There is nothing to do, now or later.
    Stuck,
    TimeUp,
}

impl World {
    pub(super) fn new(options: Options) -> Arc<Self> {
        let director = HostState { name: "director".to_owned(), is_up: true, is_paused: false, skew_ms: 0 };
        let state = State {
            now: Duration::ZERO,
            wall_ms: options.wall_ms,
            host: DIRECTOR,
            hosts: vec![director],
            next_id: 0,
            units: BTreeMap::new(),
            ready: Vec::new(),
            woken: BTreeSet::new(),
            timers: BTreeMap::new(),
            chance: Chance::new(options.seed),
            trace: Trace::new(options.trace),
            network: Network::default(),
            lateness_max: Duration::ZERO,
            failure: None,
            is_ending: false,
        };
        Arc::new(Self { state: Mutex::new(state), scheduler: Gate::default(), time_max: options.time_max })
    }

    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        work(&mut self.state.lock())
    }

    pub(super) fn run<F, T>(self: Arc<Self>, director: F) -> Result<Report<T>, Failure>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let outside = HERE.replace(Some(Here { world: Arc::clone(&self), thread: None }));
        let director = task::spawn(director);
        // A wait that is given up unwinds.
        let output = catch_unwind(AssertUnwindSafe(|| self.wait(director)));
        self.end();
        HERE.set(outside);
        let mut state = self.state.lock();
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        state.trace.flush();
        let (digest, events, time) = (state.trace.digest(), state.trace.events(), state.now);
        match output {
            Ok(Ok(output)) => Ok(Report { output, digest, events, time }),
            Ok(Err(error)) => Err(Failure::Panicked(error.to_string())),
            Err(_) => Err(Failure::Panicked("the director's wait".to_owned())),
        }
    }

    /// Ends all threads and drops all tasks.
    fn end(self: &Arc<Self>) {
        let hosts = self.with(|state| {
            state.is_ending = true;
            state.hosts.len()
        });
        for host in (0..hosts).rev() {
            self.kill(Host(u32::try_from(host).expect("hosts are numbered by u32")));
        }
        // Each thread unwinds, which may run others in turn.
        while self.with(|state| !state.units.is_empty()) {
            if !matches!(self.step(), Step::Taken) {
                break;
            }
        }
    }

    pub(super) fn boot(self: &Arc<Self>, name: &str) -> Host {
        self.with(|state| {
            let host = Host(u32::try_from(state.hosts.len()).expect("hosts are numbered by u32"));
            state.hosts.push(HostState { name: name.to_owned(), is_up: true, is_paused: false, skew_ms: 0 });
            state.note(format_args!("boot {name}"));
            host
        })
    }

    pub(super) fn kill(&self, host: Host) {
        let dropped = self.with(|state| {
            if !std::mem::replace(&mut state.hosts[host.0 as usize].is_up, false) {
                return Vec::new();
            }
            state.set_paused(host, false);
            let name = state.hosts[host.0 as usize].name.clone();
            state.note(format_args!("kill {name}"));
            let of_host: Vec<u64> =
                state.units.iter().filter(|(_, unit)| unit.host == host).map(|(id, _)| *id).collect();
            let mut dropped = Vec::new();
            for id in of_host {
                let unit = state.units.get_mut(&id).expect("it was there");
                match &mut unit.work {
                    Work::Task(task @ Some(_)) => {
                        dropped.extend(task.take());
                        state.units.remove(&id);
                    }
                    // It is being polled, further down this stack.
                    Work::Task(None) => unit.is_aborted = true,
                    Work::Thread(_) => state.make_ready(id),
                }
            }
            state.ready.retain(|id| state.units.contains_key(id));
            state.woken.retain(|id| state.units.contains_key(id));
            dropped
        });
        self.as_host(host, || drop(dropped));
        let wakers = self.with(|state| state.network.host_gone(host, state.now));
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Does `work` in the name of `host`.
    pub(super) fn as_host<R>(&self, host: Host, work: impl FnOnce() -> R) -> R {
        let before = self.with(|state| std::mem::replace(&mut state.host, host));
        let result = work();
        self.with(|state| state.host = before);
        result
    }

    pub(super) fn set_skew_ms(&self, host: Host, skew_ms: i64) {
        self.with(|state| state.hosts[host.0 as usize].skew_ms = skew_ms);
    }

    /// Adds a task to the host whose code runs; returns its id, or `None` if that host is down.
    pub(super) fn add_task(self: &Arc<Self>, name: String, task: BoxedTask) -> Option<u64> {
        self.with(|state| {
            let host = state.host;
            state.is_up(host).then(|| state.add(host, name, Work::Task(Some(task))))
        })
    }

    pub(super) fn abort(&self, id: u64) {
        self.with(|state| {
            if let Some(unit) = state.units.get_mut(&id) {
                unit.is_aborted = true;
                state.make_ready(id);
            }
        });
    }

    /// Starts a thread that runs `work` when it gets the baton.
    pub(super) fn add_thread(
        self: &Arc<Self>,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<()> {
        let gate = Arc::new(Gate::default());
        let id = self.with(|state| {
            let host = state.host;
            state.add(host, name.to_owned(), Work::Thread(Arc::clone(&gate)))
        });
        let here = Here { world: Arc::clone(self), thread: Some((id, Arc::clone(&gate))) };
        let body = move || {
            gate.pass();
            HERE.set(Some(here.clone()));
            let is_killed = here.world.with(|state| !state.is_up(state.host));
            if !is_killed && let Err(payload) = catch_unwind(AssertUnwindSafe(work)) {
                here.world.note_panic(&payload);
            }
            here.world.with(|state| state.units.remove(&id));
            here.world.scheduler.open();
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(body).map(drop)
    }

    /// Notes a panic of the product, which fails the run.
    pub(super) fn note_panic(&self, payload: &Box<dyn Any + Send>) {
        if payload.is::<HostKill>() {
            return;
        }
        let what = payload.downcast_ref::<String>().map(String::as_str);
        let what =
            what.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned();
        self.fail(Failure::Panicked(what));
    }

    fn fail(&self, failure: Failure) {
        self.with(|state| {
            state.failure.get_or_insert(failure);
        });
    }

    /// Waits for `future` in place of blocking: others take their turns meanwhile.
    pub(super) fn wait<F: Future>(self: &Arc<Self>, future: F) -> F::Output {
        let here = HERE.with_borrow(|here| here.clone()).expect("this is called within a simulated run");
        let host = self.with(|state| state.host);
        let mut future = pin!(future);
        match here.thread {
            Some((id, gate)) => {
                let waker = Waker::from(Arc::new(UnitWaker { world: Arc::downgrade(self), id }));
                loop {
                    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                        return output;
                    }
                    self.scheduler.open();
                    gate.pass();
                    self.die_if_killed(host);
                }
            }
            None => {
                let flag = Arc::new(Flag(AtomicBool::new(false)));
                let waker = Waker::from(Arc::clone(&flag));
                loop {
                    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                        return output;
                    }
                    while !flag.0.swap(false, Ordering::Relaxed) {
                        match self.step() {
                            Step::Taken => {}
                            Step::Stuck => self.give_up(Failure::Stuck),
                            Step::TimeUp => self.give_up(Failure::TimeUp),
                        }
                        self.with(|state| state.host = host);
                        self.die_if_killed(host);
                    }
                }
            }
        }
    }

    /// Unwinds the current unit if its host is down.
    fn die_if_killed(&self, host: Host) {
        if !std::thread::panicking() && self.with(|state| !state.is_up(host)) {
            panic_any(HostKill);
        }
    }

    /// Ends the run for good: a wait on this thread unwinds.
    fn give_up(&self, failure: impl FnOnce(String) -> Failure) {
        let units = self.with(|state| state.units());
        self.fail(failure(units));
        panic_any(HostKill);
    }

    /// One step of one unit, or of time.
    fn step(self: &Arc<Self>) -> Step {
        let mut due = Vec::new();
        let chosen = self.with(|state| {
            if state.failure.is_some() && !state.is_ending {
                return Err(Step::Stuck);
            }
            state.ready.extend(std::mem::take(&mut state.woken));
            if state.ready.is_empty() {
                let Some(((at, _), _)) = state.timers.first_key_value() else { return Err(Step::Stuck) };
                state.now = state.now.max(*at);
            }
            while let Some(entry) = state.timers.first_entry()
                && entry.key().0 <= state.now
            {
                due.push(entry.remove());
            }
            if state.now > self.time_max && !state.is_ending {
                return Err(Step::TimeUp);
            }
            if !due.is_empty() {
                return Ok(None);
            }
            Ok(Some(choose(state)))
        });
        // Outside the lock, which a waker takes.
        due.into_iter().for_each(Waker::wake);
        match chosen {
            Err(end) => return end,
            Ok(None) => {}
            Ok(Some((id, turn))) => self.take_turn(id, turn),
        }
        Step::Taken
    }

    fn take_turn(self: &Arc<Self>, id: u64, turn: Turn) {
        match turn {
            Turn::Skip => {}
            Turn::Drop(task) => drop(task),
            Turn::Thread(gate, name) => {
                gate.open();
                self.scheduler.pass_in_time(&name);
            }
            Turn::Poll(mut task) => {
                let waker = Waker::from(Arc::new(UnitWaker { world: Arc::downgrade(self), id }));
                let polled =
                    catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(&mut Context::from_waker(&waker))));
                let is_over = match &polled {
                    Ok(Poll::Pending) => false,
                    Ok(Poll::Ready(())) => true,
                    Err(payload) => {
                        self.note_panic(payload);
                        true
                    }
                };
                let dropped = self.with(|state| put_back(state, id, task, is_over));
                drop(dropped);
            }
        }
    }
}

/// The work of the chosen unit.
enum Turn {
    Poll(BoxedTask),
    Drop(Option<BoxedTask>),
    Thread(Arc<Gate>, String),
    /// It is being polled already, further down the stack.
    Skip,
}

fn choose(state: &mut State) -> (u64, Turn) {
    let index = state.chance.scheduler.usize(..state.ready.len());
    let id = state.ready.swap_remove(index);
    state.now += Duration::from_micros(state.chance.scheduler.u64(1..=STEP_MICROS_MAX));
    let unit = state.units.get_mut(&id).expect("what is ready exists");
    unit.is_ready = false;
    state.host = unit.host;
    let turn = match &mut unit.work {
        Work::Thread(gate) => Turn::Thread(Arc::clone(gate), unit.name.clone()),
        Work::Task(None) => {
            // Runs again when it returns.
            unit.is_ready = true;
            Turn::Skip
        }
        Work::Task(task) if unit.is_aborted => Turn::Drop(task.take()),
        Work::Task(task) => Turn::Poll(task.take().expect("it is not polled")),
    };
    if matches!(turn, Turn::Drop(_)) {
        state.units.remove(&id);
    } else {
        let name = std::mem::take(&mut unit.name);
        state.trace.note(state.now, format_args!("{id} {name}"));
        if let Some(unit) = state.units.get_mut(&id) {
            unit.name = name;
        }
    }
    (id, turn)
}

/// Puts a polled task back, or returns it if it has ended.
fn put_back(state: &mut State, id: u64, task: BoxedTask, is_over: bool) -> Option<BoxedTask> {
    let Some(unit) = state.units.get_mut(&id) else { return Some(task) };
    let is_killed = !state.hosts[unit.host.0 as usize].is_up;
    if is_over || is_killed {
        state.units.remove(&id);
        state.ready.retain(|ready| *ready != id);
        state.woken.remove(&id);
        return Some(task);
    }
    unit.work = Work::Task(Some(task));
    // It was woken while it was polled from within a wait, so its place in the queue was skipped.
    let is_paused = state.hosts[unit.host.0 as usize].is_paused;
    if unit.is_ready && !is_paused && !state.ready.contains(&id) {
        state.woken.insert(id);
    }
    None
}

/// Wakes a task or a thread.
struct UnitWaker {
    world: Weak<World>,
    id: u64,
}

impl Wake for UnitWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(world) = self.world.upgrade() {
            world.with(|state| state.make_ready(self.id));
        }
    }
}

/// Wakes a wait on the scheduler's thread.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
