//! `name=value` arguments.

/// Splits at the first `=`. Spaces around both parts do not count.
pub(crate) fn parse(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("write name=value, for example retention.ms=86400000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn pairs() {
        assert_eq!(parse("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(parse(" a = "), Ok(("a".to_owned(), String::new())));
        assert!(parse("a").is_err() && parse("=b").is_err());
    }
}
