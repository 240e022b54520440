//! The talk with a mail server: step by step, each with a bound, so that what fails can be told exactly.

use std::error::Error;
use std::time::Duration;

use lettre::address::{Address, Envelope};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters, TlsVersion};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use secrecy::ExposeSecret;
use tokio::time::timeout;

use super::config::{MAX_AUTHORITY_BYTES, SmtpConfig, TlsMode};
use super::error::SendError;
use super::secret;
use crate::input_file;

/// The answer to a whole mail may take so many times longer: who gives up too soon makes the server deliver it twice.
const PATIENCE_AT_THE_END: u32 = 4;

/// How long one mail may take at most: connecting, TLS, login, and the mail itself.
pub(super) fn longest(config: &SmtpConfig) -> Duration {
    Duration::from_secs(config.timeout_seconds) * (6 + PATIENCE_AT_THE_END)
}

/// Hands a mail to the server; gives the recipients that it refused, where it took others.
pub(super) async fn send(
    (config, host_name): (&SmtpConfig, &str),
    envelope: &Envelope,
    bytes: &[u8],
) -> Result<Vec<String>, SendError> {
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
        let address = (self.host().to_owned(), self.config.port());
        let implicit = if self.config.tls == TlsMode::Implicit { Some(self.tls()?) } else { None };
        let connecting = AsyncSmtpConnection::connect_tokio1(address, Some(self.bound()), hello, implicit, None);
        let mut connection = self.step("the greeting", connecting).await?;
        if self.config.tls == TlsMode::Required {
            if !connection.can_starttls() {
                return Err(SendError::NoTls { server: self.server.clone() });
            }
            self.step("STARTTLS", connection.starttls(self.tls()?, hello)).await?;
        }
        if let Some(username) = &self.config.username {
            self.log_in(&mut connection, username).await?;
        }
        Ok(connection)
    }

    fn tls(&self) -> Result<TlsParameters, SendError> {
        let unusable = |source: SmtpError| SendError::Tls { server: self.server.clone(), source: source.into() };
        let mut builder = TlsParameters::builder(self.host().to_owned()).set_min_tls_version(TlsVersion::Tlsv12);
        if let Some(path) = &self.config.ca_file {
            let unsound = |source: Box<dyn Error + Send + Sync>| SendError::Authority { path: path.clone(), source };
            let (pem, _) = input_file::read(path, MAX_AUTHORITY_BYTES).map_err(|error| unsound(error.into()))?;
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
            Err(error) if error.is_client() => Err(SendError::NoLogin { server: self.server.clone() }),
            Err(error) if error.is_permanent() => {
                let answer = answer(&error);
                Err(SendError::Login { server: self.server.clone(), username: username.to_owned(), answer })
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Sender, recipients, and the mail. A recipient that is refused keeps the others from nothing.
    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        envelope: &Envelope,
        bytes: &[u8],
    ) -> Result<Vec<String>, SendError> {
        let from = Mail::new(envelope.from().cloned(), Vec::new());
        self.command("the sender", connection.command(from)).await?;
        let mut refused = Vec::new();
        let mut reason = None;
        for to in envelope.to() {
            match self.command("a recipient", connection.command(Rcpt::new(to.clone(), Vec::new()))).await {
                Ok(()) => {}
                Err(error @ SendError::Refused { .. }) => {
                    refused.push(refusal(to, &error));
                    reason = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(error) = reason.filter(|_| refused.len() == envelope.to().len()) {
            return Err(error);
        }
        self.command("the mail", connection.command(Data)).await?;
        let bound = self.bound() * PATIENCE_AT_THE_END;
        let taken = timeout(bound, connection.message(bytes)).await;
        let silent =
            |_| SendError::Silent { server: self.server.clone(), step: "the whole mail", seconds: bound.as_secs() };
        taken.map_err(silent)?.map_err(|error| self.of_mail(error))?;
        Ok(refused)
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

fn refusal(to: &Address, error: &SendError) -> String {
    match error {
        SendError::Refused { answer, .. } => format!("{to} ({answer})"),
        _ => to.to_string(),
    }
}

/// lettre calls a certificate that is not trusted a failure of the network.
fn is_about_certificates(error: &SmtpError) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        let is_invalid =
            cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::InvalidData);
        let words = cause.to_string();
        if is_invalid || words.contains("certificate") || words.contains("InvalidContentType") {
            return true;
        }
        source = cause.source();
    }
    false
}
