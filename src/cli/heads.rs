//! The chain that a command reads, as flags say it: the archive up to its head, or up to a head whose blocks may be
//! elsewhere.

use clap::Args;

use super::Exit;
use super::context::{Context, block_on, verify_options};
use super::error::CliError;
use super::memory::MemoryArguments;
use super::sources::{SourceArguments, parse_cid, remark_faults};
use crate::chain::Report;
use crate::model::Cid;
use crate::ops::fetch::{Kept, Places, Spool, verify_from};
use crate::ops::source::Source;
use crate::ops::{ChainReader, OpsError};

/// Which head, and where its blocks are.
#[derive(Args)]
pub struct HeadArguments {
    /// CID of a head, or an IPNS name; without it, the archive's
    #[arg(long, value_name = "CID|/ipns/NAME")]
    head: Option<String>,
    #[command(flatten)]
    sources: SourceArguments,
    #[command(flatten)]
    memory: MemoryArguments,
}

/// A chain that can be read up to a head.
pub struct Headed {
    pub source: Source,
    pub head: Cid,
    /// Whether all of it was verified.
    pub verified: bool,
    /// Keeps fetched blocks while they are read.
    _spool: Option<Spool>,
}

impl HeadArguments {
    /// The chain up to `other`, or to the head of the flags, or to the archive's. What is not in an archive here is fetched
    /// and verified whole.
    pub fn open(&self, context: &Context, other: Option<Cid>) -> Result<Headed, CliError> {
        let head = match (other, &self.head) {
            (Some(head), _) => head,
            (None, Some(head)) => self.resolve(context, head)?,
            (None, None) if !self.sources.from.is_empty() => {
                return Err(CliError::usage(
                    "`--from` says where the blocks of a head are, and none is named",
                )
                .hint("name it with `--head CID`, as `greffe head` prints it"));
            }
            (None, None) => {
                let reader = context.reader()?;
                let head = reader.head();
                return Ok(Headed {
                    source: Source::archive(reader, head),
                    head,
                    verified: false,
                    _spool: None,
                });
            }
        };
        if self.sources.from.is_empty() {
            match self.archived(context, head) {
                Err(error) if context.settings()?.replicas.is_empty() => return Err(error),
                Ok(headed) => return Ok(headed),
                Err(_) => {}
            }
        }
        self.fetch(context, head)
    }

    fn resolve(&self, context: &Context, text: &str) -> Result<Cid, CliError> {
        let resolved = block_on(self.sources.resolve(&context.settings()?, text))??;
        parse_cid(&resolved).ok_or_else(|| {
            CliError::usage("`--head` is no CID").hint("give the CID that `greffe head` prints")
        })
    }

    fn archived(&self, context: &Context, head: Cid) -> Result<Headed, CliError> {
        let settings = context.settings()?;
        let reader = match &settings.name {
            Some(name) => ChainReader::open(&settings.archive_directory, name)?,
            None => ChainReader::holding(&settings.archive_directory, &head)?,
        };
        if !reader.archive().contains(&head).map_err(OpsError::from)? {
            return Err(OpsError::NotInArchive(head.to_string()).into());
        }
        Ok(Headed { source: Source::archive(reader, head), head, verified: false, _spool: None })
    }

    fn fetch(&self, context: &Context, head: Cid) -> Result<Headed, CliError> {
        let settings = context.settings()?;
        let mut options = verify_options(&settings, &[]);
        self.memory.recall(context, &mut options)?;
        // An entry of an older head is asked for as what it is.
        options.older = true;
        let sources = self.sources.open(&settings)?;
        let places = Places { archives: &[], sources: &sources, patience: self.sources.patience()? };
        let mut spool = Spool::create(&std::env::temp_dir(), &head, Kept::All)?;
        let mut progress = context.progress();
        let threads = super::commands::threads(None);
        let verified = block_on(verify_from(
            &places,
            head,
            options,
            threads,
            Some(&mut spool),
            &mut |what, done, of| progress.show(what, done, of),
        ))??;
        drop(progress);
        remark_faults(context, &verified.sources);
        require_sound(&verified.report)?;
        let source = Source::file(spool.finish()?)?;
        Ok(Headed { source, head, verified: true, _spool: Some(spool) })
    }
}

/// What is shown of a chain with findings would be believed.
pub fn require_sound(report: &Report) -> Result<(), CliError> {
    let Some(first) = report.findings.first() else { return Ok(()) };
    let (count, root) = (report.findings.len(), report.root);
    let text = format!("the chain of {root} is not verified, {count} finding(s): {first}");
    Err(CliError::new(Exit::Findings, text)
        .hint(format!("run `greffe verify {root}` with the same `--from`")))
}
