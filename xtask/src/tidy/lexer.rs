//! The part of Rust's grammar that the rules need: code, comments and literals.

/// The code of a file with every comment and literal blanked out, line by line.
pub(super) fn code_of(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_or_comment(bytes, at);
        if end == at {
            let next = text[at..].chars().next().expect("there is text left");
            code.push(next);
            at += next.len_utf8();
        } else {
            code.extend(text[at..end].chars().map(|it| if it == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

/// The end of the comment or literal that starts at `at`, or `at` if none does.
fn literal_or_comment(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let after_word = at > 0 && is_word(bytes[at - 1]);
    match rest {
        [b'/', b'/', ..] => at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment(bytes, at),
        [b'"', ..] => string(bytes, at),
        [b'r', b'"' | b'#', ..] if !after_word => raw_string(bytes, at, at + 1),
        [b'b', b'r', b'"' | b'#', ..] if !after_word => raw_string(bytes, at, at + 2),
        [b'\'', b'\\', ..] => at + 3 + rest[3..].iter().position(|byte| *byte == b'\'').unwrap_or(0),
        [b'\'', first, ..] => {
            // A character of up to four bytes is followed by a quote; a lifetime is not.
            let width = match first {
                0..0x80 => 1,
                0x80..0xE0 => 2,
                0xE0..0xF0 => 3,
                _ => 4,
            };
            if rest.get(1 + width) == Some(&b'\'') { at + 2 + width } else { at }
        }
        _ => at,
    }
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

fn block_comment(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                at += 2;
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// A raw string whose hashes start at `hashes`; a raw identifier is none.
fn raw_string(bytes: &[u8], start: usize, hashes: usize) -> usize {
    let count = bytes[hashes..].iter().take_while(|byte| **byte == b'#').count();
    if bytes.get(hashes + count) != Some(&b'"') {
        return start;
    }
    let mut end = vec![b'"'];
    end.extend(std::iter::repeat_n(b'#', count));
    let body = hashes + count + 1;
    let found = bytes[body..].windows(end.len()).position(|window| window == end);
    found.map_or(bytes.len(), |place| body + place + end.len())
}

/// Functions and modules: the line of the keyword, the name, and the line of the closing brace.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) name: String,
    pub(super) first_line: usize,
    pub(super) last_line: usize,
}

/// The blocks that a keyword opens (`fn`, `mod`), including nested ones, in code without literals.
pub(super) fn blocks(code: &str, keyword: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let bytes = code.as_bytes();
    for (at, _) in code.match_indices(keyword) {
        let end = at + keyword.len();
        let alone =
            (at == 0 || !is_word(bytes[at - 1])) && bytes.get(end).is_some_and(u8::is_ascii_whitespace);
        let name: String =
            code[end..].trim_start().chars().take_while(|it| *it == '_' || it.is_alphanumeric()).collect();
        if !alone || name.is_empty() {
            continue;
        }
        if let Some(close) = closing_brace(bytes, end) {
            let line = |place: usize| 1 + bytes[..place].iter().filter(|byte| **byte == b'\n').count();
            found.push(Block { name, first_line: line(at), last_line: line(close) });
        }
    }
    found
}

/// The end of the block whose head starts here; `None` if a semicolon ends the head.
fn closing_brace(bytes: &[u8], from: usize) -> Option<usize> {
    let mut depth = 0;
    let mut brackets = 0;
    for (at, byte) in bytes.iter().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets -= 1,
            b';' if depth == 0 && brackets == 0 => return None,
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_comments_are_blank() {
        let text =
            "let a = \"fn b() {\"; // fn c() {\nlet d = '{'; /* { /* } */ */ let e: &'static str = r#\"}\"#;";
        let code = code_of(text);
        assert_eq!(code.lines().count(), 2);
        assert!(!code.contains(['{', '}', '"']), "{code}");
        assert!(code.contains("let e: &'static str ="), "{code}");
    }

    #[test]
    fn functions_end_at_their_brace() {
        let text = "trait T {\n fn a(x: [u8; 4]);\n fn b() {\n  if x { y }\n }\n}\nfn c<'a>() -> &'a str {\n \"}\"\n}\n";
        let found = blocks(&code_of(text), "fn");
        let found: Vec<_> = found.iter().map(|it| (it.name.as_str(), it.first_line, it.last_line)).collect();
        assert_eq!(found, [("b", 3, 5), ("c", 7, 9)]);
    }
}
