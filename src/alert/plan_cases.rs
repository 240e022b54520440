//! The rules of telling, played over time: as stories, and as a property over all stories. The ledger is a list here.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use crate::gateway::GatewayConfig;
use crate::state::{AlertsBefore, Incident, IncidentKey, MailKind, Mute, NewMail, Severity};

use super::*;

const START: DateTime<Utc> = DateTime::from_timestamp(1_795_187_100, 0).expect("representable");

struct World {
    policy: Policy,
    incidents: BTreeMap<i64, Incident>,
    mails: Vec<(DateTime<Utc>, NewMail)>,
    mutes: Vec<Mute>,
    now: DateTime<Utc>,
}

impl World {
    fn new() -> Self {
        Self::at(START)
    }

    fn at(now: DateTime<Utc>) -> Self {
        let policy = Policy::new(&AlertConfig::default(), None);
        Self { policy, incidents: BTreeMap::new(), mails: Vec::new(), mutes: Vec::new(), now }
    }

    fn before(&self, seen: &[Observation]) -> AlertsBefore {
        let is_newest = |one: &&Incident| {
            let of_key = self.incidents.values().filter(|other| other.key == one.key);
            of_key.map(|other| other.id).max() == Some(one.id)
        };
        let is_asked = |one: &Incident| seen.iter().any(|seen| seen.key == one.key);
        let wanted = |one: &&Incident| one.is_open() || one.held_by.is_some() || (is_asked(one) && is_newest(one));
        let hour_ago = self.now - TimeDelta::hours(1);
        let alerts = self.mails.iter().filter(|(at, mail)| *at > hour_ago && mail.kind == MailKind::Alert);
        let waits =
            |(_, mail): &&(DateTime<Utc>, NewMail)| mail.kind == MailKind::HeldBack && mail.not_before > self.now;
        AlertsBefore {
            incidents: self.incidents.values().filter(wanted).cloned().collect(),
            mutes: self.mutes.iter().filter(|mute| mute.until > self.now).cloned().collect(),
            queued_at: alerts.map(|(at, _)| *at).collect(),
            summary: self.mails.iter().rev().find(waits).map(|(_, mail)| mail.message_id.clone()),
            next_id: self.incidents.keys().max().unwrap_or(&0) + 1,
        }
    }

    /// One run; gives the first words of each mail that was queued or changed.
    fn run(&mut self, seen: &[Observation]) -> Vec<String> {
        let origin = Origin {
            host: "desk".into(),
            version: "0.1.0".into(),
            config_hash: "0".into(),
            recipients: "desk@example.com".into(),
        };
        let looker = Looker { job: "quality".into(), run_id: "r1".into(), slot: self.now };
        let setting = Setting { policy: &self.policy, origin: &origin, looker: &looker, now: self.now };
        let changes = plan(setting, seen, self.before(seen));
        self.incidents.extend(changes.incidents.into_iter().map(|one| (one.id, one)));
        let heads = changes.mails.iter().map(head).collect();
        for mail in changes.mails {
            match self.mails.iter_mut().find(|(_, known)| known.message_id == mail.message_id) {
                Some((_, known)) => {
                    assert_eq!(mail.kind, MailKind::HeldBack, "a Message-ID was used twice: {}", mail.message_id);
                    *known = mail;
                }
                None => self.mails.push((self.now, mail)),
            }
        }
        heads
    }

    fn after(&mut self, minutes: i64) -> &mut Self {
        self.now += TimeDelta::minutes(minutes);
        self
    }

    fn mute(&mut self, pattern: &str, minutes: i64) {
        let until = self.now + TimeDelta::minutes(minutes);
        self.mutes.push(Mute { pattern: pattern.into(), reason: "known".into(), muted_at: self.now, until });
    }
}

fn letter(mail: &NewMail) -> Letter {
    serde_json::from_str(&mail.letter).expect("a letter")
}

/// The headline up to what it is about.
fn head(mail: &NewMail) -> String {
    letter(mail).text.lines().next().unwrap_or_default().to_owned()
}

fn key(check: &str, symbol: &str) -> IncidentKey {
    IncidentKey::new(check, "futures_snapshots", symbol)
}

fn fails(check: &str, symbol: &str, severity: Severity) -> Observation {
    Observation::failed(key(check, symbol), severity, Facts { observed: "7 slots missing".into(), ..Facts::default() })
}

fn error(symbol: &str) -> Observation {
    fails("complete.session", symbol, Severity::Error)
}

fn passes(symbol: &str) -> Observation {
    Observation::passed(key("complete.session", symbol))
}

const NONE: [&str; 0] = [];

#[test]
fn an_incident_is_told_once_again_after_hours_and_when_it_is_over() {
    let mut world = World::new();
    assert_eq!(world.run(&[error("ES")]), ["NEW · ERROR · complete.session ES"]);
    for _ in 0..7 {
        assert_eq!(world.after(30).run(&[error("ES")]), NONE);
    }
    assert_eq!(world.after(30).run(&[error("ES")]), ["STILL FAILING · ERROR · complete.session ES"]);
    assert_eq!(world.after(30).run(&[passes("ES")]), NONE, "one pass is no end");
    assert_eq!(world.after(30).run(&[passes("ES")]), ["RESOLVED · ERROR · complete.session ES"]);
    assert_eq!(world.after(30).run(&[passes("ES")]), NONE);
    let mails: Vec<Letter> = world.mails.iter().map(|(_, mail)| letter(mail)).collect();
    assert!(mails[2].text.contains("RESOLVED after 5 h, 9 failures"), "{}", mails[2].text);
    let subjects: Vec<String> = mails.iter().map(Letter::full_subject).collect();
    let subject = "[jobs] ERROR complete.session ES";
    assert_eq!(subjects, [subject.to_owned(), format!("Re: {subject}"), format!("Re: {subject}")]);
    assert_eq!(mails[0].message_id, "<jobs.1.1@desk>");
    assert_eq!(mails[2].follows, ["<jobs.1.1@desk>", "<jobs.1.2@desk>"]);
}

#[test]
fn worse_is_told_at_once_and_better_is_not() {
    let mut world = World::new();
    world.run(&[fails("quote.stale", "ES", Severity::Warn)]);
    assert_eq!(world.after(5).run(&[fails("quote.stale", "ES", Severity::Error)]), ["WORSE · ERROR · quote.stale ES"]);
    assert_eq!(world.after(5).run(&[fails("quote.stale", "ES", Severity::Warn)]), NONE);
    let told = world.after(5).run(&[fails("quote.stale", "ES", Severity::Critical)]);
    assert_eq!(told, ["WORSE · CRITICAL · quote.stale ES"]);
    assert!(world.mails.iter().all(|(_, mail)| letter(mail).subject == "[jobs] WARN quote.stale ES"), "one thread");
}

#[test]
fn one_failure_between_passes_does_not_end_the_counting() {
    let mut world = World::new();
    world.run(&[error("ES")]);
    for _ in 0..5 {
        assert_eq!(world.after(5).run(&[passes("ES")]), NONE);
        assert_eq!(world.after(5).run(&[error("ES")]), NONE);
    }
}

fn recover(world: &mut World, symbol: &str) -> Vec<String> {
    world.after(5).run(&[passes(symbol)]);
    world.after(5).run(&[passes(symbol)])
}

#[test]
fn what_fails_soon_again_flaps_and_then_takes_longer_to_be_over() {
    let mut world = World::new();
    world.run(&[error("ES")]);
    assert_eq!(recover(&mut world, "ES").len(), 1);
    assert_eq!(world.after(10).run(&[error("ES")]), ["FLAPPING · ERROR · complete.session ES"]);
    assert!(letter(&world.mails[2].1).text.contains("for the 1st time: it flaps"));
    assert_eq!(recover(&mut world, "ES"), NONE, "two passes are not enough any more");
    assert_eq!(world.after(49).run(&[passes("ES")]), NONE);
    assert_eq!(world.after(1).run(&[passes("ES")]).len(), 1, "an hour of quiet is");
    assert_eq!(world.after(5).run(&[error("ES")]).len(), 1);
    assert_eq!(world.after(60).run(&[passes("ES")]).len() + world.after(55).run(&[passes("ES")]).len(), 0);
    assert_eq!(world.after(5).run(&[passes("ES")]).len(), 1, "two hours the next time");
    assert_eq!(world.incidents.len(), 1);
}

#[test]
fn what_fails_much_later_is_another_incident() {
    let mut world = World::new();
    world.run(&[error("ES")]);
    recover(&mut world, "ES");
    assert_eq!(world.after(61).run(&[error("ES")]), ["NEW · ERROR · complete.session ES"]);
    assert_eq!(world.incidents.len(), 2);
    assert_eq!(letter(&world.mails[2].1).follows, NONE);
}

#[test]
fn what_a_clock_ahead_saw_ends_and_is_told_again_by_the_clock_set_back() {
    let mut world = World::new();
    assert_eq!(world.after(24 * 60).run(&[error("ES"), error("NQ")]).len(), 2);
    world.after(-24 * 60);
    assert_eq!(recover(&mut world, "ES"), ["RESOLVED · ERROR · complete.session ES"]);
    for _ in 0..8 {
        assert_eq!(world.after(30).run(&[error("NQ")]), NONE);
    }
    assert_eq!(world.after(30).run(&[error("NQ")]), ["STILL FAILING · ERROR · complete.session NQ"]);
}

#[test]
fn a_mute_holds_back_and_the_end_says_so() {
    let mut world = World::new();
    world.mute("complete.session", 240);
    assert_eq!(world.run(&[error("ES"), fails("quote.age", "ES", Severity::Error)]), ["NEW · ERROR · quote.age ES"]);
    assert_eq!(world.after(5).run(&[error("ES")]), NONE);
    let told = recover(&mut world, "ES");
    assert_eq!(told, ["RESOLVED · ERROR · complete.session ES"]);
    let text = letter(&world.mails[1].1).text;
    assert!(text.contains("RESOLVED after 15 min, 2 failures; 2 mails were held back meanwhile"), "{text}");
}

#[test]
fn what_goes_on_after_a_mute_is_told_then() {
    let mut world = World::new();
    world.mute("complete.session:futures_snapshots:ES", 20);
    world.run(&[error("ES")]);
    assert_eq!(world.after(10).run(&[error("ES")]), NONE);
    assert_eq!(world.after(10).run(&[error("ES")]), ["NEW · ERROR · complete.session ES"]);
    let text = letter(&world.mails[0].1).text;
    assert!(text.contains("Failing for 20 min, 3 failures; 2 mails held back before"), "{text}");
}

fn many(count: u32) -> Vec<Observation> {
    (0..count)
        .map(|n| fails(["price.tick_grid", "quote.bid_ask"][n as usize % 2], &format!("S{n}"), Severity::Error))
        .collect()
}

#[test]
fn many_at_once_are_one_mail_by_check() {
    let mut world = World::new();
    assert_eq!(world.run(&many(12)), ["12 ALERTS · ERROR"]);
    let digest = letter(&world.mails[0].1);
    assert!(digest.text.contains("price.tick_grid: 6:\n  - NEW: futures_snapshots S0 (error), 7 slots missing"));
    assert_eq!(digest.subject, "[jobs] ERROR 12 alerts: price.tick_grid, quote.bid_ask 2026-11-20");
    assert_eq!(world.after(30).run(&many(12)), NONE);
    let passed = |seen: &Observation| Observation::passed(seen.key.clone());
    let one_over = [passed(&many(1)[0])];
    world.after(5).run(&one_over);
    assert_eq!(world.after(5).run(&one_over), ["RESOLVED · ERROR · price.tick_grid S0"]);
    assert_eq!(letter(&world.mails[1].1).follows, [digest.message_id]);
    assert_eq!(world.after(300).run(&many(5)).len(), 5, "five are five mails");
}

fn gateway(verdict: fn(IncidentKey) -> Observation) -> Observation {
    verdict(IncidentKey::new(GATEWAY_DOWN, "", "127.0.0.1:4002"))
}

fn down() -> Observation {
    gateway(|key| Observation::failed(key, Severity::Critical, Facts::default()))
}

#[test]
fn a_gateway_that_is_down_holds_back_what_follows_from_it() {
    let mut world = World::new();
    let follows = |symbol: &str| error(symbol).following_from(GATEWAY_DOWN);
    let told =
        world.run(&[follows("ES"), follows("NQ"), follows("RTY"), down(), fails("delta.health", "x", Severity::Error)]);
    assert_eq!(told, ["NEW · CRITICAL · gateway.down 127.0.0.1:4002", "NEW · ERROR · delta.health x"]);
    assert_eq!(world.after(30).run(&[follows("ES"), follows("NQ"), down()]), NONE);
    assert_eq!(recover(&mut world, "RTY"), NONE, "its cause tells it");
    let up = || gateway(Observation::passed);
    world.after(5).run(&[up(), follows("ES"), passes("NQ")]);
    let told = world.after(5).run(&[up(), follows("ES"), passes("NQ")]);
    assert_eq!(told, ["RESOLVED · CRITICAL · gateway.down 127.0.0.1:4002"]);
    let text = letter(&world.mails.last().expect("a mail").1).text;
    for line in [
        "complete.session ES in futures_snapshots: 4 failures, 50 min, goes on",
        "complete.session NQ in futures_snapshots: 2 failures, 50 min, over",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(text.contains("complete.session RTY in futures_snapshots: 1 failure"), "{text}");
    assert_eq!(world.after(5).run(&[up(), follows("ES")]), ["NEW · ERROR · complete.session ES"], "now it is its own");
}

#[test]
fn the_nightly_reset_is_no_incident_unless_it_outlasts_itself() {
    let mut world = World::at("2026-11-21T04:30:00Z".parse().expect("23:30 in New York"));
    world.policy.reset_window = Some(GatewayConfig::default().reset_window());
    for _ in 0..27 {
        assert_eq!(world.run(&[down(), error("ES").following_from(GATEWAY_DOWN)]), NONE, "{}", world.now);
        world.after(5);
    }
    assert_eq!(world.incidents.len(), 0);
    assert_eq!(world.run(&[error("NQ")]), ["NEW · ERROR · complete.session NQ"]);
    let told = world.run(&[down(), error("ES").following_from(GATEWAY_DOWN)]);
    assert_eq!(told, ["NEW · CRITICAL · gateway.down 127.0.0.1:4002"]);
}

#[test]
fn warnings_of_the_night_go_in_the_morning_and_errors_at_once() {
    let mut world = World::at("2026-11-21T04:30:00Z".parse().expect("23:30 in New York"));
    let (from, until) = ("22:00".parse().ok(), "07:00".parse().ok());
    world.policy = Policy::new(&AlertConfig { quiet_from: from, quiet_until: until, ..AlertConfig::default() }, None);
    world.run(&[fails("quote.stale", "ES", Severity::Warn), error("ES")]);
    let due: Vec<_> = world.mails.iter().map(|(_, mail)| mail.not_before).collect();
    assert_eq!(due, [world.now, "2026-11-21T12:00:00Z".parse().expect("07:00 in New York")]);
}

#[test]
fn the_rest_of_an_hour_is_one_mail_with_their_number() {
    let mut world = World::new();
    world.policy.hourly_cap = 3;
    assert_eq!(world.run(&many(2)).len(), 2);
    let third: Vec<_> = many(5).split_off(2);
    assert_eq!(world.after(5).run(&third), ["NEW · ERROR · price.tick_grid S2", "2 MORE ALERTS WERE HELD BACK"]);
    assert_eq!(world.after(5).run(&many(6).split_off(5)), ["3 MORE ALERTS WERE HELD BACK"]);
    assert_eq!(world.mails.len(), 4, "the summary took the new text");
    assert_eq!(world.mails[3].1.not_before, START + TimeDelta::hours(1));
    assert!(letter(&world.mails[3].1).text.contains("S5 (error)"));
    assert_eq!(world.after(61).run(&many(7).split_off(6)), ["NEW · ERROR · price.tick_grid S6"]);
    assert!(world.incidents.values().all(|one| one.held_by.is_none()), "the summary is on its way");
}

#[test]
fn a_check_that_broke_or_had_nothing_to_look_at_says_nothing() {
    use crate::state::CheckStatus::{Error, Skipped};
    let mut world = World::new();
    world.run(&[error("ES")]);
    for status in [Error, Skipped] {
        let seen = Observation { status, ..passes("ES") };
        assert_eq!(world.after(5).run(&[seen.clone(), seen]), NONE);
    }
    assert_eq!(world.after(5).run(&[passes("ES")]), NONE);
    let logged = Observation { reach: Reach::Log, ..error("NQ") };
    assert_eq!(world.run(&[logged]), NONE);
    assert_eq!(world.incidents.len(), 1);
}

#[test]
fn a_unit_that_runs_again_is_well_at_once() {
    let mut world = World::new();
    let unit = |verdict: fn(IncidentKey) -> Observation| verdict(IncidentKey::new(UNIT_FAILED, "", "jobs.service"));
    world.run(&[unit(|key| Observation::failed(key, Severity::Critical, Facts::default()))]);
    assert_eq!(world.after(5).run(&[unit(Observation::passed)]).len(), 1);
}

/// What one run sees: for each of four series pass, nothing, or a failure; and whether the gateway is down.
fn stories() -> impl Strategy<Value = Vec<(i64, Vec<u8>, bool)>> {
    let run = (1_i64..120, prop::collection::vec(0_u8..5, 4), prop::bool::weighted(0.2));
    prop::collection::vec(run, 1..60)
}

fn seen((choices, is_down): (&[u8], bool)) -> Vec<Observation> {
    let one = |(number, choice): (usize, &u8)| {
        let symbol = format!("S{number}");
        let failed = |severity| Some(fails("complete.session", &symbol, severity).following_from(GATEWAY_DOWN));
        match choice {
            0 => None,
            1 | 2 => Some(passes(&symbol)),
            3 => failed(Severity::Warn),
            _ => failed(Severity::Error),
        }
    };
    let up = if is_down { down() } else { gateway(Observation::passed) };
    choices.iter().enumerate().filter_map(one).chain([up]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// No incident is mailed twice between reminders but for a change, none is forgotten, and the hour's bound holds.
    #[test]
    fn nobody_is_told_twice_and_nothing_is_left_untold(story in stories(), cap in 2_usize..8, muted in any::<bool>()) {
        let mut world = World::new();
        world.policy.hourly_cap = cap;
        world.policy.digest_above = 3;
        if muted {
            world.mute("complete.session:futures_snapshots:S0", 300);
        }
        for (minutes, choices, is_down) in story {
            let was = world.incidents.clone();
            let num_mails = world.mails.len();
            world.after(minutes).run(&seen((&choices, is_down)));
            for one in world.incidents.values() {
                let before = was.get(&one.id);
                if one.mailed_at == Some(world.now) {
                    let is_change = before.is_none_or(|before| {
                        before.told_severity < Some(one.severity) || before.state != one.state
                    });
                    let last = before.and_then(|before| before.mailed_at);
                    let is_due = last.is_none_or(|last| world.now - last >= world.policy.repeat_interval);
                    prop_assert!(is_change || is_due, "told twice: {one:?}");
                }
                let is_told = one.told_severity.is_some() && one.first_mail.is_some();
                let is_held = one.num_held_back > 0 && (one.held_by.is_some() || !one.is_open());
                prop_assert!(is_told || is_held, "neither told nor held back: {one:?}");
                if let Some(told) = &one.last_mail {
                    prop_assert!(world.mails.iter().any(|(_, mail)| mail.message_id == *told), "{told} is no mail");
                }
            }
            let of_run = world.mails.len() - num_mails;
            prop_assert!(of_run <= 4, "{of_run} mails of one run");
            let hour_ago = world.now - TimeDelta::hours(1);
            let alerts = world.mails.iter().filter(|(at, mail)| *at > hour_ago && mail.kind == MailKind::Alert);
            prop_assert!(alerts.count() <= cap, "more than {cap} in an hour");
        }
    }
}
