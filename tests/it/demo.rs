//! The demo: the whole story in one command, and nothing left behind.

use crate::support::{Desk, ended};

#[test]
fn the_demo_tells_the_whole_story_and_leaves_nothing() {
    let (desk, elsewhere) = (Desk::bare(), Desk::bare());
    let mut command = desk.command(&["demo"]);
    let told = ended(command.env("TMPDIR", elsewhere.path())).succeeded();
    for part in [
        "SIMULATED DATA",
        "1. Data",
        "2. Signals",
        "3. Rules",
        "4. The book on paper",
        "5. With and without futures",
        "insufficient",
        "6. The mail of the morning",
        "WHAT TO DISTRUST TODAY",
    ] {
        assert!(told.stdout.contains(part), "{part} in {told:#?}");
    }
    for folder in [desk.path(), elsewhere.path()] {
        let left: Vec<_> = std::fs::read_dir(folder).expect("a folder").collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
