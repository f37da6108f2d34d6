//! One command a file; the doc comment of its arguments is its help.

mod access;
mod apply;
mod approve;
mod audit;
mod baseline;
mod capture;
mod compact;
mod completions;
mod erase;
mod evidence;
mod export;
mod gdpr;
mod gossip;
mod grant;
mod guard;
mod head;
mod hooks;
mod import;
mod init;
mod key;
mod lint;
mod log;
mod man;
mod mirror;
#[cfg(feature = "bitswap")]
mod node;
mod open;
mod plan;
mod policy;
mod proof;
mod prove_absent;
mod publish;
mod quickstart;
mod record;
mod repair;
mod replay;
mod replicas;
mod replicate;
mod report;
mod retention;
mod rollback;
mod scan;
mod schema;
mod serve;
mod settings_arguments;
mod show;
mod status;
mod subject;
mod timestamp;
mod token;
mod trust;
mod vault;
mod verify;
mod verify_evidence;
mod verify_fork;
mod watch;
mod witness;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use self::replicate::Destinations;
use self::settings_arguments::SettingsArguments;
use self::timestamp::Services;
pub use self::verify::{parse_age, threads};
use self::witness::after::ask_witnesses;
use super::context::Context;
use super::opening::record_unopened;
use super::{CommandResult, Exit};

/// A decentralized audit archive for database migrations.
///
/// Applies migration scripts, signs what happened, bundles both into a chain of content-addressed
/// manifests, and verifies that chain from nothing but a CID.
#[derive(Parser)]
#[command(name = "greffe", version, arg_required_else_help = true, max_term_width = 100)]
pub struct Arguments {
    /// Settings file [default: greffe.toml]
    #[arg(long, global = true, value_name = "PATH", help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// Print one JSON object on standard output
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// No progress and no remarks on standard error
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub quiet: bool,
    #[command(flatten)]
    pub settings: SettingsArguments,
    #[command(subcommand)]
    pub command: Command,
}

/// The commands, in the order in which a newcomer meets them.
#[derive(Subcommand)]
pub enum Command {
    Quickstart(quickstart::Quickstart),
    Init(init::Init),
    Apply(apply::Apply),
    Rollback(rollback::Rollback),
    Plan(plan::Plan),
    Approve(approve::Approve),
    Record(record::Record),
    Baseline(baseline::Baseline),
    Capture(capture::Capture),
    Guard(guard::GuardCommand),
    Status(status::Status),
    Audit(audit::Audit),
    Log(log::Log),
    Show(show::Show),
    Head(head::Head),
    Verify(verify::Verify),
    Report(report::Report),
    VerifyFork(verify_fork::VerifyFork),
    Replay(replay::Replay),
    Schema(schema::SchemaCommand),
    Lint(lint::Lint),
    Hooks(hooks::Hooks),
    Policy(policy::Policy),
    Scan(scan::Scan),
    Subject(subject::Subject),
    Evidence(evidence::Evidence),
    VerifyEvidence(verify_evidence::VerifyEvidence),
    Proof(proof::Proof),
    ProveAbsent(prove_absent::ProveAbsent),
    Export(export::Export),
    Import(import::Import),
    Compact(compact::Compact),
    Timestamp(timestamp::TimestampCommand),
    Replicate(replicate::Replicate),
    Replicas(replicas::Replicas),
    Publish(publish::Publish),
    Mirror(mirror::Mirror),
    Gossip(gossip::Gossip),
    Serve(serve::Serve),
    Token(token::Token),
    Witness(witness::Witness),
    Watch(watch::Watch),
    #[cfg(feature = "bitswap")]
    Node(node::Node),
    Repair(repair::Repair),
    Vault(vault::Vault),
    Erase(erase::Erase),
    Retention(retention::Retention),
    Grant(grant::Grant),
    Open(open::Open),
    Access(access::Access),
    Gdpr(gdpr::Gdpr),
    Key(key::Key),
    Trust(trust::Trust),
    Completions(completions::Completions),
    Man(man::Man),
}

impl Command {
    /// As what the access chain knows it, where it may open sealed content. Each command is named here, so that none is added
    /// without being asked.
    const fn opens(&self) -> Option<&'static str> {
        match self {
            Self::Apply(_) => Some("apply"),
            Self::Rollback(_) => Some("rollback"),
            Self::Plan(_) => Some("plan"),
            Self::Status(_) => Some("status"),
            Self::Audit(_) => Some("audit"),
            Self::Show(_) => Some("show"),
            Self::Verify(_) => Some("verify"),
            Self::Replay(_) => Some("replay"),
            Self::Schema(_) => Some("schema"),
            Self::Repair(_) => Some("repair"),
            Self::Grant(_) => Some("grant"),
            Self::Open(_) => Some("open"),
            Self::Vault(vault) => vault.opens(),
            Self::Record(_) | Self::Baseline(_) | Self::Subject(_) | Self::Evidence(_) => None,
            Self::Quickstart(_) | Self::Init(_) | Self::Approve(_) | Self::Capture(_) | Self::Log(_) => None,
            Self::Head(_) | Self::VerifyFork(_) | Self::Lint(_) | Self::Hooks(_) | Self::Policy(_) => None,
            Self::Scan(_) | Self::VerifyEvidence(_) | Self::Proof(_) | Self::ProveAbsent(_) => None,
            Self::Export(_) | Self::Import(_) | Self::Compact(_) | Self::Timestamp(_) => None,
            Self::Replicate(_) | Self::Replicas(_) | Self::Publish(_) | Self::Mirror(_) => None,
            Self::Gossip(_) | Self::Serve(_) | Self::Token(_) | Self::Witness(_) | Self::Erase(_) => None,
            Self::Retention(_) | Self::Access(_) | Self::Gdpr(_) | Self::Key(_) | Self::Trust(_) => None,
            Self::Completions(_) | Self::Man(_) | Self::Guard(_) | Self::Report(_) | Self::Watch(_) => None,
            #[cfg(feature = "bitswap")]
            Self::Node(_) => None,
        }
    }
}

/// Runs one command. What it archived is timestamped and goes to the replicas.
pub fn run(context: &Context, command: Command) -> CommandResult {
    let (archives, runs_scripts) = match &command {
        Command::Apply(apply) => (!apply.dry_run(), !apply.dry_run()),
        Command::Rollback(_) => (true, true),
        // What another tool does is not held up.
        Command::Record(_) | Command::Baseline(_) => (true, false),
        Command::Audit(audit) => (audit.records(), false),
        Command::Repair(_) | Command::Erase(_) | Command::Retention(_) => (true, false),
        Command::Plan(plan) => (plan.archives(), false),
        Command::Trust(trust) => (trust.archives(), false),
        Command::Policy(policy) => (policy.archives(), false),
        Command::Witness(witness) => (witness.asks(), false),
        _ => (false, false),
    };
    if !archives {
        return run_alone(context, command);
    }
    // What is erased has to be erased, whatever may be published.
    let erases = matches!(command, Command::Erase(_) | Command::Retention(_));
    let destinations = if erases { Destinations::assessed(context)? } else { Destinations::open(context)? };
    let services = Services::open(context.settings()?)?;
    if runs_scripts {
        destinations.require_answers()?;
    }
    let asks = matches!(command, Command::Witness(_));
    let reply = run_alone(context, command)?;
    // Before replicas, so that they get the head with its cosignatures and timestamps.
    let reply = if asks { reply } else { ask_witnesses(context, reply) };
    let reply = services.stamp(context, reply);
    let exit = destinations.bring(context, reply.exit);
    // The exit code of another tool is its own.
    let exit = if matches!(reply.exit, Exit::Tool(_)) { reply.exit } else { exit };
    Ok(reply.with_exit(exit))
}

/// Runs one command. What it failed to open is recorded: what it opened, it has recorded itself.
fn run_alone(context: &Context, command: Command) -> CommandResult {
    let opens = command.opens();
    let result = dispatch(context, command);
    if let (Some(purpose), Err(error)) = (opens, &result) {
        record_unopened(context, purpose, error);
    }
    result
}

fn dispatch(context: &Context, command: Command) -> CommandResult {
    match command {
        Command::Quickstart(command) => quickstart::run(context, &command),
        Command::Init(command) => init::run(context, &command),
        Command::Apply(command) => apply::run(context, &command),
        Command::Rollback(command) => rollback::run(context, &command),
        Command::Plan(command) => plan::run(context, &command),
        Command::Approve(command) => approve::run(context, &command),
        Command::Record(command) => record::run(context, &command),
        Command::Baseline(command) => baseline::run(context, &command),
        Command::Capture(command) => capture::run(context, &command),
        Command::Guard(command) => guard::run(context, &command),
        Command::Status(command) => status::run(context, &command),
        Command::Audit(command) => audit::run(context, &command),
        Command::Log(command) => log::run(context, &command),
        Command::Show(command) => show::run(context, &command),
        Command::Head(command) => head::run(context, &command),
        Command::Verify(command) => verify::run(context, &command),
        Command::Report(command) => report::run(context, &command),
        Command::VerifyFork(command) => verify_fork::run(&command),
        Command::Replay(command) => replay::run(context, &command),
        Command::Schema(command) => schema::run(context, &command),
        Command::Lint(command) => lint::run(context, &command),
        Command::Hooks(command) => hooks::run(context, &command),
        Command::Policy(command) => policy::run(context, &command),
        Command::Scan(command) => scan::run(context, &command),
        Command::Subject(command) => subject::run(context, &command),
        Command::Evidence(command) => evidence::run(context, &command),
        Command::VerifyEvidence(command) => verify_evidence::run(context, &command),
        Command::Proof(command) => proof::run(context, &command),
        Command::ProveAbsent(command) => prove_absent::run(context, &command),
        Command::Export(command) => export::run(context, &command),
        Command::Import(command) => import::run(context, &command),
        Command::Compact(command) => compact::run(context, &command),
        Command::Timestamp(command) => timestamp::run(context, &command),
        Command::Replicate(command) => replicate::run(context, &command),
        Command::Replicas(command) => replicas::run(context, &command),
        Command::Publish(command) => publish::run(context, &command),
        Command::Mirror(command) => mirror::run(context, &command),
        Command::Gossip(command) => gossip::run(context, &command),
        Command::Serve(command) => serve::run(context, &command),
        Command::Token(command) => token::run(context, &command),
        Command::Witness(command) => witness::run(context, &command),
        Command::Watch(command) => watch::run(context, &command),
        #[cfg(feature = "bitswap")]
        Command::Node(command) => node::run(context, &command),
        Command::Repair(command) => repair::run(context, &command),
        Command::Erase(command) => erase::run(context, &command),
        Command::Trust(command) => trust::run(context, &command),
        Command::Retention(command) => retention::run(context, &command),
        Command::Grant(command) => grant::run(context, &command),
        Command::Open(command) => open::run(context, &command),
        Command::Access(command) => access::run(context, &command),
        Command::Gdpr(command) => gdpr::run(context, &command),
        Command::Vault(command) => vault::run(context, &command),
        Command::Key(command) => key::run(context, &command),
        Command::Completions(command) => completions::run(&command),
        Command::Man(command) => man::run(&command),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::settings::KEYS;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_setting_has_its_flag() {
        let command = Arguments::command();
        for key in &KEYS {
            let found = command
                .get_arguments()
                .any(|argument| argument.get_long().is_some_and(|long| format!("--{long}") == key.flag));
            assert!(found, "{} has no flag {}", key.path(), key.flag);
        }
    }
}
