//! Times and durations, parsed and formatted for people. All in UTC.

use std::fmt;

#[cfg(test)]
mod tests;

const SECOND_MS: i64 = 1000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A text that is not a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadTime(String);

impl fmt::Display for BadTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "'{}' is not a time; write 2026-09-01, 2026-09-01T12:30:00, 2026-09-01T12:30:00.500Z, \
             2026-09-01T12:30:00+02:00, milliseconds since 1970, or how long ago: -90s, -15m, -2h, -7d",
            self.0
        )
    }
}

impl std::error::Error for BadTime {}

/// Parses a time as milliseconds since the epoch. `-2h` counts from `now_ms`.
pub(crate) fn parse(text: &str, now_ms: i64) -> Result<i64, BadTime> {
    let bad = || BadTime(text.to_owned());
    let text = text.trim();
    if let Some(ago) = text.strip_prefix('-') {
        let ago = parse_duration_ms(ago).ok_or_else(bad)?;
        return now_ms.checked_sub(ago).ok_or_else(bad);
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_err(|_| bad());
    }
    parse_date_time(text).ok_or_else(bad)
}

/// `500ms`, `90s`, `15m`, `2h` or `7d`, as milliseconds.
pub(crate) fn parse_duration_ms(text: &str) -> Option<i64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => SECOND_MS,
        "m" => MINUTE_MS,
        "h" => HOUR_MS,
        "d" => DAY_MS,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit_ms)
}

fn parse_date_time(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let (year, month, day) = (field(&mut parts, 4)?, field(&mut parts, 2)?, field(&mut parts, 2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    let within_day = match time {
        Some(time) => parse_time_of_day(time)?,
        None => 0,
    };
    Some(days_since_epoch(year, month, day) * DAY_MS + within_day)
}

/// `12:30`, `12:30:15` or `12:30:15.250`, then nothing, `Z`, `+02`, `+0200` or `+02:00`.
fn parse_time_of_day(text: &str) -> Option<i64> {
    let zone_at = text.find(['Z', 'z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at(zone_at);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':');
    let (hour, minute) = (field(&mut parts, 2)?, field(&mut parts, 2)?);
    let second = match parts.next() {
        Some(second) => field(&mut std::iter::once(second), 2)?,
        None => 0,
    };
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let milliseconds = parse_fraction_ms(fraction)?;
    let clock_ms = hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + milliseconds;
    Some(clock_ms - parse_zone_ms(zone)?)
}

fn parse_fraction_ms(digits: &str) -> Option<i64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{digits:0<3}")[..3].parse().ok()
}

fn parse_zone_ms(zone: &str) -> Option<i64> {
    if zone.is_empty() || zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, digits) =
        if let Some(digits) = zone.strip_prefix('+') { (1, digits) } else { (-1, &zone[1..]) };
    let digits = digits.replacen(':', "", 1);
    let (hours, minutes) = match digits.len() {
        2 => (digits.parse::<i64>().ok()?, 0),
        4 => (digits.get(..2)?.parse::<i64>().ok()?, digits.get(2..)?.parse::<i64>().ok()?),
        _ => return None,
    };
    let in_range = (0..=18).contains(&hours) && (0..=59).contains(&minutes);
    in_range.then_some(sign * (hours * HOUR_MS + minutes * MINUTE_MS))
}

fn field<'a>(parts: &mut impl Iterator<Item = &'a str>, digits: usize) -> Option<i64> {
    let part = parts.next()?;
    let well_formed = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
    well_formed.then(|| part.parse().ok())?
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar, counted from March so that the leap day is the
/// last of its year.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_since_epoch`]: year, month, day.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day_of_year - (153 * march_month + 2) / 5 + 1)
}

/// `2026-09-01T12:30:00.500Z` for milliseconds since the epoch.
pub(crate) fn format(timestamp_ms: i64) -> String {
    let (year, month, day) = date_of(timestamp_ms.div_euclid(DAY_MS));
    let within_day = timestamp_ms.rem_euclid(DAY_MS);
    let (hour, minute) = (within_day / HOUR_MS, within_day / MINUTE_MS % 60);
    let (second, ms) = (within_day / SECOND_MS % 60, within_day % SECOND_MS);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}
