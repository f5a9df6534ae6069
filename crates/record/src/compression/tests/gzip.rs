use super::*;

/// A member with those flags, the optional fields that they announce, and `input` deflated.
fn member(flags: u8, announced: &[u8], input: &[u8]) -> Vec<u8> {
    let plain = compressed(Compression::Gzip, input);
    [&plain[..3], &[flags], &plain[4..10], announced, &plain[10..]].concat()
}

#[test]
fn optional_header_fields_are_passed_over() {
    let extra = [&3_u16.to_le_bytes()[..], b"abc"].concat();
    reads(Compression::Gzip, &member(0x01, b"", b"text"), b"text");
    reads(Compression::Gzip, &member(0x04, &extra, b"text"), b"text");
    reads(Compression::Gzip, &member(0x08, b"name\0", b"text"), b"text");
    reads(Compression::Gzip, &member(0x10, b"\0", b"text"), b"text");
    reads(Compression::Gzip, &member(0x1c, &[&extra[..], b"name\0remark\0"].concat(), b"text"), b"text");
}

#[test]
fn optional_header_fields_that_do_not_end_are_refused() {
    refuses(Compression::Gzip, &member(0x04, &[0xff, 0xff], b"text"));
    refuses(Compression::Gzip, &member(0x08, b"name", b"")[..14]);
    refuses(Compression::Gzip, &member(0x18, b"name\0remark", b"")[..21]);
    refuses(Compression::Gzip, &member(0x02, b"", b"")[..11]);
    refuses(Compression::Gzip, &member(0x04, b"", b"")[..11]);
}

#[test]
fn the_headers_checksum_is_compared() {
    let header = &member(0x0a, b"name\0", b"text")[..15];
    let crc = crc_fast::crc32_iso_hdlc(header) as u16;
    let with = |crc: u16| member(0x0a, &[b"name\0", &crc.to_le_bytes()[..]].concat(), b"text");
    reads(Compression::Gzip, &with(crc), b"text");
    refuses(Compression::Gzip, &with(crc ^ 1));
}

#[test]
fn a_header_of_something_else_is_refused() {
    let good = compressed(Compression::Gzip, b"text");
    for (at, with) in [(0, 0x1e), (1, 0x8c), (2, 7), (3, 0x20), (3, 0x40), (3, 0x80)] {
        let mut bad = good.clone();
        bad[at] = with;
        refuses(Compression::Gzip, &bad);
    }
}

#[test]
fn the_trailer_is_compared() {
    let good = compressed(Compression::Gzip, b"text");
    for at in good.len() - 8..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        refuses(Compression::Gzip, &bad);
    }
}

#[test]
fn members_follow_one_another() {
    let members = [compressed(Compression::Gzip, b"one, "), compressed(Compression::Gzip, b"two")].concat();
    reads(Compression::Gzip, &members, b"one, two");
    refuses(Compression::Gzip, &members[..members.len() - 1]);
    reads(Compression::Gzip, &compressed(Compression::Gzip, b"").repeat(1000), b"");
}

#[test]
fn the_limit_holds_for_all_members_together() {
    let members = compressed(Compression::Gzip, &[0; 1000]).repeat(5);
    assert!(Scratch::new().decompress(Compression::Gzip, &members, 5000).is_ok());
    let refused = Scratch::new().decompress(Compression::Gzip, &members, 4999).map(<[u8]>::len);
    assert_eq!(refused, Err(DecompressError::TooLarge { max_bytes: 4999 }));
}
