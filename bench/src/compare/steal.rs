//! The processors' time that others took: on a virtual machine, the host gives some of it to other machines.

use std::fs;

use super::Comparison;

/// A round in which the host took a larger share of the processors' time is repeated.
const SHARE_MAX: f64 = 0.1;

/// The processors' times since the machine started, in ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ticks {
    stolen: u64,
    all: u64,
}

impl Ticks {
    fn now() -> Option<Ticks> {
        Ticks::of(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// `cpu  user nice system idle iowait irq softirq steal guest guest_nice`; a guest's time is in that of its user.
    fn of(stat: &str) -> Option<Ticks> {
        let fields = stat.lines().next()?.split_whitespace().skip(1).take(8);
        let fields = fields.map(|field| field.parse().ok()).collect::<Option<Vec<u64>>>()?;
        Some(Ticks { stolen: *fields.get(7)?, all: fields.iter().sum() })
    }

    fn share_since(self, before: Ticks) -> f64 {
        (self.stolen - before.stolen) as f64 / (self.all - before.all).max(1) as f64
    }
}

/// Makes every broker take a workload in turns, and repeats that if the host took so much that the results
/// would be about the host. The results of the first time are discarded then.
pub(super) fn undisturbed(comparison: &mut Comparison, mut turns: impl FnMut(&mut Comparison)) {
    let (results, before) = (comparison.results.clone(), Ticks::now());
    turns(comparison);
    let share = before.zip(Ticks::now()).map_or(0.0, |(before, now)| now.share_since(before));
    if share > SHARE_MAX {
        println!("  once more: the host took {:.0} % of the processors", share * 100.0);
        comparison.results = results;
        turns(comparison);
    }
}

#[cfg(test)]
mod tests {
    use super::Ticks;

    #[test]
    fn what_was_stolen_is_a_share_of_all() {
        let before = Ticks::of("cpu  100 0 100 700 0 0 0 100 50 0\ncpu0 1 2 3\n").expect("ticks");
        assert_eq!(before, Ticks { stolen: 100, all: 1_000 });
        let now = Ticks::of("cpu  150 0 150 700 0 0 0 200 70 0\n").expect("ticks");
        assert!((now.share_since(before) - 0.5).abs() < 1e-9);
        assert_eq!(Ticks::of("intr 12"), None);
    }
}
