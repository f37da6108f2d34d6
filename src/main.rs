//! The command `greffe`.

fn main() -> std::process::ExitCode {
    greffe::cli::run()
}
