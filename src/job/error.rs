//! Why a run failed: what the exit code says, and whether a new attempt makes sense.

use std::error::Error;
use std::fmt;

use crate::calendar::CalendarError;
use crate::exclusive::is_full;
use crate::gateway::{ErrorClass, GatewayError};
use crate::lake::{ImportError, LakeError, LakeErrorClass, QueryError};
use crate::market::{LeadError, SymbolError};
use crate::quality::Finding;
use crate::signals::SignalError;
use crate::state::{LedgerError, LedgerErrorClass};

use super::Counts;

/// The kinds of failure, each with its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It did not work.
    Failed,
    /// It was asked wrongly.
    Usage,
    /// Every row was bad, or a table is damaged.
    BadData,
    /// The gateway is down or gives no data.
    Unavailable,
    /// The job panicked: a bug.
    Panicked,
    /// Another run of the job holds the lock.
    Locked,
    /// The configuration does not fit.
    Misconfigured,
    /// The timeout passed.
    TimedOut,
    /// SIGINT came.
    Interrupted,
    /// SIGTERM came.
    Terminated,
}

impl Failure {
    /// What kind a failure of a folder or file of the program's own is: a full disk is no fault of the configuration.
    #[must_use]
    pub fn of_folder(error: &std::io::Error) -> Self {
        if is_full(error) { Self::Failed } else { Self::Misconfigured }
    }

    /// The exit code, by the conventions of sysexits.h and timeout(1).
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::BadData => 65,
            Self::Unavailable => 69,
            Self::Panicked => 70,
            Self::Locked => 75,
            Self::Misconfigured => 78,
            Self::TimedOut => 124,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

/// Whether a new attempt makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It may work the next time.
    Retry,
    /// It will not.
    Fail,
}

/// Why a run failed.
#[derive(Debug)]
pub struct JobError {
    failure: Failure,
    disposition: Disposition,
    cause: Box<dyn Error + Send + Sync>,
    findings: Vec<Finding>,
    has_some: bool,
    is_refusal: bool,
    written: Counts,
}

impl JobError {
    /// A failure after which a new attempt may work.
    pub fn retry(failure: Failure, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(failure, Disposition::Retry, cause.into())
    }

    /// A failure that a new attempt would only repeat.
    pub fn fail(failure: Failure, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(failure, Disposition::Fail, cause.into())
    }

    /// One request that the gateway refused, and would again.
    pub fn refused(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { is_refusal: true, ..Self::fail(Failure::Unavailable, cause) }
    }

    fn new(failure: Failure, disposition: Disposition, cause: Box<dyn Error + Send + Sync>) -> Self {
        Self {
            failure,
            disposition,
            cause,
            findings: Vec::new(),
            has_some: false,
            is_refusal: false,
            written: Counts::default(),
        }
    }

    /// The same failure in other words.
    #[must_use]
    pub fn with_message(self, message: String) -> Self {
        Self { cause: message.into(), ..self }
    }

    /// The same failure with the facts about bad data that the run met.
    #[must_use]
    pub fn with_findings(self, findings: Vec<Finding>) -> Self {
        Self { findings, ..self }
    }

    /// The same failure where the slot has some of its rows all the same: the gateway answers.
    #[must_use]
    pub fn after_some(self) -> Self {
        Self { has_some: true, ..self }
    }

    /// Whether the slot has some of its rows.
    #[must_use]
    pub fn has_some(&self) -> bool {
        self.has_some
    }

    /// The same failure, which no attempt follows.
    #[must_use]
    pub fn for_good(self) -> Self {
        Self { disposition: Disposition::Fail, ..self }
    }

    /// The same failure with what all attempts of the run wrote before it.
    #[must_use]
    pub fn with_written(self, written: Counts) -> Self {
        Self { written, ..self }
    }

    /// What all attempts of the run wrote before it failed.
    #[must_use]
    pub fn written(&self) -> Counts {
        self.written
    }

    /// Whether the gateway answered and refused one request: others may be granted.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.is_refusal
    }

    /// Facts about bad data that the run met before it failed.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether the gateway answered, and its clock and this machine's differ too much.
    #[must_use]
    pub fn is_of_clocks(&self) -> bool {
        let gateway = self.cause.downcast_ref::<GatewayError>();
        gateway.is_some_and(|error| matches!(error, GatewayError::ClockSkew { .. }))
    }

    /// What kind of failure.
    #[must_use]
    pub fn failure(&self) -> Failure {
        self.failure
    }

    /// Whether a new attempt makes sense.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        self.disposition
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl Error for JobError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

impl From<GatewayError> for JobError {
    fn from(error: GatewayError) -> Self {
        let is_refusal = error.is_refusal();
        let error = match error.class() {
            ErrorClass::Retry => Self::retry(Failure::Unavailable, error),
            ErrorClass::Wait
            | ErrorClass::GiveUp
            | ErrorClass::OperatorMustAct
            | ErrorClass::NoData
            | ErrorClass::Unreadable => Self::fail(Failure::Unavailable, error),
            ErrorClass::Misconfigured => Self::fail(Failure::Misconfigured, error),
        };
        Self { is_refusal, ..error }
    }
}

impl From<LakeError> for JobError {
    fn from(error: LakeError) -> Self {
        match error.class() {
            LakeErrorClass::Configuration => Self::fail(Failure::Misconfigured, error),
            LakeErrorClass::Busy => Self::fail(Failure::Locked, error),
            LakeErrorClass::Conflict => Self::retry(Failure::Failed, error),
            LakeErrorClass::Missing => Self::fail(Failure::Usage, error),
            LakeErrorClass::Storage => Self::fail(Failure::Failed, error),
            LakeErrorClass::Damaged => Self::fail(Failure::BadData, error),
        }
    }
}

impl From<QueryError> for JobError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Lake(error) => error.into(),
            QueryError::Refused { .. }
            | QueryError::Statement { .. }
            | QueryError::UnknownColumn { .. }
            | QueryError::WhichVersion { .. } => Self::fail(Failure::Usage, error),
            QueryError::Memory { .. } | QueryError::Failed { .. } | QueryError::Output { .. } => {
                Self::fail(Failure::Failed, error)
            }
        }
    }
}

impl From<ImportError> for JobError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Lake(error) => error.into(),
            ImportError::Damaged { .. } | ImportError::Unreadable { .. } => Self::fail(Failure::BadData, error),
            ImportError::NotATable { .. }
            | ImportError::NotParquet { .. }
            | ImportError::WithinLake { .. }
            | ImportError::Own { .. }
            | ImportError::MissingColumn { .. }
            | ImportError::ColumnType { .. }
            | ImportError::NoZone { .. }
            | ImportError::ZoneGiven { .. }
            | ImportError::Unsupported { .. } => Self::fail(Failure::Usage, error),
        }
    }
}

impl From<LedgerError> for JobError {
    fn from(error: LedgerError) -> Self {
        match error.class() {
            LedgerErrorClass::Configuration => Self::fail(Failure::Misconfigured, error),
            LedgerErrorClass::Failed => Self::fail(Failure::Failed, error),
            LedgerErrorClass::Busy => Self::fail(Failure::Locked, error),
        }
    }
}

impl From<CalendarError> for JobError {
    fn from(error: CalendarError) -> Self {
        Self::fail(Failure::Usage, error)
    }
}

impl From<SignalError> for JobError {
    fn from(error: SignalError) -> Self {
        match error {
            SignalError::Calendar(error) => error.into(),
            // Whoever read the tables gave more than was known then.
            error => Self::fail(Failure::Failed, error),
        }
    }
}

impl From<SymbolError> for JobError {
    fn from(error: SymbolError) -> Self {
        Self::fail(Failure::Usage, error)
    }
}

impl From<LeadError> for JobError {
    fn from(error: LeadError) -> Self {
        let is_refusal = matches!(error, LeadError::NotListed { .. });
        Self { is_refusal, ..Self::fail(Failure::Unavailable, error) }
    }
}

/// An error with everything that caused it, in one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_tells_each_cause_once() {
        let io = std::io::Error::other("disk on fire");
        let error = GatewayError::Locks { path: "/x".to_owned(), source: io };
        let told = chain(&JobError::from(error));
        assert!(told.starts_with("cannot use the lock folder /x") && told.ends_with(": disk on fire"), "{told}");
        assert_eq!(told.matches("disk on fire").count(), 1);
    }
}
