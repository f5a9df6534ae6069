//! Curves and bars as SVG that takes its colours from the page.

use std::fmt::Write;

const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 210.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 34.0;
/// Height of a bar with its gap.
const BAR: f64 = 15.0;

/// A curve.
pub(super) struct Curve<'a> {
    /// The index of the page's colour.
    pub(super) color: usize,
    pub(super) name: &'a str,
    pub(super) points: Vec<(f64, f64)>,
}

/// An axis from its least to its greatest value.
struct Axis {
    least: f64,
    greatest: f64,
    is_log: bool,
    from: f64,
    to: f64,
}

impl Axis {
    fn new(values: impl Iterator<Item = f64>, is_log: bool, from: f64, to: f64) -> Axis {
        let values = values.filter(|value| !is_log || *value > 0.0);
        let (least, greatest) = values
            .fold((f64::MAX, f64::MIN), |(least, greatest), value| (least.min(value), greatest.max(value)));
        if least > greatest {
            return Axis { least: 1.0, greatest: 10.0, is_log, from, to };
        }
        if is_log {
            // From one power of ten to another.
            let (least, greatest) =
                (10_f64.powf(least.log10().floor()), 10_f64.powf(greatest.log10().ceil()));
            let greatest = if greatest > least { greatest } else { least * 10.0 };
            return Axis { least, greatest, is_log, from, to };
        }
        Axis { least: 0.0, greatest: greatest.max(f64::MIN_POSITIVE) * 1.05, is_log, from, to }
    }

    fn place(&self, value: f64) -> f64 {
        let share = if self.is_log {
            (value.max(self.least) / self.least).log10() / (self.greatest / self.least).log10()
        } else {
            (value - self.least) / (self.greatest - self.least)
        };
        self.from + share * (self.to - self.from)
    }

    fn ticks(&self) -> Vec<f64> {
        if self.is_log {
            let first = self.least.log10().round() as i32;
            let last = self.greatest.log10().round() as i32;
            let step = ((last - first) / 5).max(1);
            return (first..=last).step_by(step as usize).map(|power| 10_f64.powi(power)).collect();
        }
        let rough = self.greatest / 4.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].iter().map(|it| it * power).find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        (0..=(self.greatest / step) as usize).map(|nth| nth as f64 * step).collect()
    }
}

/// A number on an axis: 10 k, 2.5, 0.01.
fn tick(value: f64) -> String {
    let (value, unit) = match value {
        _ if value >= 1e6 => (value / 1e6, " M"),
        _ if value >= 1e3 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{unit}")
}

/// Curves over a common horizontal axis.
pub(super) fn curves(curves: &[Curve<'_>], along: &str, unit: &str, log: (bool, bool)) -> String {
    let points = || curves.iter().flat_map(|curve| curve.points.iter().copied());
    let x = Axis::new(points().map(|(x, _)| x), log.0, LEFT, WIDTH - RIGHT);
    let y = Axis::new(points().map(|(_, y)| y), log.1, HEIGHT - BOTTOM, TOP);
    let mut svg =
        format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{unit} along {along}\">");
    for value in y.ticks() {
        let at = y.place(value);
        let _ = write!(svg, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{:.1}\"/>", WIDTH - RIGHT);
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" class=\"end\">{}</text>",
            LEFT - 5.0,
            at + 3.5,
            tick(value)
        );
    }
    for value in x.ticks() {
        let at = x.place(value);
        let _ = write!(
            svg,
            "<text x=\"{at:.1}\" y=\"{:.1}\" class=\"mid\">{}</text>",
            HEIGHT - BOTTOM + 14.0,
            tick(value)
        );
    }
    let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
    let _ = write!(svg, "<text x=\"{middle:.1}\" y=\"{:.1}\" class=\"mid\">{along}</text>", HEIGHT - 5.0);
    for curve in curves.iter().rev() {
        let places = curve.points.iter().map(|(a, b)| format!("{:.1},{:.1}", x.place(*a), y.place(*b)));
        let places: Vec<_> = places.collect();
        let _ = write!(
            svg,
            "<polyline class=\"s{}\" points=\"{}\"><title>{}</title></polyline>",
            curve.color,
            places.join(" "),
            curve.name
        );
        for ((a, b), place) in curve.points.iter().zip(&places) {
            let (at_x, at_y) = place.split_once(',').expect("made above");
            let (a, b) = (tick(*a), tick(*b));
            let _ = write!(
                svg,
                "<circle class=\"s{}\" cx=\"{at_x}\" cy=\"{at_y}\" r=\"2.2\"><title>{}: {b} {unit} at {a}</title></circle>",
                curve.color, curve.name
            );
        }
    }
    svg + "</svg>"
}

/// A bar: its length with the range around the median, and the text beside it.
pub(super) struct Bar<'a> {
    pub(super) color: usize,
    pub(super) name: &'a str,
    pub(super) value: f64,
    pub(super) range: [f64; 2],
    pub(super) text: String,
}

/// A group of bars and their unit.
pub(super) struct Bars<'a> {
    pub(super) name: &'a str,
    pub(super) bars: Vec<Bar<'a>>,
}

/// Horizontal bars with their ranges, each group with its own heading and all with one scale.
pub(super) fn bars(groups: &[Bars<'_>]) -> String {
    let all = groups.iter().flat_map(|group| &group.bars);
    let longest = all.map(|bar| bar.range[1]).fold(f64::MIN_POSITIVE, f64::max);
    let lines = groups.iter().map(|group| group.bars.len() as f64 + 1.6).sum::<f64>();
    let place = |value: f64| (value / longest * (WIDTH - 150.0)).max(1.0);
    let mut svg =
        format!("<svg viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" aria-label=\"bars\">", lines * BAR);
    let mut top = 0.0;
    for group in groups {
        let _ = write!(svg, "<text x=\"0\" y=\"{:.1}\" class=\"head\">{}</text>", top + BAR, group.name);
        top += BAR * 1.3;
        for Bar { color, name, value, range, text } in &group.bars {
            let (width, [least, greatest]) = (place(*value), range.map(place));
            let middle = top + BAR / 2.0 - 0.5;
            let _ = write!(
                svg,
                "<rect class=\"s{color}\" x=\"0\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\" rx=\"2\"/>\
                 <path class=\"range\" d=\"M{least:.1} {middle:.1}H{greatest:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\">{name} {text}</text>",
                top + 1.0,
                BAR - 3.0,
                width.max(greatest) + 5.0,
                top + BAR - 4.5
            );
            top += BAR;
        }
        top += BAR * 0.3;
    }
    svg + "</svg>"
}

const STRIP_WIDTH: f64 = 150.0;
const STRIP_HEIGHT: f64 = 20.0;
/// Doublings on either side of a goal; values further away are drawn at the end.
const DOUBLINGS: f64 = 5.0;

/// The degree to which a goal is reached: a dot with its range on a scale of doublings, and the goal, which
/// is 1, in its middle.
pub(super) fn strip(median: f64, range: [f64; 2], is_reached: bool) -> String {
    let place = |value: f64| {
        let doublings = value.max(f64::MIN_POSITIVE).log2().clamp(-DOUBLINGS, DOUBLINGS);
        STRIP_WIDTH / 2.0 + doublings / DOUBLINGS * (STRIP_WIDTH / 2.0 - 5.0)
    };
    let (middle, low) = (STRIP_WIDTH / 2.0, STRIP_HEIGHT / 2.0);
    let class = if is_reached { "sgood" } else { "sbad" };
    let [from, to] = range.map(place);
    format!(
        "<svg viewBox=\"0 0 {STRIP_WIDTH} {STRIP_HEIGHT}\" role=\"img\" aria-label=\"{median:.2} times the goal\">\
         <line class=\"goal\" x1=\"{middle}\" x2=\"{middle}\" y1=\"1\" y2=\"{STRIP_HEIGHT}\"/>\
         <line class=\"{class}\" x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{low}\" y2=\"{low}\"/>\
         <circle class=\"{class}\" cx=\"{:.1}\" cy=\"{low}\" r=\"3.4\"/></svg>",
        place(median)
    )
}

#[cfg(test)]
mod tests {
    use super::{Axis, tick};

    #[test]
    fn axes_place_their_ends() {
        let axis = Axis::new([1_000.0, 50_000.0].into_iter(), true, 0.0, 100.0);
        assert_eq!(axis.ticks(), [1e3, 1e4, 1e5]);
        assert!((axis.place(1e3) - 0.0).abs() < 1e-9 && (axis.place(1e5) - 100.0).abs() < 1e-9);
        let axis = Axis::new([0.0, 10.0].into_iter(), false, 100.0, 0.0);
        assert_eq!(axis.ticks(), [0.0, 5.0, 10.0]);
        assert!(axis.place(10.0) < 10.0);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([tick(0.01), tick(2.5), tick(10_000.0), tick(4e6)], ["0.01", "2.5", "10 k", "4 M"]);
    }
}
