use super::{BadEscape, parse};

/// Checks the names and values of a file, in the file's order.
fn check(file: &str, expect: &[(&str, &str)]) {
    let found = parse(file.as_bytes()).expect("the file is well formed");
    let found: Vec<_> = found.iter().map(|p| (p.name.as_str(), p.value.as_str())).collect();
    assert_eq!(found, expect, "in {file:?}");
}

#[test]
fn separators() {
    check(
        "a=1\nb:2\nc 3\nd\t4\ne = 5\nf : 6\ng\n",
        &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "5"), ("f", "6"), ("g", "")],
    );
    check("a==1\nb=:2\nc = = 3\n", &[("a", "=1"), ("b", ":2"), ("c", "= 3")]);
    check("=x\n", &[("", "x")]);
    check("a\\=b\\ c\\:d=e", &[("a=b c:d", "e")]);
}

#[test]
fn comments_and_blank_lines() {
    check("# one\n  ! two\n\n \t\n a=1 # kept\n", &[("a", "1 # kept")]);
    check("# not continued \\\na=1", &[("a", "1")]);
}

#[test]
fn white_space_at_the_end_of_a_value_is_kept() {
    check("a=1  \n", &[("a", "1  ")]);
}

#[test]
fn continuation_lines() {
    check("a=1,\\\n   2,\\\r\n\t3\nb=4", &[("a", "1,2,3"), ("b", "4")]);
    check("a=x\\\\\nb=1", &[("a", "x\\"), ("b", "1")]);
    check("a=x\\\\\\\ny", &[("a", "x\\y")]);
    check("a=1\\\n# not a comment here", &[("a", "1# not a comment here")]);
    check("a=1\\\n\nb=2", &[("a", "1"), ("b", "2")]);
    check("a=1\\", &[("a", "1")]);
    check("\\\n# a comment\na=1\n\\", &[("a", "1")]);
}

#[test]
fn line_endings() {
    check("a=1\rb=2\r\nc=3\n", &[("a", "1"), ("b", "2"), ("c", "3")]);
}

#[test]
fn escapes() {
    check(r"a=\t|\n|\r|\f|\q|\\", &[("a", "\t|\n|\r|\u{c}|q|\\")]);
    check(r"a=\u00e9\ud83d\ude00", &[("a", "é😀")]);
    check(r"log.dirs=C:\kafka", &[("log.dirs", "C:kafka")]);
    assert_eq!(parse(b"a=1\n\nb=\\u12"), Err(BadEscape { line: 3 }));
    assert_eq!(parse(b"a=\\u12zz"), Err(BadEscape { line: 1 }));
}

#[test]
fn latin_1_where_it_is_not_utf_8() {
    check("a=é", &[("a", "é")]);
    let found = parse(b"a=\xe9").expect("every byte is a Latin-1 character");
    assert_eq!(found[0].value, "é");
}

#[test]
fn repeated_names_keep_their_lines() {
    let found = parse(b"a=1\n# c\na=\\\n 2\n").expect("the file is well formed");
    assert_eq!(found.iter().map(|p| p.line).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(found[1].value, "2");
}
