//! The second name of `jobs`, for shells in which `jobs` is a builtin: hands everything to the `jobs` beside it.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let beside = std::env::current_exe().and_then(|path| path.canonicalize()).map(|path| path.with_file_name("jobs"));
    let program = match beside {
        Ok(program) => program,
        Err(error) => {
            eprintln!("error: cannot find this program's own folder: {error}");
            return ExitCode::FAILURE;
        }
    };
    let error = Command::new(&program).args(std::env::args_os().skip(1)).exec();
    eprintln!("error: cannot run {}: {error}: install jobs and frontmonth in one folder", program.display());
    ExitCode::FAILURE
}
