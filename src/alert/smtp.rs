//! The talk with a mail server: step by step, each with a bound, so that what fails can be told exactly.

use std::error::Error;
use std::time::Duration;

use lettre::address::Envelope;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, Certificate, TlsParameters, TlsVersion};
use lettre::transport::smtp::commands::{Data, Ehlo, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use secrecy::ExposeSecret;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::state::{Receipt, RecipientState};

use super::config::{SmtpConfig, TlsMode};
use super::error::SendError;
use super::secret;
use super::secured::Secured;
use super::wire::{Breach, Wire};

/// The answer to a whole mail may take so many times longer: who gives up too soon makes the server deliver it twice.
const PATIENCE_AT_THE_END: u32 = 4;

/// Steps of the talk besides the recipients and the end of the mail: the connection, TLS or STARTTLS, the greeting, the
/// login, the question about logins, the sender, the mail's beginning, and the goodbye.
const NUM_STEPS: u32 = 8;

/// How long one mail to so many recipients may take at most.
pub(super) fn longest(config: &SmtpConfig, num_recipients: usize) -> Duration {
    let steps = u32::try_from(num_recipients).unwrap_or(u32::MAX).saturating_add(NUM_STEPS + PATIENCE_AT_THE_END);
    Duration::from_secs(config.timeout_seconds).saturating_mul(steps)
}

/// Hands a mail to the server; gives what became of it at each recipient.
pub(super) async fn send(
    (config, host_name): (&SmtpConfig, &str),
    envelope: &Envelope,
    bytes: &[u8],
) -> Result<Vec<Receipt>, SendError> {
    let talk = Talk { config, server: format!("{}:{}", config.host.as_deref().unwrap_or("localhost"), config.port()) };
    let hello = ClientId::Domain(host_name.to_owned());
    let mut connection = talk.connect(&hello).await?;
    let result = talk.hand_over(&mut connection, envelope, bytes).await;
    // The server has the mail or has not; how the goodbye goes changes nothing.
    let _ = timeout(talk.bound(), connection.abort()).await;
    result
}

struct Talk<'a> {
    config: &'a SmtpConfig,
    server: String,
}

impl Talk<'_> {
    fn bound(&self) -> Duration {
        Duration::from_secs(self.config.timeout_seconds)
    }

    fn host(&self) -> &str {
        self.config.host.as_deref().unwrap_or("localhost")
    }

    /// Connects, makes it private, and logs in.
    async fn connect(&self, hello: &ClientId) -> Result<AsyncSmtpConnection, SendError> {
        let wire = self.dial().await?;
        let mut connection = if self.config.tls == TlsMode::Implicit {
            let secured = self.step("TLS", Secured::over(wire, self.tls()?)).await.map_err(in_the_clear)?;
            self.greet(Box::new(secured), hello).await?
        } else {
            self.greet(Box::new(wire), hello).await.map_err(perhaps_implicit)?
        };
        if self.config.tls == TlsMode::Required {
            if !connection.can_starttls() {
                return Err(SendError::NoTls { server: self.server.clone() });
            }
            // The wire lets one answer through, so nothing said in the clear is read under TLS.
            self.step("STARTTLS", connection.starttls(self.tls()?, hello)).await?;
        }
        if let Some(username) = &self.config.username {
            self.log_in(&mut connection, username).await?;
        }
        Ok(connection)
    }

    async fn dial(&self) -> Result<Wire, SendError> {
        let connected = timeout(self.bound(), TcpStream::connect((self.host(), self.config.port()))).await;
        let connected = connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        let unreachable =
            |source: std::io::Error| SendError::Unreachable { server: self.server.clone(), source: source.into() };
        connected.map(Wire::over).map_err(unreachable)
    }

    async fn greet(
        &self,
        stream: Box<dyn AsyncTokioStream>,
        hello: &ClientId,
    ) -> Result<AsyncSmtpConnection, SendError> {
        self.step("the greeting", AsyncSmtpConnection::connect_with_transport(stream, hello)).await
    }

    fn tls(&self) -> Result<TlsParameters, SendError> {
        let unusable = |source: SmtpError| SendError::Tls { server: self.server.clone(), source: source.into() };
        let mut builder = TlsParameters::builder(self.host().to_owned()).set_min_tls_version(TlsVersion::Tlsv12);
        if let Some(path) = &self.config.ca_file {
            let unsound = |source: Box<dyn Error + Send + Sync>| SendError::Authority { path: path.clone(), source };
            let pem = std::fs::read(path).map_err(|error| unsound(error.into()))?;
            builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| unsound(error.into()))?);
        }
        builder.build().map_err(unusable)
    }

    async fn log_in(&self, connection: &mut AsyncSmtpConnection, username: &str) -> Result<(), SendError> {
        let password = secret::password(self.config.password_file.as_deref())?;
        let credentials = Credentials::new(username.to_owned(), password.expose_secret().to_owned());
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        let answered = timeout(self.bound(), connection.auth(&mechanisms, &credentials)).await;
        match answered.map_err(|_| self.silent("the login"))? {
            Ok(_) => Ok(()),
            Err(error) if error.is_client() => Err(self.no_login(connection).await),
            Err(error) if error.is_permanent() => {
                let answer = answer(&error);
                Err(SendError::Login { server: self.server.clone(), username: username.to_owned(), answer })
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// None of our ways to log in is offered; the server is asked which are.
    async fn no_login(&self, connection: &mut AsyncSmtpConnection) -> SendError {
        let hello = Ehlo::new(ClientId::Domain("localhost".to_owned()));
        let answered = timeout(self.bound(), connection.command(hello)).await;
        let lines: Vec<String> = match &answered {
            Ok(Ok(response)) => response.message().map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        no_login(self.server.clone(), &lines)
    }

    /// Sender, recipients, and the mail. A recipient that is refused, for good or for now, keeps the others from nothing.
    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        envelope: &Envelope,
        bytes: &[u8],
    ) -> Result<Vec<Receipt>, SendError> {
        let from = Mail::new(envelope.from().cloned(), Vec::new());
        self.command("the sender", connection.command(from)).await?;
        let mut receipts = Vec::new();
        for to in envelope.to() {
            let answered = self.command("a recipient", connection.command(Rcpt::new(to.clone(), Vec::new()))).await;
            let (state, reason) = fate(answered)?;
            receipts.push(Receipt { recipient: to.to_string(), state, reason });
        }
        if receipts.iter().any(is_sent) {
            // What the server says to the mail is said to all that it had taken.
            let (state, reason) = fate(self.hand_over_mail(connection, bytes).await)?;
            for taken in receipts.iter_mut().filter(|one| is_sent(one)) {
                (taken.state, taken.reason) = (state, reason.clone());
            }
        }
        Ok(receipts)
    }

    async fn hand_over_mail(&self, connection: &mut AsyncSmtpConnection, bytes: &[u8]) -> Result<(), SendError> {
        self.command("the mail", connection.command(Data)).await?;
        let bound = self.bound() * PATIENCE_AT_THE_END;
        let taken = timeout(bound, connection.message(bytes)).await;
        let silent =
            |_| SendError::Silent { server: self.server.clone(), step: "the whole mail", seconds: bound.as_secs() };
        taken.map_err(silent)?.map_err(|error| self.of_mail(error)).map(drop)
    }

    async fn step<T>(
        &self,
        step: &'static str,
        work: impl Future<Output = Result<T, SmtpError>>,
    ) -> Result<T, SendError> {
        timeout(self.bound(), work).await.map_err(|_| self.silent(step))?.map_err(|error| self.failed(error))
    }

    async fn command<T>(
        &self,
        step: &'static str,
        work: impl Future<Output = Result<T, SmtpError>>,
    ) -> Result<(), SendError> {
        timeout(self.bound(), work).await.map_err(|_| self.silent(step))?.map_err(|error| self.of_mail(error))?;
        Ok(())
    }

    fn silent(&self, step: &'static str) -> SendError {
        SendError::Silent { server: self.server.clone(), step, seconds: self.config.timeout_seconds }
    }

    /// An error before the mail: what is refused here is this client.
    fn failed(&self, error: SmtpError) -> SendError {
        let server = self.server.clone();
        if let Some(what) = breach(&error) {
            return SendError::Unsound { server, what };
        }
        match &error {
            e if e.is_permanent() => SendError::Rejected { server, answer: answer(e) },
            e if e.is_transient() => SendError::Later { server, answer: answer(e) },
            e if e.is_tls() || is_about_certificates(e) => SendError::Tls { server, source: error.into() },
            _ => SendError::Unreachable { server, source: error.into() },
        }
    }

    /// An error about the mail.
    fn of_mail(&self, error: SmtpError) -> SendError {
        let server = self.server.clone();
        if let Some(what) = breach(&error) {
            return SendError::Unsound { server, what };
        }
        let is_about_login =
            || error.status().is_some_and(|code| matches!(code.to_string().as_str(), "530" | "534" | "538"));
        match &error {
            e if e.is_permanent() && is_about_login() => SendError::Rejected { server, answer: answer(e) },
            e if e.is_permanent() => SendError::Refused { server, answer: answer(e) },
            e if e.is_transient() => SendError::Later { server, answer: answer(e) },
            _ => SendError::Unreachable { server, source: error.into() },
        }
    }
}

/// Code and words of the server.
fn answer(error: &SmtpError) -> String {
    let code = error.status().map_or_else(String::new, |code| code.to_string());
    let words = error.source().map_or_else(String::new, ToString::to_string);
    super::words::one_line(format!("{code} {words}").trim(), 300)
}

/// What an answer means for a recipient. One after which the server hangs up (421) is about all of them, as is one that
/// did not come.
fn fate(answered: Result<(), SendError>) -> Result<(RecipientState, Option<String>), SendError> {
    match answered {
        Ok(()) => Ok((RecipientState::Sent, None)),
        Err(SendError::Refused { answer, .. }) => Ok((RecipientState::Refused, Some(answer))),
        Err(SendError::Later { answer, .. }) if !answer.starts_with("421") => {
            Ok((RecipientState::Queued, Some(answer)))
        }
        Err(error) => Err(error),
    }
}

fn is_sent(receipt: &Receipt) -> bool {
    receipt.state == RecipientState::Sent
}

/// What the server did that no server may do: by the wire, or by the reader of its answers.
fn breach(error: &SmtpError) -> Option<String> {
    let of_wire = causes(error).find_map(|cause| {
        let inner = cause.downcast_ref::<std::io::Error>()?.get_ref()?;
        inner.downcast_ref::<Breach>().map(ToString::to_string)
    });
    let of_reader = || error.is_response().then(|| answer(error));
    of_wire.or_else(of_reader)
}

fn causes(error: &SmtpError) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}

/// lettre calls a certificate that is not trusted a failure of the network.
fn is_about_certificates(error: &SmtpError) -> bool {
    causes(error).any(|cause| {
        let is_invalid =
            cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::InvalidData);
        is_invalid || cause.to_string().contains("certificate")
    })
}

/// A handshake that met words instead of TLS: the port begins in the clear.
fn in_the_clear(error: SendError) -> SendError {
    match error {
        SendError::Tls { server, source } if super::error::told(source.as_ref()).contains("InvalidContentType") => {
            SendError::InTheClear { server }
        }
        other => other,
    }
}

/// A port that begins with TLS says nothing until the handshake, or nothing that SMTP knows.
fn perhaps_implicit(error: SendError) -> SendError {
    match error {
        SendError::Silent { server, step: _, seconds } => SendError::NoGreeting { server, seconds },
        SendError::Tls { server, source } => SendError::Unsound { server, what: source.to_string() },
        other => other,
    }
}

/// What an answer to EHLO says of the ways to log in, where none is ours.
fn no_login(server: String, lines: &[String]) -> SendError {
    let offered = lines.iter().filter_map(|line| line.strip_prefix("AUTH").filter(|rest| rest.starts_with([' ', '='])));
    let offered: Vec<&str> = offered.flat_map(|rest| rest.split([' ', '='])).filter(|name| !name.is_empty()).collect();
    let is_oauth = |name: &&str| matches!(name.to_ascii_uppercase().as_str(), "XOAUTH2" | "OAUTHBEARER" | "XOAUTH");
    let has_oauth = offered.iter().any(|name| is_oauth(name));
    let offered = super::words::one_line(&offered.join(", "), 100);
    if has_oauth { SendError::OnlyOAuth { server, offered } } else { SendError::NoLogin { server } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[&str]) -> String {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        no_login("mail:587".to_owned(), &lines).to_string()
    }

    #[test]
    fn a_server_that_logs_in_by_oauth_alone_is_named_as_such() {
        let both = told(&["mail.example.com", "SIZE 1000", "AUTH XOAUTH2 OAUTHBEARER"]);
        assert!(both.contains("by OAuth alone (XOAUTH2, OAUTHBEARER)") && both.contains("app password"), "{both}");
        assert!(told(&["mail.example.com", "AUTH=OAUTHBEARER"]).contains("by OAuth alone (OAUTHBEARER)"));
        for other in [&["mail.example.com", "AUTHORITY x"][..], &["mail.example.com", "AUTH GSSAPI"], &[]] {
            assert!(told(other).contains("no login by password"), "{other:?}");
        }
    }

    #[test]
    fn a_lease_outlasts_every_recipient() {
        let config = SmtpConfig { timeout_seconds: 10, ..SmtpConfig::default() };
        assert_eq!(longest(&config, 3) - longest(&config, 1), Duration::from_secs(20));
    }
}
