use super::*;
use crate::records::record_at;

fn field(out: &mut Vec<u8>, bytes: Option<usize>) {
    varint::write_i32(out, bytes.map_or(-1, |bytes| bytes as i32));
    out.extend(vec![b'x'; bytes.unwrap_or(0)]);
}

/// A record with those fields behind its length.
fn record(key: Option<usize>, value: Option<usize>, headers: &[(usize, Option<usize>)]) -> Vec<u8> {
    let mut body = vec![0];
    varint::write_i64(&mut body, -300);
    varint::write_i32(&mut body, 7);
    field(&mut body, key);
    field(&mut body, value);
    varint::write_i32(&mut body, headers.len() as i32);
    for (key, value) in headers {
        field(&mut body, Some(*key));
        field(&mut body, *value);
    }
    let mut record = Vec::new();
    varint::write_i32(&mut record, body.len() as i32);
    record.extend(body);
    record
}

/// The outcome for a record in pieces of so many bytes: the number of bytes seen, or the fault.
fn passes(bytes: &[u8], piece_bytes: usize) -> Result<(usize, bool), RecordFault> {
    let shown = bytes.len().min(LONG_BYTES);
    let (mut long, mut at) = LongRecord::begin(&bytes[..shown])?;
    let mut shown = shown;
    loop {
        let (seen, complete) = long.pass(&bytes[at..shown])?;
        at += seen;
        if complete {
            assert_eq!((long.offset_delta, long.timestamp_delta), (7, -300));
            return Ok((at, long.has_key));
        }
        assert!(shown - at < VARINT_BYTES_MAX, "no more is kept than a number");
        if shown == bytes.len() {
            return Err(RecordFault::Truncated);
        }
        shown = bytes.len().min(shown + piece_bytes);
    }
}

/// The same for a reader that has all of it.
fn reads(bytes: &[u8]) -> Result<(usize, bool), RecordFault> {
    record_at(bytes, 0).map(|record| (record.end, record.key.is_some()))
}

#[test]
fn it_is_read_as_if_it_were_all_there() {
    let long = Some(LONG_BYTES);
    let records = [
        record(long, None, &[]),
        record(None, long, &[(3, Some(4)), (0, None)]),
        record(Some(3), Some(0), &[(LONG_BYTES, long)]),
        record(None, None, &[(2, Some(3)); 20_000]),
    ];
    for mut bytes in records {
        bytes.extend_from_slice(b"what follows");
        for piece_bytes in [1, 2, 5, 4096, usize::MAX / 2] {
            assert_eq!(passes(&bytes, piece_bytes), reads(&bytes), "{piece_bytes}");
        }
    }
}

#[test]
fn it_is_refused_as_if_it_were_all_there() {
    let mut random = fastrand::Rng::with_seed(12);
    let good = record(Some(4), Some(LONG_BYTES), &[(2, Some(3)), (4, None)]);
    let (head, tail) = (14, good.len() - 24);
    for _ in 0..20_000 {
        let mut bad = good.clone();
        for _ in 0..random.usize(1..3) {
            // The fields in front of the offset delta are read the same way by both.
            let at = if random.bool() { random.usize(7..head) } else { random.usize(tail..good.len()) };
            bad[at] = random.u8(..);
        }
        let (passed, read) = (passes(&bad, 1 + random.usize(..64)), reads(&bad));
        // Either fault of a header with two may be named.
        assert!(passed == read || (passed.is_err() && read.is_err()), "{passed:?} and {read:?}");
    }
}
