//! Tests of the simulated world itself: its order, and the failures that it detects.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Failure, Options, Report, boot, clock, net, run, sync, task};
use crate::random;

fn outcome<T: Send + 'static>(
    seed: u64,
    director: impl Future<Output = T> + Send + 'static,
) -> Result<Report<T>, Failure> {
    run(Options::new(seed), director)
}

/// Ten tasks that each append their number as often; chance decides the order.
async fn race() -> Vec<u32> {
    let order = Arc::new(Mutex::new(Vec::new()));
    let racers: Vec<_> = (0..10)
        .map(|number| {
            let order = Arc::clone(&order);
            task::spawn(async move {
                for _ in 0..5 {
                    order.lock().push(number);
                    task::yield_now().await;
                }
            })
        })
        .collect();
    for racer in racers {
        racer.await.unwrap();
    }
    let order = order.lock().clone();
    order
}

#[test]
fn one_seed_is_one_run_and_two_seeds_are_two() {
    let first = outcome(7, race()).unwrap();
    assert_eq!(first, outcome(7, race()).unwrap());
    let other = outcome(8, race()).unwrap();
    assert_ne!(first.digest, other.digest);
    assert_ne!(first.output, other.output, "the order of tasks is drawn");
    assert_eq!(first.output.len(), 50);
}

#[test]
fn time_jumps_to_the_next_timer() {
    let report = outcome(1, async {
        let begun = clock::now();
        let wall_ms = clock::now_ms();
        clock::sleep(Duration::from_secs(600)).await;
        assert!(clock::timeout(Duration::from_secs(5), std::future::pending::<()>()).await.is_err());
        assert_eq!(clock::timeout(Duration::from_secs(5), async { 4 }).await, Ok(4));
        assert!((605_000..605_100).contains(&(clock::now_ms() - wall_ms)));
        begun.elapsed()
    });
    let took = report.unwrap().output;
    assert!((605_000..605_100).contains(&took.as_millis()), "{took:?}");
}

#[test]
fn threads_run_one_at_a_time_and_wait_without_the_baton() {
    let director = async {
        let shared = Arc::new((Mutex::new(0_u32), sync::Condvar::new()));
        let inside = Arc::new(AtomicU32::new(0));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (shared, inside) = (Arc::clone(&shared), Arc::clone(&inside));
                task::spawn_thread("counter", move || {
                    for _ in 0..50 {
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "another thread runs");
                        *shared.0.lock() += 1;
                        shared.1.notify_all();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        task::yield_thread();
                    }
                })
                .unwrap()
            })
            .collect();
        let waiting = Arc::clone(&shared);
        let waited = task::spawn_blocking(move || {
            let mut count = waiting.0.lock();
            while *count < 200 {
                waiting.1.wait(&mut count);
            }
            let timed_out = waiting.1.wait_for(&mut count, Duration::from_millis(100));
            (*count, timed_out)
        });
        for thread in threads {
            task::spawn_blocking(move || thread.join().unwrap()).await.unwrap();
        }
        waited.await.unwrap()
    };
    assert_eq!(outcome(3, director).unwrap().output, (200, true));
}

#[test]
fn a_thread_is_joined_from_a_task() {
    let director = async {
        let thread = task::spawn_thread("worker", || {
            task::yield_thread();
        });
        let still = task::spawn(async { 5 });
        thread.unwrap().join().unwrap();
        still.await.unwrap()
    };
    assert_eq!(outcome(3, director).unwrap().output, 5);
}

#[test]
fn a_deadlock_a_panic_and_a_run_without_end_fail() {
    let stuck = outcome(1, async {
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let _kept = sender;
        let _ = receiver.await;
    });
    let Err(Failure::Stuck(units)) = stuck else { panic!("{stuck:?}") };
    assert!(units.contains("director: task of"), "{units}");

    let panicked = outcome(1, async {
        let _ = task::spawn(async { panic!("a bug") }).await;
    });
    assert_eq!(panicked, Err(Failure::Panicked("a bug".to_owned())));

    let in_thread = outcome(1, async {
        let _ = task::spawn_blocking(|| panic!("another")).await;
    });
    assert_eq!(in_thread, Err(Failure::Panicked("another".to_owned())));

    let endless = outcome(1, async {
        loop {
            clock::sleep(Duration::from_secs(60)).await;
        }
    });
    let endless: Result<Report<()>, Failure> = endless;
    assert!(matches!(endless, Err(Failure::TimeUp(_))), "{endless:?}");
}

/// A host that answers each byte with the next one.
async fn answer(listener: net::TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        task::spawn(async move {
            while let Ok(byte) = stream.read_u8().await {
                if stream.write_u8(byte.wrapping_add(1)).await.is_err() {
                    return;
                }
            }
        });
    }
}

#[test]
fn bytes_go_between_hosts_in_order_whatever_is_split() {
    let director = async {
        let server = boot("server");
        server.spawn(async { answer(net::listen("0.0.0.0:9092").await.unwrap()).await });
        clock::sleep(Duration::from_millis(1)).await;
        let client = boot("client");
        let talk = client.spawn(async {
            let stream = net::connect("server:9092").await.unwrap();
            let (mut incoming, mut outgoing) = stream.into_split();
            let sent: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
            let expected: Vec<u8> = sent.iter().map(|byte| byte.wrapping_add(1)).collect();
            let sending = task::spawn(async move { outgoing.write_all(&sent).await.map(|()| outgoing) });
            let mut received = vec![0; expected.len()];
            incoming.read_exact(&mut received).await.unwrap();
            drop(sending.await.unwrap().unwrap());
            assert!(received == expected);
            assert_eq!(incoming.read(&mut [0; 8]).await.unwrap(), 0, "the other end has closed");
        });
        talk.await.unwrap();
        assert!(net::connect("server:9093").await.is_err(), "nobody listens");
    };
    let first = outcome(11, director);
    first.unwrap();
}

#[test]
fn a_cut_holds_bytes_and_a_reset_loses_them() {
    let director = async {
        let server = boot("server");
        server.spawn(async { answer(net::listen("0.0.0.0:9092").await.unwrap()).await });
        clock::sleep(Duration::from_millis(1)).await;
        let client = boot("client");
        let talk = client.spawn(async {
            let mut stream = net::connect("server:9092").await.unwrap();
            net::cut("client", "server");
            stream.write_u8(1).await.unwrap();
            let early = clock::timeout(Duration::from_secs(30), stream.read_u8()).await;
            assert!(early.is_err(), "nothing passes");
            net::heal();
            assert_eq!(stream.read_u8().await.unwrap(), 2);
            net::reset_connections("server", 1);
            stream.read_u8().await.unwrap_err().kind()
        });
        talk.await.unwrap()
    };
    assert_eq!(outcome(5, director).unwrap().output, std::io::ErrorKind::ConnectionReset);
}

#[test]
fn a_killed_host_takes_no_further_step() {
    let director = async {
        let steps = Arc::new(AtomicU32::new(0));
        let server = boot("server");
        let counting = Arc::clone(&steps);
        server.spawn(async move {
            let listener = net::listen("0.0.0.0:9092").await.unwrap();
            let counted = Arc::clone(&counting);
            let _thread = task::spawn_thread("ticker", move || {
                loop {
                    counted.fetch_add(1, Ordering::SeqCst);
                    task::yield_thread();
                }
            });
            answer(listener).await;
        });
        clock::sleep(Duration::from_millis(50)).await;
        let client = boot("client");
        let mut stream = client.spawn(net::connect("server:9092")).await.unwrap().unwrap();
        server.kill();
        assert!(!server.is_up());
        assert!(stream.read_u8().await.is_err(), "its system closes its connections");
        let before = steps.load(Ordering::SeqCst);
        assert!(before > 0);
        clock::sleep(Duration::from_secs(1)).await;
        assert_eq!(steps.load(Ordering::SeqCst), before);
        assert!(net::connect("server:9092").await.is_err());
        // The next boot has the same address, which is free again.
        let again = boot("server");
        again.spawn(async { answer(net::listen("0.0.0.0:9092").await.unwrap()).await });
        clock::sleep(Duration::from_millis(1)).await;
        let mut stream = client.spawn(net::connect("server:9092")).await.unwrap().unwrap();
        stream.write_u8(8).await.unwrap();
        stream.read_u8().await.unwrap()
    };
    assert_eq!(outcome(5, director).unwrap().output, 9);
}

#[test]
fn identities_and_skews_are_of_the_seed() {
    let director = || async {
        let host = boot("host");
        host.set_skew_ms(-5_000);
        let skewed_ms = host.spawn(async { clock::now_ms() }).await.unwrap();
        assert!((4_990..=5_000).contains(&(clock::now_ms() - skewed_ms)));
        random::uuid_bytes()
    };
    let first = outcome(1, director()).unwrap().output;
    assert_eq!(first, outcome(1, director()).unwrap().output);
    assert_ne!(first, outcome(2, director()).unwrap().output);
}

#[test]
fn a_paused_host_goes_on_where_it_stopped() {
    let report = run(Options::new(5), async {
        let steps = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&steps);
        let host = boot("paused");
        host.spawn(async move {
            loop {
                clock::sleep(Duration::from_millis(10)).await;
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        clock::sleep(Duration::from_millis(105)).await;
        let before = steps.load(Ordering::Relaxed);
        host.set_paused(true);
        clock::sleep(Duration::from_secs(1)).await;
        let paused = steps.load(Ordering::Relaxed);
        host.set_paused(false);
        clock::sleep(Duration::from_millis(105)).await;
        (before, paused, steps.load(Ordering::Relaxed))
    });
    let (before, paused, after) = report.expect("it ends").output;
    assert!(before >= 8 && paused == before, "{before}, then {paused}");
    assert!(
        (paused + 8..paused + 13).contains(&after),
        "{paused}, then {after}: it has not caught up at once"
    );
}
