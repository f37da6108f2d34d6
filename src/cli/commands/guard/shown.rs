//! What a guard noted, for people.

use std::io::{self, Write};

use super::{Shown, Told};
use crate::cli::output::Clean;
use crate::database::guard::GuardFault;
use crate::ops::guard::{GuardedChange, Installed, Standing};

/// What is there.
pub fn state(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    let Some(guard) = &shown.guard else { return writeln!(out, "no guard is installed") };
    match shown.installed {
        Some(Installed::New) => writeln!(out, "installed: changes of the schema are noted from here on")?,
        Some(Installed::Renewed) => writeln!(out, "put in order: changes of the schema are noted")?,
        _ => {
            let id = shown.id.as_deref().unwrap_or("unknown");
            let since = guard.installed_at.map(|at| format!(", since {at}")).unwrap_or_default();
            writeln!(out, "installed: guard {}{since}", Clean(id))?;
        }
    }
    let strict = match guard.strict {
        true => "a change that cannot be noted is refused",
        false => "a change that cannot be noted is let through",
    };
    writeln!(out, "{} change(s) noted, up to {} are kept; {strict}", guard.noted, guard.keep)?;
    lost(guard.removed, guard.missed, out)?;
    faults(&shown.faults, out)
}

/// What was noted, and what the chain says of it.
pub fn changes(told: &Told, out: &mut dyn Write) -> io::Result<()> {
    for change in &told.changes {
        one(change, out)?;
    }
    lost(told.removed, told.missed, out)?;
    faults(&told.faults, out)?;
    writeln!(out, "{} change(s), {} out of band", told.changes.len(), told.out_of_band)?;
    if told.out_of_band > 0 {
        writeln!(
            out,
            "hint: write a migration that says the same, or undo them; `greffe audit --record` signs a schema that was \
             changed by hand"
        )?;
    }
    Ok(())
}

/// One change in one line, whatever its names hold.
pub fn one(change: &GuardedChange, out: &mut dyn Write) -> io::Result<()> {
    let at = change.at.map_or_else(|| "at an unknown time".to_owned(), |at| at.to_string());
    let standing = match &change.standing {
        Standing::Archived { seq } => format!("entry {seq}"),
        Standing::Unarchived => "by greffe, not archived yet".to_owned(),
        Standing::Own => "by greffe, of its own tables".to_owned(),
        Standing::Beside { run } => format!("while a tool ran that marks no session, run {run}"),
        Standing::OutOfBand { reason, signed: None } => format!("out of band: {reason}"),
        Standing::OutOfBand { reason, signed: Some(seq) } => {
            format!("out of band, and signed as found by entry {seq}: {reason}")
        }
    };
    let what = [change.object_type.as_deref(), change.identity.as_deref()];
    let what: Vec<String> = what.into_iter().flatten().map(in_one_line).collect();
    let role = match &change.role {
        Some(role) if *role != change.session_role => format!(" as {}", in_one_line(role)),
        _ => String::new(),
    };
    let extension = change
        .extension
        .as_deref()
        .map(|name| format!(" of extension {}", in_one_line(name)))
        .unwrap_or_default();
    let others = match change.others {
        0 => String::new(),
        others => format!(" and {others} other(s)"),
    };
    writeln!(
        out,
        "{at} {} {}{extension}{others} by {}{role}: {standing}",
        in_one_line(&change.command),
        what.join(" "),
        in_one_line(&change.session_role)
    )
}

fn in_one_line(text: &str) -> String {
    Clean(text).to_string().replace('\n', "\u{fffd}")
}

fn lost(removed: u64, missed: u64, out: &mut dyn Write) -> io::Result<()> {
    if removed > 0 {
        writeln!(out, "{removed} older change(s) were noted and are gone: there were more than are kept")?;
    }
    if missed > 0 {
        writeln!(
            out,
            "{missed} change(s) could not be noted\n  hint: the server's log has a warning for each; `greffe audit` compares \
             the schema itself"
        )?;
    }
    Ok(())
}

fn faults(faults: &[GuardFault], out: &mut dyn Write) -> io::Result<()> {
    for fault in faults {
        let hint = match fault {
            GuardFault::Hidden { .. } => {
                "have an administrator run what `greffe guard install --print-sql --reader ROLE` prints for your role"
            }
            GuardFault::Off { .. } => "find out who turned them off: nothing was noted meanwhile",
            GuardFault::Owned { .. } => "have an administrator drop it, and run `greffe guard install`",
            _ => "run `greffe guard install`, and `greffe audit`: what happened meanwhile was not noted",
        };
        writeln!(out, "{}\n  hint: {hint}", in_one_line(&fault.to_string()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_begins_a_line_or_steers_a_terminal() {
        let change = GuardedChange {
            id: 1,
            at: None,
            session_role: "eve\nroot".to_owned(),
            role: Some("\u{1b}[2J".to_owned()),
            command: "CREATE TABLE".to_owned(),
            object_type: Some("table".to_owned()),
            identity: Some("public.\"a\n0 change(s), 0 out of band\u{202e}\"".to_owned()),
            extension: None,
            others: 2,
            run: None,
            standing: Standing::Unarchived,
        };
        let mut out = Vec::new();
        one(&change, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
        assert!(text.contains(" and 2 other(s) by eve\u{fffd}root as \u{fffd}[2J: by greffe"), "{text}");
    }
}
