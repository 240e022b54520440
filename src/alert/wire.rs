//! The connection below the talk with a mail server: it bounds what the server may say, and keeps what was said in the
//! clear out of what is said under TLS.
//!
//! After STARTTLS exactly one whole answer is let through; anything beyond it is an error, so that the reader of the talk
//! is empty when TLS begins, as if it were made anew.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Most bytes between two commands of ours: the longest answer that is read is 100,000 bytes, and a handshake of TLS
/// with a long chain of certificates stays below that.
const MAX_BYTES: usize = 128 << 10;

/// Longest answer to STARTTLS.
const MAX_ANSWER_BYTES: usize = 4 << 10;

/// The command after which the server has one thing to say in the clear.
const STARTTLS: &[u8] = b"STARTTLS\r\n";

/// What a server may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breach {
    /// More came than one answer to STARTTLS.
    BeyondStartTls,
    /// An answer does not end.
    TooLong,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeyondStartTls => "it sent more than one answer to STARTTLS before TLS began",
            Self::TooLong => "an answer of it is longer than any that SMTP knows",
        })
    }
}

impl std::error::Error for Breach {}

/// How far an answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Its last line has not ended.
    Partial,
    /// It is whole, and nothing follows it.
    Whole,
    /// It is whole, and something follows it.
    Beyond,
}

/// How far what came is one answer: lines of which the last has no hyphen behind its code.
fn answer(bytes: &[u8]) -> Answer {
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = rest.split_at(end + 1);
        if line.get(3) != Some(&b'-') {
            return if after.is_empty() { Answer::Whole } else { Answer::Beyond };
        }
        rest = after;
    }
    Answer::Partial
}

/// What came since the last command.
#[derive(Debug, Default)]
struct Heard {
    num_bytes: usize,
    /// What came after STARTTLS; none after any other command.
    answer: Option<Vec<u8>>,
}

impl Heard {
    fn after(command: &[u8]) -> Self {
        Self { num_bytes: 0, answer: (command == STARTTLS).then(Vec::new) }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Breach> {
        self.num_bytes = self.num_bytes.saturating_add(bytes.len());
        let Some(heard) = &mut self.answer else {
            return if self.num_bytes > MAX_BYTES { Err(Breach::TooLong) } else { Ok(()) };
        };
        heard.extend_from_slice(bytes);
        match answer(heard) {
            Answer::Beyond => Err(Breach::BeyondStartTls),
            Answer::Partial if heard.len() > MAX_ANSWER_BYTES => Err(Breach::TooLong),
            Answer::Partial | Answer::Whole => Ok(()),
        }
    }
}

/// A connection to a mail server.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    heard: Heard,
}

impl Wire {
    pub(super) fn over(stream: TcpStream) -> Self {
        Self { stream, heard: Heard::default() }
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Poll::Ready(Ok(())) = read {
            let new = buf.filled().get(before..).unwrap_or_default();
            if let Err(breach) = self.heard.take(new) {
                buf.set_filled(before);
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, breach)));
            }
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(_)) = written {
            self.heard = Heard::after(bytes);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_answer_is_whole_when_its_last_line_is() {
        for partial in ["", "2", "220 go", "220 go ahead\r", "250-first\r\n", "250-first\r\n250-second\r\n250 "] {
            assert_eq!(answer(partial.as_bytes()), Answer::Partial, "{partial:?}");
        }
        for whole in ["220 go ahead\r\n", "220\r\n", "454-not\r\n454 now\r\n", "220 go ahead\n"] {
            assert_eq!(answer(whole.as_bytes()), Answer::Whole, "{whole:?}");
        }
        for beyond in ["220 go ahead\r\nmore", "220 one\r\n220 two\r\n", "454-not\r\n454 now\r\n."] {
            assert_eq!(answer(beyond.as_bytes()), Answer::Beyond, "{beyond:?}");
        }
    }

    #[test]
    fn after_starttls_one_answer_comes_through_however_it_is_cut() {
        let mut heard = Heard::after(STARTTLS);
        for part in ["22", "0 go ", "ahead\r", "\n"] {
            assert_eq!(heard.take(part.as_bytes()), Ok(()), "{part:?}");
        }
        assert_eq!(heard.take(b"more"), Err(Breach::BeyondStartTls));
        let mut other = Heard::after(b"EHLO desk\r\n");
        assert_eq!(other.take(b"250 fine\r\n250 and more\r\n"), Ok(()), "other answers are the reader's");
    }

    #[test]
    fn what_is_heard_between_two_commands_is_bounded() {
        let mut heard = Heard::after(b"NOOP\r\n");
        assert_eq!(heard.take(&vec![b'x'; MAX_BYTES]), Ok(()));
        assert_eq!(heard.take(b"x"), Err(Breach::TooLong));
        assert_eq!(Heard::after(b"NOOP\r\n").take(b"250 fine\r\n"), Ok(()), "a command begins anew");
        let mut heard = Heard::after(STARTTLS);
        assert_eq!(heard.take(&vec![b'x'; MAX_ANSWER_BYTES + 1]), Err(Breach::TooLong));
    }
}
