//! Reading responses.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use parking_lot::Mutex;
use protocol::frame::{LENGTH_BYTES, peek_correlation_id};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::pending::AnswerQueue;

/// The least and the most that is reserved for bytes that have not arrived yet.
const RESERVE_BYTES: std::ops::RangeInclusive<usize> = 4 << 10..=1 << 20;

/// Gives each response to the request that waits for it, until the connection ends. Then all waiting ends.
pub(super) async fn read_all<S>(mut socket: S, response_bytes_max: usize, pending: Arc<Mutex<AnswerQueue>>)
where
    S: AsyncRead + Unpin,
{
    let mut buffer = BytesMut::new();
    let reason = loop {
        let frame = match read_frame(&mut socket, &mut buffer, response_bytes_max).await {
            Ok(frame) => frame,
            Err(reason) => break reason,
        };
        let answered = match peek_correlation_id(&frame) {
            Ok(correlation_id) => pending.lock().answer(correlation_id, frame),
            Err(_) => false,
        };
        if !answered {
            break "the broker sent a response that answers no request".to_owned();
        }
    };
    pending.lock().close(&reason);
}

/// The next response without its length; bytes after it stay in `buffer`. The error is the reason why the
/// connection ended.
async fn read_frame<S>(
    socket: &mut S,
    buffer: &mut BytesMut,
    response_bytes_max: usize,
) -> Result<Bytes, String>
where
    S: AsyncRead + Unpin,
{
    loop {
        let missing = match buffer.first_chunk::<LENGTH_BYTES>() {
            None => LENGTH_BYTES - buffer.len(),
            Some(&length) => {
                let length = i32::from_be_bytes(length);
                let length = usize::try_from(length).ok().filter(|&length| length <= response_bytes_max);
                let Some(length) = length else {
                    return Err(format!(
                        "a response announced {} bytes; the limit is {response_bytes_max}",
                        buffer.as_ref().get_i32()
                    ));
                };
                match (LENGTH_BYTES + length).checked_sub(buffer.len()) {
                    None | Some(0) => {
                        buffer.advance(LENGTH_BYTES);
                        return Ok(buffer.split_to(length).freeze());
                    }
                    Some(missing) => missing,
                }
            }
        };
        // Memory grows with the bytes that arrived, not with those that were announced.
        let growth = buffer.len().clamp(*RESERVE_BYTES.start(), *RESERVE_BYTES.end());
        buffer.reserve(missing.clamp(*RESERVE_BYTES.start(), growth.max(*RESERVE_BYTES.start())));
        match socket.read_buf(buffer).await {
            Ok(0) => return Err("the broker closed it".to_owned()),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}
