//! How an answer reaches the socket: what the faults of the wire make of its frames.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt, BufWriter};
use tokio::sync::mpsc;

use super::fault_book::Struck;
use super::fault_kind::{FaultKind, RequestKind};
use super::frame::{MAX_FRAME_BYTES, frame};
use super::messages::{RequestId, reply_kind};

/// Pause between two bytes of a trickle.
const TRICKLE_PAUSE: Duration = Duration::from_millis(5);

/// One thing for the writer to do.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outgoing {
    /// Write a frame.
    Frame(Bytes),
    /// Write it byte by byte.
    Trickle(Bytes),
    /// Write these bytes, and nothing ever after; the socket stays open.
    LastWords(Bytes),
    /// Flush and close.
    Close,
}

/// What to write for an answer, and how long to wait before.
#[derive(Debug, PartialEq)]
pub(super) struct Delivery {
    pub(super) wait: Option<Duration>,
    pub(super) out: Vec<Outgoing>,
}

/// Lays the faults of the wire over an answer.
pub(super) fn deliver(answer: Vec<Bytes>, request: RequestKind, struck: &Struck) -> Delivery {
    let wait = struck.find(|fault| match fault {
        FaultKind::Slow(wait) | FaultKind::SlowHistory(wait) => Some(wait),
        _ => None,
    });
    let num_frames = answer.len();
    let mut out: Vec<Outgoing> = answer.into_iter().map(Outgoing::Frame).collect();
    for fault in struck.iter() {
        match fault {
            FaultKind::NoData => out.clear(),
            FaultKind::CloseAt(at) if at == request => {
                out.truncate(num_frames / 2);
                out.push(Outgoing::Close);
            }
            FaultKind::HalfFrame => out = half(out),
            FaultKind::GarbageFrame => {
                let unknown = frame(reply_kind::UNKNOWN, &RequestId { req_id: Some(-7) });
                out.insert(0, Outgoing::Frame(unknown));
            }
            FaultKind::OversizedFrame => out = vec![Outgoing::LastWords(oversized())],
            FaultKind::SlowTrickle => {
                out = out
                    .into_iter()
                    .map(|o| if let Outgoing::Frame(f) = o { Outgoing::Trickle(f) } else { o })
                    .collect();
            }
            _ => {}
        }
    }
    Delivery { wait, out }
}

/// The first half of the first frame.
fn half(out: Vec<Outgoing>) -> Vec<Outgoing> {
    let first = out.into_iter().find_map(|o| if let Outgoing::Frame(f) = o { Some(f) } else { None });
    first.map(|f| Outgoing::LastWords(f.slice(..f.len() / 2))).into_iter().collect()
}

fn oversized() -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u32(MAX_FRAME_BYTES.saturating_add(1).saturating_mul(64));
    bytes.put_slice(b"garbage");
    bytes.freeze()
}

/// Writes what it is given until the connection or the queue ends, or a given number of messages is out.
pub(super) async fn write_all(
    socket: impl AsyncWrite + Unpin,
    mut queue: mpsc::Receiver<Outgoing>,
    close_after: Option<u32>,
) -> std::io::Result<()> {
    // The frames of an answer leave together, as from a real gateway.
    let mut socket = BufWriter::new(socket);
    let mut num_written = 0;
    while let Some(outgoing) = queue.recv().await {
        match outgoing {
            Outgoing::Frame(bytes) => socket.write_all(&bytes).await?,
            Outgoing::Trickle(bytes) => {
                for byte in bytes {
                    socket.write_u8(byte).await?;
                    socket.flush().await?;
                    tokio::time::sleep(TRICKLE_PAUSE).await;
                }
            }
            Outgoing::LastWords(bytes) => {
                socket.write_all(&bytes).await?;
                socket.flush().await?;
                while queue.recv().await.is_some_and(|o| o != Outgoing::Close) {}
                break;
            }
            Outgoing::Close => break,
        }
        num_written += 1;
        if close_after.is_some_and(|most| num_written >= most) {
            break;
        }
        if queue.is_empty() {
            socket.flush().await?;
        }
    }
    socket.flush().await?;
    socket.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::super::fault_book::FaultBook;
    use super::*;

    fn delivered(fault: &str) -> Delivery {
        let book = FaultBook::new(vec![fault.parse().expect("a fault")]);
        let answer = vec![Bytes::from_static(b"first"), Bytes::from_static(b"second")];
        deliver(answer, RequestKind::History, &book.strike(chrono::DateTime::UNIX_EPOCH, RequestKind::History, None))
    }

    #[test]
    fn each_fault_of_the_wire_changes_the_frames() {
        assert_eq!(delivered("close:history").out, [Outgoing::Frame(Bytes::from_static(b"first")), Outgoing::Close]);
        assert_eq!(delivered("half-frame").out, [Outgoing::LastWords(Bytes::from_static(b"fi"))]);
        assert_eq!(delivered("no-data").out, []);
        assert_eq!(delivered("garbage-frame").out.len(), 3);
        assert_eq!(delivered("slow:1.5").wait, Some(Duration::from_millis(1_500)));
        assert!(matches!(delivered("slow-trickle").out.first(), Some(Outgoing::Trickle(_))));
    }

    #[tokio::test]
    async fn the_writer_stops_after_the_messages_it_may_write() {
        let (queue, receiver) = mpsc::channel(8);
        for _ in 0..3 {
            queue.send(Outgoing::Frame(Bytes::from_static(b"x"))).await.expect("room");
        }
        let mut written = Vec::new();
        write_all(&mut written, receiver, Some(2)).await.expect("a vector takes all");
        assert_eq!(written, b"xx");
    }
}
