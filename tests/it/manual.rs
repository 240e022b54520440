//! `jobs man` and `jobs completions`: made from the same descriptions as the help.

use crate::support::Desk;

#[test]
fn the_manual_knows_every_command_and_the_exit_codes() {
    let desk = Desk::bare();
    let manual = desk.jobs(&["man"]).succeeded().stdout;
    let names = ["RUN SNAPSHOT", "STATUS", "DOCTOR", "LOGS", "PAUSE", "RESUME", "CALENDAR IS-OPEN", "GATEWAY SIMULATE"];
    for name in names {
        assert!(manual.contains(&format!(".SH \"JOBS {name}\"")), "{name}");
    }
    assert!(manual.contains(".SH \"EXIT STATUS\"") && manual.contains("\\fB78\\fR") && manual.contains(".SH FILES"));
    assert_eq!(manual.matches("fB\\-\\-config\\fR \\fI<FILE>").count(), 1, "common options stand once");
    let told = desk.jobs(&["man", "--directory", "man/man1"]).succeeded().stdout;
    let pages = std::fs::read_dir(desk.path().join("man/man1")).expect("a folder").count();
    assert!(pages > 25 && told.starts_with(&format!("{pages} pages")), "{told}");
    let page = std::fs::read_to_string(desk.path().join("man/man1/jobs-run-snapshot.1")).expect("a page");
    assert!(page.contains("jobs run snapshot \\-\\-at") && page.contains(".SH \"EXIT STATUS\""), "{page}");
}

#[test]
fn completions_are_of_both_names() {
    let desk = Desk::bare();
    for (shell, first, second) in [
        ("bash", "complete -F _jobs", "complete -F _frontmonth"),
        ("zsh", "#compdef jobs", "#compdef frontmonth"),
        ("fish", "complete -c jobs ", "complete -c frontmonth "),
    ] {
        let script = desk.jobs(&["completions", shell]).succeeded().stdout;
        assert!(script.contains(first) && script.contains(second), "{shell}");
    }
    assert_eq!(desk.jobs(&["completions", "csh"]).code, 2);
}
