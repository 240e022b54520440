//! Framing: u32 length, i32 message id, payload; integers are big-endian, and the length counts id and payload.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::messages::ErrorMessage;
use super::messages::reply_kind;

/// What a client may send at most in one frame: its requests are a few hundred bytes.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// What the protocol allows in one frame.
pub(super) const MAX_FRAME_BYTES: u32 = 0x00FF_FFFF;

/// The wire id of a protobuf message is its kind plus this.
const PROTOBUF_MESSAGE_ID: u32 = 200;

/// First bytes of every connection.
const HELLO: &[u8; 4] = b"API\0";

/// A request as it came: its kind and its undecoded payload.
#[derive(Debug)]
pub(super) struct RequestFrame {
    /// Kind of the message, the wire id less 200.
    pub(super) kind: u32,
    /// Protobuf payload.
    pub(super) payload: Bytes,
}

/// Encodes a message with its length and id.
pub(super) fn frame(kind: u32, message: &impl Message) -> Bytes {
    let length = 4 + message.encoded_len();
    let mut buffer = BytesMut::with_capacity(4 + length);
    buffer.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    buffer.put_u32(kind + PROTOBUF_MESSAGE_ID);
    // Writing into a growing buffer has no way to fail but memory.
    let _ = message.encode(&mut buffer);
    buffer.freeze()
}

/// Encodes an error or notice; `id` is -1 where it belongs to no request, and is always written.
pub(super) fn error_frame(id: i32, code: i32, text: &str, at_ms: i64) -> Bytes {
    let error = ErrorMessage {
        id: Some(id),
        error_time: Some(at_ms),
        error_code: Some(code),
        error_msg: Some(text.to_owned()),
    };
    frame(reply_kind::ERROR, &error)
}

/// Encodes the answer to the hello: version and connection time, two NUL-ended fields without a message id.
pub(super) fn acknowledgement(version: i32, connection_time: &str) -> Bytes {
    let body = format!("{version}\0{connection_time}\0");
    let mut buffer = BytesMut::with_capacity(4 + body.len());
    buffer.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
    buffer.put_slice(body.as_bytes());
    buffer.freeze()
}

/// Reads the hello, and gives the lowest and highest version the client speaks.
pub(super) async fn read_hello(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(i32, i32)> {
    let mut magic = [0; 4];
    stream.read_exact(&mut magic).await?;
    if &magic != HELLO {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the client does not begin with API"));
    }
    let body = read_block(stream).await?;
    let text = String::from_utf8_lossy(&body);
    // Behind the versions, a client may append a space and its connection options.
    let versions = text.trim_start_matches('v').split(' ').next().unwrap_or_default();
    let (low, high) = versions.split_once("..").unwrap_or((versions, versions));
    match (low.parse(), high.parse()) {
        (Ok(low), Ok(high)) => Ok((low, high)),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the client's hello names no versions")),
    }
}

/// Reads one request.
pub(super) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<RequestFrame> {
    let mut body = Bytes::from(read_block(stream).await?);
    if body.len() < 4 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame shorter than its message id"));
    }
    let id = bytes::Buf::get_u32(&mut body);
    Ok(RequestFrame { kind: id.saturating_sub(PROTOBUF_MESSAGE_ID), payload: body })
}

async fn read_block(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = usize::try_from(stream.read_u32().await?).unwrap_or(usize::MAX);
    if length > MAX_REQUEST_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame larger than any request"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::super::messages::NextValidId;
    use super::*;

    #[test]
    fn a_frame_is_length_id_and_payload() {
        let bytes = frame(reply_kind::NEXT_VALID_ID, &NextValidId { order_id: Some(1) });
        assert_eq!(bytes.as_ref(), [0, 0, 0, 6, 0, 0, 0, 0xd1, 0x08, 0x01]);
    }

    #[test]
    fn the_acknowledgement_has_no_message_id() {
        let bytes = acknowledgement(226, "20270104 09:30:00 US/Eastern");
        assert_eq!(bytes.get(..8), Some(&[0, 0, 0, 0x21, b'2', b'2', b'6', 0][..]));
    }

    #[test]
    fn a_request_less_error_writes_its_minus_one() {
        let bytes = error_frame(-1, 2104, "OK", 0);
        assert_eq!(bytes.get(8..10), Some(&[0x08, 0xff][..]));
    }

    #[tokio::test]
    async fn a_hello_may_carry_options() {
        let mut hello: &[u8] = b"API\0\0\0\0\x0ev100..226 +PACE";
        let mut exact = hello.to_vec();
        exact[7] = u8::try_from(exact.len() - 8).expect("short");
        hello = &exact;
        assert_eq!(read_hello(&mut hello).await.expect("a hello"), (100, 226));
    }

    #[tokio::test]
    async fn a_frame_beyond_the_bound_is_refused() {
        let mut bytes: &[u8] = &[0x7f, 0xff, 0xff, 0xff];
        assert!(read_request(&mut bytes).await.is_err());
    }
}
