//! `jobs` is a builtin of bash: the shell function gives it to both.

use std::process::Command;

use crate::support::ended;

#[test]
fn in_bash_the_function_hands_subcommands_to_the_program_and_the_rest_to_the_builtin() {
    let program = env!("CARGO_BIN_EXE_jobs");
    let script = format!(
        r#"eval "$('{program}' shell-init bash)"
           sleep 100 & worker=$!
           listed=$(mktemp); jobs -p > "$listed"; echo "builtin: $(grep -c "^$worker$" "$listed")"; rm "$listed"
           jobs calendar is-open nyse --at 2026-11-18T12:00
           echo "program: $?"
           jobs -z 2>/dev/null; echo "builtin error: $?"
           complete -p jobs frontmonth | wc -l
           kill $worker"#
    );
    let told = ended(Command::new("bash").args(["--norc", "-ic", &script]));
    let lines: Vec<&str> = told.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "builtin: 1",
            "nyse is open at Wed 2026-11-18 12:00 ET, until Wed 2026-11-18 16:00 ET",
            "program: 0",
            "builtin error: 2",
            "2",
        ],
        "{told:#?}"
    );
}

#[test]
fn the_second_name_is_the_same_program() {
    let told = ended(Command::new(env!("CARGO_BIN_EXE_frontmonth")).args([
        "calendar",
        "is-open",
        "nyse",
        "--at",
        "2026-11-18T08:00",
    ]));
    assert_eq!((told.code, told.stdout.starts_with("nyse is closed")), (1, true), "{told:#?}");
}
