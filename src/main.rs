//! The program `jobs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    frontmonth::cli::main()
}
