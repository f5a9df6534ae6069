use super::*;

fn inbox_with(bytes: &[u8]) -> Inbox {
    let mut inbox = Inbox::new(1000);
    inbox.room().extend_from_slice(bytes);
    inbox
}

#[test]
fn frames_come_out_whole_and_in_order() {
    let mut inbox = inbox_with(b"\0\0\0\x03abc\0\0\0\x00\0\0\0\x02d");
    assert_eq!(inbox.next_frame().unwrap().unwrap(), "abc");
    assert_eq!(inbox.next_frame().unwrap().unwrap(), "");
    assert_eq!(inbox.next_frame(), Ok(None));
    inbox.room().extend_from_slice(b"e");
    assert_eq!(inbox.next_frame().unwrap().unwrap(), "de");
    assert_eq!(inbox.next_frame(), Ok(None));
}

#[test]
fn lengths_out_of_bounds_are_refused_and_explained() {
    let negative = inbox_with(&(-1i32).to_be_bytes()).next_frame().unwrap_err();
    assert_eq!(negative, BadLength { length: -1, max: 1000 });
    assert!(inbox_with(&1001i32.to_be_bytes()).next_frame().is_err());
    assert!(inbox_with(&1000i32.to_be_bytes()).next_frame().unwrap().is_none());
    let tls = inbox_with(&[0x16, 3, 1, 2]).next_frame().unwrap_err();
    assert!(tls.to_string().contains("TLS"), "{tls}");
    let http = inbox_with(b"GET / HTTP/1.1").next_frame().unwrap_err();
    assert!(http.to_string().contains("HTTP"), "{http}");
}

#[test]
fn a_claimed_length_allocates_nothing_until_bytes_come() {
    let mut inbox = Inbox::new(100 << 20);
    inbox.room().extend_from_slice(&(100i32 << 20).to_be_bytes());
    assert!(inbox.room().capacity() <= 4 * READ_BYTES_MIN);
    let chunk = vec![0; READ_BYTES_MIN];
    for _ in 0..64 {
        inbox.room().extend_from_slice(&chunk);
        let held = inbox.buffer.len();
        assert!(inbox.room().capacity() <= 4 * held.max(READ_BYTES_MIN), "at {held} bytes");
    }
}

#[test]
fn the_buffer_is_used_again_once_its_frame_is_dropped() {
    let mut inbox = Inbox::new(1 << 20);
    let mut frame = 100_000i32.to_be_bytes().to_vec();
    frame.resize(100_004, 7);
    let mut seen = std::collections::HashSet::new();
    for _ in 0..100 {
        for part in frame.chunks(READ_BYTES_MIN) {
            inbox.room().extend_from_slice(part);
        }
        let whole = inbox.next_frame().unwrap().unwrap();
        seen.insert(whole.as_ptr() as usize);
    }
    assert!(seen.len() < 8, "{} buffers for a hundred frames", seen.len());
}

#[test]
fn an_idle_connection_holds_no_buffer() {
    let mut inbox = inbox_with(b"\0\0\0\x01a");
    inbox.release_idle();
    assert_eq!(inbox.next_frame().unwrap().unwrap(), "a", "bytes that came are kept");
    inbox.release_idle();
    assert_eq!(inbox.buffer.capacity(), 0);
}
