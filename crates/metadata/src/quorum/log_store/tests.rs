use openraft::type_config::TypeConfigExt;

use super::*;

#[test]
fn who_waits_is_told_once_the_log_is_durable_that_far() {
    let waiting = Mutex::new(PendingAppends::default());
    let mut told = Vec::new();
    for end_offset in [5, 7, 9] {
        let (sender, receiver) = Types::oneshot();
        waiting.lock().0.push_back((end_offset, IOFlushed::signal(sender)));
        told.push(receiver);
    }
    let mut is_told = |nth: usize| told[nth].try_recv().is_ok_and(|result| result.is_ok());
    tell(&waiting, || Ok(4));
    assert!(!is_told(0));
    tell(&waiting, || Ok(7));
    assert!(is_told(0) && is_told(1) && !is_told(2));
    tell(&waiting, || Ok(9));
    assert!(is_told(2));
    tell(&waiting, || Ok(20));
}
