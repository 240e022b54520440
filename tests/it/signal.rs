//! `jobs signal` and `jobs decide` over three simulated sessions.

use std::sync::LazyLock;

use crate::support::{Desk, Ended, ended, text};

/// A desk whose lake is that of a simulation; made once, since nobody writes to it.
static DESK: LazyLock<Desk> = LazyLock::new(|| {
    let desk = Desk::bare();
    desk.jobs(&["simulate", "--from", "2026-03-02", "--to", "2026-03-04"]).succeeded();
    desk.configure("lake: { uri: data/simulation/lake }\n");
    desk
});

const AT: [&str; 2] = ["--at", "2026-03-04T09:00"];

fn ask(arguments: &[&str]) -> Ended {
    DESK.jobs(arguments)
}

#[test]
fn a_signal_tells_its_numbers_and_its_reasoning() {
    let told = ask(&["signal", "SPY", AT[0], AT[1]]).succeeded().stdout;
    insta::assert_snapshot!(told);
    let signal = &ask(&["signal", "SPY", AT[0], AT[1], "--format", "jsonl"]).succeeded().lines()[0];
    assert_eq!([text(signal, "symbol"), text(signal, "futures_symbol")], ["SPY", "ES"]);
    let confidence = signal["confidence"].as_f64().expect("a number");
    assert!((0.0..=1.0).contains(&confidence), "{confidence}");
    assert_eq!(signal["spot_price"], serde_json::Value::Null, "the ETF does not trade at nine");
    assert_eq!(ask(&["signal", "SPY", AT[0], AT[1]]).succeeded().stdout, told, "it writes nothing");
}

#[test]
fn what_came_later_changes_nothing() {
    let at = |lake: &str| {
        let uri = format!("lake: {{ uri: {lake} }}\n");
        let desk = Desk::bare();
        desk.jobs(&["simulate", "--from", "2026-03-02", "--to", "2026-03-03"]).succeeded();
        desk.configure(&uri);
        desk.jobs(&["signal", "QQQ", "--at", "2026-03-03T09:00", "--format", "jsonl"]).succeeded().stdout
    };
    let longer = ask(&["signal", "QQQ", "--at", "2026-03-03T09:00", "--format", "jsonl"]).succeeded().stdout;
    assert_eq!(at("data/simulation/lake"), longer);
}

#[test]
fn a_decision_tells_the_verdict_of_every_rule() {
    let told = ask(&["decide", "SPY", AT[0], AT[1], "--outlook", "bullish"]).succeeded().stdout;
    insta::assert_snapshot!(told);
    let decision =
        &ask(&["decide", "SPY", AT[0], AT[1], "--outlook", "bullish", "--format", "jsonl"]).succeeded().lines()[0];
    let verdicts = decision["verdicts"].as_array().expect("verdicts");
    let rules: Vec<String> = verdicts.iter().map(|verdict| text(verdict, "rule")).collect();
    assert_eq!(
        rules,
        ["futures_bullish_entry", "futures_bearish_entry", "futures_contrarian_entry", "futures_momentum_entry"]
    );
}

#[test]
fn without_an_answer_the_reason_is_told() {
    let mut command = DESK.command(&["decide", "SPY", AT[0], AT[1]]);
    let no_outlook = ended(command.env("JOBS__SIGNALS__OUTLOOK_LONG_SESSIONS", "100")).succeeded().stdout;
    assert!(no_outlook.contains("needs the closes of 100 sessions, of which "), "{no_outlook}");
    let stale = ask(&["signal", "SPY", "--at", "2026-03-06T09:00"]).succeeded().stdout;
    assert!(stale.contains("no signal: the newest price of ES is"), "{stale}");
    let none = &ask(&["signal", "IWM", "--at", "2025-06-02T09:00", "--format", "jsonl"]).succeeded().lines()[0];
    assert!(text(none, "skipped").contains("no price of RTY yet"), "{none}");
}

#[test]
fn wrong_questions_are_refused_with_what_to_ask() {
    let refused = |arguments: &[&str], told: &str| {
        let ended = ask(arguments);
        assert!(ended.code == 2 && ended.stderr.contains(told), "{ended:#?}");
    };
    refused(&["signal", "DIA"], "DIA has no future: ask for SPY, QQQ, IWM");
    refused(&["signal", "SPY", "--at", "2126-03-04T09:00"], "lies in the future");
    refused(&["signal", "SPY", "--spot=-1"], "--spot -1");
    refused(&["decide", "SPY", "--iv-rank", "101"], "from 0 to 100");
    refused(&["decide", "SPY", "--outlook", "up"], "bearish, neutral, bullish");
}

#[test]
fn a_basis_needs_the_dividend_and_is_future_less_index_where_one_is_fed() {
    // While SPY trades, one session after the close it is compared with.
    let asked = |name: &str, signals: &str| {
        let file = DESK.path().join(format!("{name}.yaml"));
        std::fs::write(&file, format!("lake: {{ uri: data/simulation/lake }}\nsignals: {{ {signals} }}\n"))
            .expect("written");
        let question = ["signal", "SPY", "--at", "2026-03-03T12:00", "--config", file.to_str().expect("UTF-8")];
        let told = ask(&question).succeeded().stdout;
        let document = ask(&[&question[..], &["--format", "jsonl"]].concat()).succeeded().lines().remove(0);
        (told, document)
    };
    let number =
        |document: &serde_json::Value, field: &str| document[field].as_f64().unwrap_or_else(|| panic!("{field}"));
    let (_, plain) = asked("plain", "");
    let known = number(&plain, "basis");
    assert_eq!(number(&plain, "dividend").to_bits(), 0.0_f64.to_bits());
    let ex = |usd: &str| {
        let file = format!("dividends{}.yaml", usd.len());
        std::fs::write(DESK.path().join(&file), format!("- {{ etf: SPY, ex_date: 2026-03-03{usd} }}\n"))
            .expect("written");
        format!("dividends_file: {file}")
    };
    let (told, unknown) = asked("unknown", &ex(""));
    assert!(told.contains("nobody knows what SPY went ex since its close"), "{told}");
    assert!(
        unknown["basis"].is_null() && unknown["dividend"].is_null() && !unknown["spot_price"].is_null(),
        "{unknown}"
    );
    let (_, paid) = asked("paid", &ex(", usd: 0.25"));
    let expected = known - 0.25 * number(&plain, "futures_close") / number(&plain, "spot_close");
    assert!((number(&paid, "basis") - expected).abs() < 1e-6, "{paid}");
    let (told, absurd) = asked("absurd", &ex(", usd: 25.0"));
    assert!(absurd["basis"].is_null() && told.contains("or a price is wrong"), "{told}");
    std::fs::write(
        DESK.path().join("index.jsonl"),
        "{\"index\":\"SPX\",\"at\":\"2026-03-03T17:00:00Z\",\"level\":6001.5}\n",
    )
    .expect("written");
    let (_, fed) = asked("fed", "pairs: [{ etf: SPY, future: ES, index: SPX }], index_file: index.jsonl");
    assert_eq!(number(&fed, "basis").to_bits(), (number(&fed, "futures_price") - 6001.5).to_bits(), "{fed}");
    let nowhere = |arguments: &[&str]| {
        let mut command = DESK.command(arguments);
        ended(command.env("JOBS__SIGNALS__DIVIDENDS_FILE", "nowhere.yaml"))
    };
    let refused = nowhere(&["config", "check"]);
    assert!(refused.code == 78 && refused.stderr.contains("nowhere.yaml"), "{refused:#?}");
    let gone_on = nowhere(&["signal", "SPY", "--at", "2026-03-03T12:00"]).succeeded();
    assert!(gone_on.stdout.contains("nobody knows what SPY went ex"), "a list that cannot be read stops nothing");
}
