//! Parallel work on many partitions. Most of it waits for the disk, and the disk serves waiting requests
//! together.

use parking_lot::Mutex;
use runtime::task;

/// The most threads that work at once.
const THREADS_MAX: usize = 16;

/// The number of items that are worth the start of a thread.
const ITEMS_PER_THREAD: usize = 4;

/// Calls `work` on each of `items`, several at a time, and returns the results in their order. Blocks.
pub(crate) fn map<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = THREADS_MAX.min(items.len().div_ceil(ITEMS_PER_THREAD));
    if threads < 2 {
        return items.into_iter().map(work).collect();
    }
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let left = Mutex::new(items.into_iter().enumerate());
    task::run_beside("milena-beside", threads - 1, || {
        let next = || left.lock().next();
        while let Some((place, item)) = next() {
            let result = work(item);
            done.lock().push((place, result));
        }
    });
    let mut done = done.into_inner();
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Barrier;

    use parking_lot::Mutex;

    use super::{THREADS_MAX, map};

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for len in [0, 1, 3, 8, 1_000] {
            let items: Vec<usize> = (0..len).collect();
            assert_eq!(map(items, |item| item * 2), (0..len).map(|item| item * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn many_items_are_worked_on_at_once_and_few_by_the_caller() {
        let (all_are_here, threads) = (Barrier::new(THREADS_MAX), Mutex::new(BTreeSet::new()));
        map((0..THREADS_MAX * 4).collect(), |item: usize| {
            threads.lock().insert(format!("{:?}", std::thread::current().id()));
            if item < THREADS_MAX {
                all_are_here.wait();
            }
        });
        assert_eq!(threads.lock().len(), THREADS_MAX);
        let this = std::thread::current().id();
        map(vec![(), ()], |()| assert_eq!(std::thread::current().id(), this));
    }
}
