//! A TCP proxy that cuts its connections in the middle of things.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

pub(crate) struct Proxy {
    shared: Arc<ProxyState>,
    port: u16,
}

struct ProxyState {
    target: String,
    /// While set, each connection gets only so far.
    cutting: AtomicBool,
    cuts: AtomicUsize,
    seed: AtomicU64,
    ended: AtomicBool,
}

impl Proxy {
    /// Listens on `port` for connections to `target`. The cuts depend on `seed` alone.
    pub(crate) fn start(port: u16, target: &str, seed: u64) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the proxy's port");
        let shared = Arc::new(ProxyState {
            target: target.to_owned(),
            cutting: AtomicBool::new(false),
            cuts: AtomicUsize::new(0),
            seed: AtomicU64::new(seed),
            ended: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.ended.load(Ordering::Relaxed) {
                    return;
                }
                accepting.join(&client);
            }
        });
        Proxy { shared, port }
    }

    /// From now on each new connection is cut after some bytes, in one direction or the other; or no more are.
    pub(crate) fn cut(&self, cutting: bool) {
        self.shared.cutting.store(cutting, Ordering::Relaxed);
    }

    /// The number of connections that it has cut.
    pub(crate) fn cuts(&self) -> usize {
        self.shared.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl ProxyState {
    fn join(self: &Arc<Self>, client: &TcpStream) {
        let Ok(broker) = TcpStream::connect(&self.target) else { return };
        let mut choice = fastrand::Rng::with_seed(self.seed.fetch_add(1, Ordering::Relaxed));
        let lossy = self.cutting.load(Ordering::Relaxed);
        // Requests are large and answers small; either may be cut within a frame.
        let (mut upward, mut downward) = (u64::MAX, u64::MAX);
        if lossy && choice.bool() {
            upward = choice.u64(200..60_000);
        } else if lossy {
            downward = choice.u64(50..1_200);
        }
        for (from, to, limit) in [(client, &broker, upward), (&broker, client, downward)] {
            let (from, to) = (from.try_clone().expect("a handle"), to.try_clone().expect("a handle"));
            let shared = Arc::clone(self);
            std::thread::spawn(move || shared.copy(from, to, limit));
        }
    }

    /// Copies until an end or until `limit` bytes have gone, then closes both sides at once.
    fn copy(&self, mut from: TcpStream, mut to: TcpStream, mut limit: u64) {
        let mut buffer = vec![0; 16 * 1024];
        let _ = from.set_read_timeout(Some(Duration::from_secs(120)));
        while limit > 0 {
            let most = buffer.len().min(usize::try_from(limit).unwrap_or(usize::MAX));
            match from.read(&mut buffer[..most]) {
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    if to.write_all(&buffer[..count]).is_err() {
                        break;
                    }
                    limit -= count as u64;
                }
            }
        }
        if limit == 0 {
            self.cuts.fetch_add(1, Ordering::Relaxed);
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}
