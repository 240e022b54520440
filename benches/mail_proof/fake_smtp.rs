//! A mail server of a few lines, on a port that the system chooses: it keeps what it is given and answers as told.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It takes everything.
    Kind,
    /// It takes the connection and says nothing.
    Mute,
    /// It takes the mail and says nothing to it.
    Slow,
    /// It takes everything of those who log in by OAuth.
    OAuth,
}

/// A mail as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    /// Recipients.
    pub(crate) to: Vec<String>,
    /// Headers and body.
    pub(crate) text: String,
}

impl Received {
    /// The value of a header on one line; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> String {
        let start = format!("{}:", name.to_lowercase());
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n ", " ");
        let line = head.lines().find(|line| line.to_lowercase().starts_with(&start)).unwrap_or_default();
        line.get(start.len()..).unwrap_or_default().trim().to_owned()
    }
}

/// The server; it ends with the process.
pub(crate) struct FakeSmtp {
    /// Its port on 127.0.0.1.
    pub(crate) port: u16,
    received: Arc<Mutex<Vec<Received>>>,
    greylist: Arc<Mutex<bool>>,
}

impl FakeSmtp {
    /// Starts one.
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let greylist = Arc::new(Mutex::new(true));
        let (kept, greys) = (received.clone(), greylist.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, greys) = (kept.clone(), greys.clone());
                // A client that goes away in the middle is what these tests are about.
                thread::spawn(move || drop(talk(&stream, manner, &kept, &greys)));
            }
        });
        Self { port, received, greylist }
    }

    /// From now on nobody is put off.
    pub(crate) fn ends_greylist(&self) {
        *self.greylist.lock().expect("no panic") = false;
    }

    /// What it was given so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().expect("no panic").clone()
    }
}

fn talk(
    mut stream: &TcpStream,
    manner: Manner,
    kept: &Mutex<Vec<Received>>,
    greylist: &Mutex<bool>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream);
    if manner == Manner::Mute {
        thread::sleep(Duration::from_mins(1));
        return Ok(());
    }
    stream.write_all(b"220 fake ready\r\n")?;
    let mut to = Vec::new();
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        let command = line.trim().to_owned();
        line.clear();
        let answer = match command.to_uppercase().split([' ', ':']).next().unwrap_or_default() {
            "EHLO" if manner == Manner::OAuth => "250-fake\r\n250 AUTH XOAUTH2 OAUTHBEARER\r\n".to_owned(),
            "EHLO" => "250-fake\r\n250 8BITMIME\r\n".to_owned(),
            "RCPT" => recipient(&command, &mut to, *greylist.lock().expect("no panic")),
            "DATA" => {
                stream.write_all(b"354 go on\r\n")?;
                let text = body(&mut lines)?;
                if manner == Manner::Slow {
                    thread::sleep(Duration::from_mins(1));
                }
                kept.lock().expect("no panic").push(Received { to: std::mem::take(&mut to), text });
                "250 kept\r\n".to_owned()
            }
            "QUIT" => return stream.write_all(b"221 bye\r\n"),
            _ => "250 fine\r\n".to_owned(),
        };
        stream.write_all(answer.as_bytes())?;
    }
    Ok(())
}

/// `reject...` is refused for good, `grey...` while there is a greylist.
fn recipient(command: &str, to: &mut Vec<String>, is_greylisted: bool) -> String {
    let address = command.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
    if address.starts_with("reject") {
        return "550 5.1.1 no such user\r\n".to_owned();
    }
    if is_greylisted && address.starts_with("grey") {
        return "451 4.7.1 try again later\r\n".to_owned();
    }
    to.push(address);
    "250 fine\r\n".to_owned()
}

fn body(lines: &mut impl BufRead) -> std::io::Result<String> {
    let mut text = String::new();
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        if line == ".\r\n" {
            return Ok(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
        line.clear();
    }
    // What was cut off in the middle is no mail.
    Err(std::io::ErrorKind::UnexpectedEof.into())
}
