//! What the daemon tells by mail of runs that failed, were missed or took too long.

use super::*;

/// Subject and first line of the text of each mail in a scene's maildir, in the order of their numbers.
fn mails(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder.join("mail/new")).into_iter().flatten();
    let mut mails: Vec<(DateTime<Utc>, String, String, String)> = entries
        .map(|entry| {
            let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a mail");
            let header = |name: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
                line.unwrap_or_default().to_owned()
            };
            let date = DateTime::parse_from_rfc2822(&header("Date")).expect("a date").to_utc();
            (date, header("Message-ID"), header("Subject"), text)
        })
        .collect();
    mails.sort();
    mails.into_iter().map(|(_, _, subject, text)| (subject, text)).collect()
}

fn subjects(folder: &Path) -> Vec<String> {
    mails(folder).into_iter().map(|(subject, _)| subject).collect()
}

/// The clock of a scene runs five minutes in no time, and the run before may not have come home yet.
const QUEUED: &str = ", overlap: queue_one";

#[test]
fn a_gateway_that_is_down_for_three_hours_is_two_mails() {
    let is_down = Arc::new(AtomicBool::new(true));
    let jobs = [acting("captures", Act::Gateway(is_down.clone())), acting("fills", Act::Gateway(is_down.clone()))];
    let scene = Scene::start(&each_five_minutes(&[("captures", QUEUED), ("fills", QUEUED)]), &jobs);
    let slots: Vec<String> = (0..36).map(|k| format!("{:02}:{:02}", 10 + (k + 1) / 12, (k + 1) % 12 * 5)).collect();
    for slot in &slots {
        scene.tick(slot);
        scene.reaches(("captures", slot), RunState::Failed);
        scene.reaches(("fills", slot), RunState::Failed);
    }
    is_down.store(false, Ordering::SeqCst);
    for slot in ["13:05", "13:10"] {
        scene.tick(slot);
        scene.reaches(("captures", slot), RunState::Done);
        scene.reaches(("fills", slot), RunState::Done);
    }
    let folder = scene.folder.clone();
    scene.stop();
    let told = mails(folder.path());
    assert_eq!(
        told.iter().map(|(subject, _)| subject.as_str()).collect::<Vec<_>>(),
        ["[jobs] CRITICAL gateway.down gateway", "Re: [jobs] CRITICAL gateway.down gateway"]
    );
    assert!(told[0].1.contains("cannot connect to the gateway") && told[0].1.contains("jobs doctor"), "{}", told[0].1);
    assert!(told[1].1.contains("RESOLVED"), "{}", told[1].1);
}

#[test]
fn a_run_that_fails_is_told_once_and_so_is_its_end() {
    let scene = Scene::start(
        &each_five_minutes(&[("panics", ""), ("endless", ", timeout: 1s"), ("healthy", "")]),
        &[acting("panics", Act::Panic), acting("endless", Act::Endless), acting("healthy", Act::Done)],
    );
    for slot in ["10:05", "10:10"] {
        scene.tick(slot);
        scene.reaches(("panics", slot), RunState::Failed);
        scene.reaches(("endless", slot), RunState::TimedOut);
        scene.reaches(("healthy", slot), RunState::Done);
    }
    let folder = scene.folder.clone();
    scene.stop();
    let mut told = subjects(folder.path());
    told.sort();
    assert_eq!(told, ["[jobs] ERROR run.failed endless", "[jobs] ERROR run.failed panics"]);
    let metrics = std::fs::read_to_string(folder.path().join("metrics/jobs.prom")).expect("metrics");
    for sample in [
        "last_run_failed{job=\"panics\"} 1",
        "last_run_failed{job=\"healthy\"} 0",
        "open_incidents{severity=\"error\"} 2",
    ] {
        assert!(metrics.contains(&format!("frontmonth_{sample}\n")), "{sample} in\n{metrics}");
    }
}

#[test]
fn slots_that_were_slept_through_are_one_mail() {
    let scene = Scene::start(&each_five_minutes(&[("healthy", "")]), &[acting("healthy", Act::Done)]);
    for slot in ["10:05", "11:10:20", "11:15", "11:20"] {
        scene.tick(slot);
        let slot = slot.get(..5).expect("a time");
        scene.reaches(("healthy", slot), RunState::Done);
    }
    let folder = scene.folder.clone();
    scene.stop();
    let told = mails(folder.path());
    assert_eq!(
        told.iter().map(|(subject, _)| subject.as_str()).collect::<Vec<_>>(),
        ["[jobs] WARN run.missed healthy", "Re: [jobs] WARN run.missed healthy"]
    );
    assert!(told[0].1.contains("12 slots without a run"), "{}", told[0].1);
}
