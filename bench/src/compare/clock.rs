//! The expected time of a comparison: estimated beforehand, corrected by the time that finished work has
//! taken.

use std::time::Instant;

/// The estimates of all and of finished work, in seconds of a quiet machine with two cores.
pub(super) struct Clock {
    begun: Instant,
    estimated_s: f64,
    done_s: f64,
}

/// Before this much is done, the elapsed time says little.
const TELLING_S: f64 = 30.0;

impl Clock {
    /// Starts the clock.
    pub(super) fn new(estimated_s: f64) -> Clock {
        Clock { begun: Instant::now(), estimated_s, done_s: 0.0 }
    }

    /// Notes finished work with this estimate.
    pub(super) fn done(&mut self, estimated_s: f64) {
        self.done_s += estimated_s;
    }

    /// The start of a line of progress: the elapsed and the remaining time.
    pub(super) fn text(&self) -> String {
        let elapsed_s = self.begun.elapsed().as_secs_f64();
        let left_s = left_s(self.estimated_s, self.done_s, elapsed_s);
        format!("[{} gone, about {} left]", minutes(elapsed_s), minutes(left_s))
    }
}

fn left_s(estimated_s: f64, done_s: f64, elapsed_s: f64) -> f64 {
    let pace = if done_s < TELLING_S { 1.0 } else { elapsed_s / done_s };
    (estimated_s - done_s).max(0.0) * pace
}

/// A time for people.
pub(super) fn minutes(seconds: f64) -> String {
    match seconds {
        short if short < 90.0 => format!("{short:.0} s"),
        long if long < 5_400.0 => format!("{:.0} min", long / 60.0),
        _ => format!("{:.1} h", seconds / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::{left_s, minutes};

    #[test]
    fn what_is_left_follows_the_pace() {
        assert!((left_s(600.0, 10.0, 100.0) - 590.0).abs() < 1e-9, "too early to tell");
        assert!((left_s(600.0, 100.0, 200.0) - 1_000.0).abs() < 1e-9);
        assert!(left_s(600.0, 700.0, 900.0).abs() < 1e-9);
    }

    #[test]
    fn times_are_short() {
        assert_eq!([minutes(12.3), minutes(600.0), minutes(7_200.0)], ["12 s", "10 min", "2.0 h"]);
    }
}
