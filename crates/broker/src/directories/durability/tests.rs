use runtime::task;

use super::*;

/// A log that was never flushed.
fn unflushed() -> Arc<Durability> {
    Arc::new(Durability::new(Arc::new(LogOffsets::new(0, 0, 0, i64::MAX))))
}

/// Flushes a log and reports that, as the flusher does.
fn flush(news: &FlushNews, log: &Arc<Durability>, offset: i64) {
    log.offsets.raise_flushed(offset);
    news.tell(log, Ok(offset));
}

async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_flushes_is_told_whoever_listens() {
    let news = Arc::new(FlushNews::default());
    let log = unflushed();
    let other = unflushed();
    for round in 0..3 {
        // Before there is a listener, while there is one, and after its end.
        let listener = (round == 1).then(|| task::spawn(Arc::clone(&news).pass_on()));
        for flushed in round * 1_000 + 1..=(round + 1) * 1_000 {
            let waits = [&log, &other].map(|log| {
                let log = Arc::clone(log);
                task::spawn(async move { log.wait(flushed).await })
            });
            let (telling, told) = (Arc::clone(&news), [Arc::clone(&log), Arc::clone(&other)]);
            let flusher = task::spawn_blocking(move || {
                told.iter().for_each(|log| flush(&telling, log, flushed));
            });
            for wait in waits {
                wait.await.unwrap().unwrap();
            }
            flusher.await.unwrap();
        }
        listener.inspect(|listener| listener.abort());
    }
}

#[tokio::test]
async fn who_waits_when_the_listener_ends_is_told() {
    let news = Arc::new(FlushNews::default());
    let log = unflushed();
    let listener = task::spawn(Arc::clone(&news).pass_on());
    let waiting = task::spawn({
        let log = Arc::clone(&log);
        async move { log.wait(1).await }
    });
    settle().await;
    assert!(news.pending.lock().bell.is_some());
    flush(&news, &log, 1);
    // It gets no news any more.
    listener.abort();
    waiting.await.unwrap().unwrap();
    assert!(news.pending.lock().bell.is_none());
}

#[tokio::test]
async fn nobody_is_woken_for_a_flush_that_nobody_waits_for() {
    let news = Arc::new(FlushNews::default());
    let log = unflushed();
    let listener = task::spawn(Arc::clone(&news).pass_on());
    settle().await;
    flush(&news, &log, 1);
    assert!(news.pending.lock().logs.is_empty());
    log.wait(1).await.unwrap();
    assert_eq!(log.waiting.load(Ordering::SeqCst), 0);
    listener.abort();
}
