//! What the archive keeps of hooks: sources and contexts of policy hooks in clear, so that anybody can ask them again, and
//! what programs printed, sealed.
//!
//! | file | what it is |
//! |---|---|
//! | `hooks/<file>` | the source of a policy hook |
//! | `hooks/<event>[.<n>].json` | what policy hooks of that event were told: one context a line |
//! | `hooks/<file>[.<version>].txt` | what a program printed |

use std::collections::BTreeMap;

use super::folder::Hook;
use super::round::Told;
use crate::chain::{HOOKS_LIMIT, NewFile};
use crate::crypto::Digest;
use crate::model::{Hook as ModelHook, Role};
use crate::ops::OpsError;
use crate::policy::hooks::HookEvent;
use crate::privacy::without_secrets;

/// Where the files of hooks are.
pub const FOLDER: &str = "hooks/";
/// What one answer takes in a log, in bytes, at the most.
const HOOK: usize = 400;
/// What all of them may take in one: a log is at most 1 MiB, and base64.
const ANSWERS: usize = 700_000;
/// How long a file of contexts may get, in bytes, before another begins: what verifies has each in one block.
const PART: usize = 512 << 10;

/// What a hook said, and what that stands on.
pub(super) struct Asked {
    pub told: Told,
    pub sha256: Digest,
    pub input: Digest,
}

impl Asked {
    pub(super) fn to_model(&self) -> ModelHook {
        let Told { event, hook, about, verdict, duration_us, .. } = &self.told;
        ModelHook {
            event: event.to_string(),
            name: hook.clone(),
            sha256: self.sha256.to_prefixed(),
            outcome: verdict.outcome.as_str().to_owned(),
            duration_us: *duration_us,
            input: Some(self.input.to_prefixed()),
            rule: verdict.rule.clone(),
            about: about.clone(),
        }
    }
}

/// What of hooks is to be archived.
#[derive(Default)]
pub struct Evidence {
    pub hooks: Vec<ModelHook>,
    /// By name.
    files: BTreeMap<String, (Role, Vec<u8>)>,
}

impl Evidence {
    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hooks.is_empty()
    }

    /// About how many bytes it takes in an event.
    #[must_use]
    pub fn size(&self) -> usize {
        let clear = self.files.values().filter(|(role, _)| *role == Role::Evidence);
        clear.map(|(_, bytes)| bytes.len()).sum::<usize>() + self.hooks.len() * HOOK
    }

    pub(super) fn keep_source(&mut self, hook: &Hook) {
        // Hooks of the same text share a file.
        if !self.files.values().any(|(_, bytes)| *bytes == hook.source) {
            self.files.insert(format!("{FOLDER}{}", hook.name.file), (Role::Evidence, hook.source.clone()));
        }
    }

    pub(super) fn keep_input(&mut self, event: HookEvent, input: &[u8]) {
        let mut part = 0_u32;
        loop {
            let name = if part == 0 { String::new() } else { format!(".{part}") };
            let name = format!("{FOLDER}{event}{name}.json");
            let (_, lines) = self.files.entry(name).or_insert_with(|| (Role::Evidence, Vec::new()));
            if lines.is_empty() || lines.len() + input.len() < PART {
                lines.extend_from_slice(input);
                lines.push(b'\n');
                return;
            }
            part += 1;
        }
    }

    pub(super) fn keep_output(&mut self, hook: &Hook, version: Option<&str>, output: &[u8]) {
        if output.is_empty() {
            return;
        }
        // A version of another tool may be a path.
        let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let version =
            version.map(|version| format!(".{}", version.chars().map(plain).take(64).collect::<String>()));
        let name = format!("{FOLDER}{}{}.txt", hook.name.file, version.unwrap_or_default());
        self.files.insert(name, (Role::Output, without_secrets(output).0));
    }

    /// What is said, and its files.
    ///
    /// # Errors
    /// [`OpsError::Name`], where a hook's file has a name that no manifest can hold; [`OpsError::TooManyAnswers`].
    pub fn into_parts(self) -> Result<(Vec<ModelHook>, Vec<NewFile>), OpsError> {
        let clear = self.size() - self.hooks.len() * HOOK;
        if clear > HOOKS_LIMIT || self.hooks.len() * HOOK > ANSWERS {
            return Err(OpsError::TooManyAnswers(self.hooks.len()));
        }
        let file = |(name, (role, bytes)): (String, (Role, Vec<u8>))| {
            Ok(NewFile { name: name.parse()?, role, bytes, sealed: role == Role::Output })
        };
        let files = self.files.into_iter().map(file).collect::<Result<_, crate::model::NameError>>()?;
        Ok((self.hooks, files))
    }
}
