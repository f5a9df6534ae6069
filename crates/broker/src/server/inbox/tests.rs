use super::*;

fn put(inbox: &mut Inbox, bytes: &[u8]) {
    inbox.room().put_slice(bytes);
}

fn capacity(inbox: &mut Inbox) -> usize {
    let _ = inbox.room();
    inbox.buffer.capacity()
}

fn inbox_with(bytes: &[u8]) -> Inbox {
    let mut inbox = Inbox::new(1000);
    put(&mut inbox, bytes);
    inbox
}

#[test]
fn frames_come_out_whole_and_in_order() {
    let mut inbox = inbox_with(b"\0\0\0\x03abc\0\0\0\x00\0\0\0\x02d");
    assert_eq!(inbox.next_frame().unwrap().unwrap(), "abc");
    assert_eq!(inbox.next_frame().unwrap().unwrap(), "");
    assert_eq!(inbox.next_frame(), Ok(None));
    put(&mut inbox, b"e");
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
    put(&mut inbox, &(100i32 << 20).to_be_bytes());
    assert!(capacity(&mut inbox) <= 4 * READ_BYTES_MIN);
    let chunk = vec![0; READ_BYTES_MIN];
    for _ in 0..64 {
        put(&mut inbox, &chunk);
        let held = inbox.buffer.len();
        assert!(capacity(&mut inbox) <= 4 * held.max(READ_BYTES_MIN), "at {held} bytes");
    }
}

#[test]
fn the_buffer_is_used_again_once_its_frame_is_dropped() {
    let mut inbox = Inbox::new(1 << 20);
    let mut frame = 100_000i32.to_be_bytes().to_vec();
    frame.resize(100_004, 7);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        for part in frame.chunks(READ_BYTES_MIN) {
            put(&mut inbox, part);
        }
        let whole = inbox.next_frame().unwrap().unwrap();
        seen.insert(whole.as_ptr() as usize);
    }
    assert!(seen.len() < 8, "{} buffers for a hundred frames", seen.len());
}

/// Gives the inbox as much of `sent` as it has space for, like a socket that has received all of it.
fn read(inbox: &mut Inbox, sent: &mut &[u8]) {
    let mut room = inbox.room();
    let count = room.remaining_mut().min(sent.len());
    room.put_slice(&sent[..count]);
    *sent = &sent[count..];
    let _ = room;
}

#[test]
fn long_frames_of_a_known_length_are_read_to_where_they_stay() {
    const LENGTH: usize = 1_000_000;
    let mut sent = Vec::new();
    for _ in 0..20 {
        sent.extend((LENGTH as i32).to_be_bytes());
        sent.resize(sent.len() + LENGTH, 7);
    }
    let mut sent = &sent[..];
    let mut inbox = Inbox::new(1 << 20);
    let mut reads = Vec::new();
    for _ in 0..20 {
        let mut count = 0;
        // The address of the frame when there is space for all of it, and when it is returned.
        let mut begin = std::ptr::null();
        let frame = loop {
            if let Some(frame) = inbox.next_frame().unwrap() {
                break frame;
            }
            read(&mut inbox, &mut sent);
            count += 1;
            if count == 1 {
                begin = inbox.buffer.as_ptr().wrapping_add(LENGTH_BYTES);
            }
        };
        assert_eq!(frame.len(), LENGTH);
        assert!(inbox.buffer.len() <= NEXT_BYTES, "{} bytes to be moved", inbox.buffer.len());
        reads.push((count, frame.as_ptr() == begin));
    }
    assert!(reads[2..].iter().all(|read| *read == (1, true)), "{reads:?}");
    let announced = (100i32 << 20).to_be_bytes();
    inbox.frame_bytes_max = 100 << 20;
    put(&mut inbox, &announced);
    assert!(capacity(&mut inbox) <= 4 * LENGTH);
}

#[test]
fn an_idle_connection_holds_no_buffer() {
    let mut inbox = inbox_with(b"\0\0\0\x01a");
    inbox.release_idle();
    assert_eq!(inbox.next_frame().unwrap().unwrap(), "a", "bytes that came are kept");
    inbox.release_idle();
    assert_eq!(inbox.buffer.capacity(), 0);
}
