//! Bounds the arenas of the allocator, for the commands that run thousands of jobs in one process.
//!
//! glibc gives each thread an arena of its own, up to eight a core, and keeps in it what was freed there. Runs come and go
//! on threads of their own, so a simulated year held four times the memory that it used. The bound can only be set by a
//! call into C, which is unsafe code, or by the environment before the first allocation: hence the second start.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The variable by which glibc is told; a value that somebody else gave stands.
const VARIABLE: &str = "MALLOC_ARENA_MAX";

/// As in the systemd units.
const NUM_ARENAS: &str = "2";

/// Starts this program again with the same arguments and two arenas, unless a bound is set already. Process, parent and
/// open files stay what they are, so that a service manager notices nothing. To be called before threads, locks, files
/// and signal handlers. Where it does not work the command goes on with the memory that it takes.
pub(super) fn bound() {
    if !cfg!(target_env = "gnu") || env::var_os(VARIABLE).is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let mut arguments = env::args_os();
    let mut again = Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    let error = again.args(arguments).env(VARIABLE, NUM_ARENAS).exec();
    tracing::debug!(%error, "the arenas of the allocator stay unbounded");
}
