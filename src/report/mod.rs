//! The daily report: one document from values, as text, as a page for a mail and as a page for a browser. Pure.
//!
//! [`Report`] holds what is known of a morning; [`Report::sheet`] puts it into sections, and the writers of text and HTML
//! show the same sections, so none of them says more than the other.

mod ahead;
mod chart;
mod distrust;
#[cfg(test)]
mod fixtures;
mod html;
mod money;
mod morning;
mod record;
mod sheet;
mod svg;
mod text;
mod words;

use chrono::{DateTime, NaiveDate, Utc};

pub use ahead::{Ahead, week_ahead};
pub use html::Pictures;
pub use money::{BaseDay, Book, Held};
pub use morning::{Decided, Heard, Morning, Overnight};
pub use record::{Completeness, Found};
pub use sheet::{Chart, Sheet};
pub use svg::escaped;

use crate::evaluation::{Confirmation, Hits, Verdict};
use crate::market::Symbol;

/// What is known of a morning before the open.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The session of NYSE that it is for.
    pub day: NaiveDate,
    /// The instant whose rows the signals know.
    pub as_of: DateTime<Utc>,
    /// When that session opens.
    pub opens_at: DateTime<Utc>,
    /// When the report was made.
    pub made_at: DateTime<Utc>,
    /// The machine and the version that made it.
    pub origin: String,
    /// Whether the numbers are of the simulated gateway.
    pub is_simulated: bool,
    /// Each ETF and its future.
    pub mornings: Vec<Morning>,
    /// Slots of the last sessions, oldest first.
    pub completeness: Vec<Completeness>,
    /// Slots of the newest session that is over, by symbol.
    pub by_symbol: Vec<Completeness>,
    /// What checks found in that session, by check.
    pub found: Vec<Found>,
    /// Incidents that go on, in a line each.
    pub incidents: Vec<String>,
    /// Base signals of the last year with what became of them.
    pub book: Book,
    /// Positions on paper that go on.
    pub open: Vec<Held>,
    /// What may be said of each ETF's confirmation.
    pub verdicts: Vec<Judged>,
    /// The days to come that are not like others.
    pub ahead: Vec<Ahead>,
    /// The first day of which no calendar is published, where it is near.
    pub calendar_ends: Option<NaiveDate>,
}

/// What may be said of an ETF's confirmation by its future.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The ETF.
    pub symbol: Symbol,
    /// Whether the signals were made before the open they were meant for; else after it, from the rows stamped before.
    pub is_live: bool,
    /// Base signals, confirmed and rejected, with their difference and its interval.
    pub confirmation: Confirmation,
    /// How often the base signals were right.
    pub hits_base: Hits,
    /// How often those were that the futures confirmed.
    pub hits_confirmed: Hits,
    /// Measured skill out of sample, 0 to 1; none while it is not known.
    pub predictive_value: Option<f64>,
    /// What follows.
    pub verdict: Verdict,
}

impl Report {
    /// What a list of mails shows: the day and what is decided for each ETF.
    #[must_use]
    pub fn subject(&self) -> String {
        let decided: Vec<String> = self.mornings.iter().map(Morning::in_words).collect();
        let simulated = if self.is_simulated { " SIMULATED" } else { "" };
        format!("[jobs]{simulated} report {}: {}", self.day.format("%a %Y-%m-%d"), decided.join(", "))
    }

    /// The report in sections.
    #[must_use]
    pub fn sheet(&self) -> Sheet {
        let sections = [
            Some(morning::signals(self)),
            Some(morning::decisions(self)),
            distrust::distrust(self),
            morning::overnight(self),
            record::completeness(self),
            Some(record::found(self)),
            money::open(self),
            money::book(self),
            money::verdicts(self),
            Some(ahead::section(self)),
        ];
        Sheet {
            title: format!("{} before the open", self.day.format("%A, %Y-%m-%d")),
            lead: self.lead(),
            sections: sections.into_iter().flatten().collect(),
            footer: vec![
                format!("Made {} by {}.", words::both_times(self.made_at), self.origin),
                "Paper only: this program cannot place an order. Sent once a day; jobs run report --resend sends it again."
                    .to_owned(),
            ],
        }
    }

    fn lead(&self) -> String {
        let simulated = if self.is_simulated { "SIMULATED DATA: no price here is real. " } else { "" };
        let enters = self.mornings.iter().filter(|morning| morning.enters()).count();
        let decided = match enters {
            0 => "No rule fires today".to_owned(),
            1 => format!("One of {} ETFs has an entry", self.mornings.len()),
            number => format!("{number} of {} ETFs have an entry", self.mornings.len()),
        };
        let as_of = words::both_times(self.as_of);
        format!("{simulated}{decided}. Signals as of {as_of}; NYSE opens {}.", words::clock(self.opens_at))
    }
}

#[cfg(test)]
mod tests {
    use super::fixtures::report;

    #[test]
    fn the_subject_says_the_day_and_every_decision() {
        let subject = "[jobs] SIMULATED report Wed 2026-11-18: SPY enter bullish, QQQ no decision, IWM no decision";
        assert_eq!(report().subject(), subject);
        let real = super::Report { is_simulated: false, ..report() };
        assert!(real.subject().starts_with("[jobs] report Wed"));
        assert!(!real.sheet().lead.contains("SIMULATED"));
    }

    #[test]
    fn what_is_to_be_distrusted_is_said_and_nothing_else_is() {
        let told = report().sheet().text();
        for part in
            ["every price", "the silence of IWM", "3 of its slots are missing", "an incident goes on", "for SPY"]
        {
            assert!(told.contains(part), "{part} in {told}");
        }
        let mut sound = super::Report { is_simulated: false, incidents: Vec::new(), ..report() };
        sound.mornings.truncate(1);
        sound.completeness.truncate(1);
        sound.verdicts.clear();
        assert!(!sound.sheet().text().contains("DISTRUST"), "{}", sound.sheet().text());
    }
}
