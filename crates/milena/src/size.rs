//! Sizes, formatted for people.

/// Bytes, formatted for people.
pub(crate) fn bytes_shown(bytes: i64) -> String {
    let mut amount = bytes as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if amount < 1024.0 {
            break;
        }
        amount /= 1024.0;
        unit = larger;
    }
    if unit == "B" || amount >= 100.0 { format!("{amount:.0} {unit}") } else { format!("{amount:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::bytes_shown;

    #[test]
    fn sizes() {
        let shown: Vec<String> = [0, 1023, 1024, 1536, 10 << 20, 900 << 30].map(bytes_shown).to_vec();
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "10.0 MiB", "900 GiB"]);
    }
}
