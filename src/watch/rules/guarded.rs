//! Findings of a guard's notes: changes of the schema that did not come through greffe, and what keeps it from noting them.

use serde_json::Value;

use crate::database::guard::GuardFault;
use crate::model::Timestamp;
use crate::ops::guard::{Guarded, GuardedChange, Standing};
use crate::watch::{Code, Finding, GuardMemory};

/// Changes that are told of one by one within [`SPAN`]; the others are one finding.
const MOST: u64 = 10;
/// Ten minutes, in microseconds.
const SPAN: i64 = 600_000_000;
/// For so long a note is read again whose run may still be archived: a day, in microseconds.
const UNSETTLED_FOR: i64 = 86_400_000_000;

/// What a guard tells that was not told before, and what is to be remembered. `seen`: what was noted since the memory's
/// cursor, or all of it where the installation is another or notes are gone; `None` without a guard.
#[must_use]
pub fn of_guard(
    seen: Option<&Guarded>,
    before: &GuardMemory,
    is_set_back: bool,
    at: Timestamp,
) -> (Vec<Finding>, GuardMemory) {
    let mut findings: Vec<Finding> =
        seen.map_or(&[][..], |seen| &seen.faults[..]).iter().map(of_fault).collect();
    let mut memory = before.clone();
    match (seen, &before.guard) {
        // What may not be read tells nothing, also not that it is gone.
        (Some(Guarded { id: None, .. }), _) => return (findings, memory),
        (seen, Some(known)) if seen.and_then(|seen| seen.id.as_ref()) != Some(known) => {
            findings.push(fails(&format!("guard {}", short(known)), "removed"));
            memory = GuardMemory { span: before.span, told: before.told, ..GuardMemory::default() };
        }
        (Some(_), Some(known)) if is_set_back => {
            let row = before.cursor.as_ref().map_or(0, |cursor| cursor.row);
            findings.push(fails(&format!("notes up to {row} of guard {}", short(known)), "notes-gone"));
            memory = GuardMemory { cursor: None, done: std::collections::BTreeSet::new(), ..memory };
        }
        _ => {}
    }
    let Some(seen) = seen else { return (findings, memory) };
    memory.guard.clone_from(&seen.id);
    if seen.missed > memory.missed {
        findings.push(
            fails(&format!("changes up to missed {}", seen.missed), "not-noted").with("missed", seen.missed),
        );
    }
    memory.missed = memory.missed.max(seen.missed);
    findings.extend(of_changes(seen, &mut memory, at));
    read_up_to(seen, &mut memory, at);
    (findings, memory)
}

/// Each change that is out of band and was not told of yet.
fn of_changes(seen: &Guarded, memory: &mut GuardMemory, at: Timestamp) -> Vec<Finding> {
    let is_new = |change: &&GuardedChange| change.is_out_of_band() && !memory.done.contains(&change.id);
    let new: Vec<&GuardedChange> = seen.changes.iter().filter(is_new).collect();
    if new.is_empty() {
        return Vec::new();
    }
    let span = at.as_microseconds().div_euclid(SPAN);
    if memory.span != span {
        (memory.span, memory.told) = (span, 0);
    }
    let guard = short(seen.id.as_deref().unwrap_or_default());
    let left = usize::try_from(MOST.saturating_sub(memory.told)).unwrap_or_default();
    memory.told += new.len() as u64;
    let mut findings: Vec<Finding> = new.iter().take(left).map(|change| of_change(change, guard)).collect();
    if memory.told > MOST {
        let from = Timestamp::from_microseconds(span.saturating_mul(SPAN)).unwrap_or(at);
        let others = Finding::happened(Code::ChangeOutOfBand, format!("others from {from} on"));
        findings.push(others.with("count", memory.told - MOST));
    }
    findings
}

/// The memory after these notes. It goes on where they end, but for those whose standing may become another: these are read
/// again, and what came after them is remembered one by one.
fn read_up_to(seen: &Guarded, memory: &mut GuardMemory, at: Timestamp) {
    if seen.changes.is_empty() {
        return;
    }
    let edge = at.as_microseconds().saturating_sub(UNSETTLED_FOR);
    let is_young = |change: &GuardedChange| change.at.is_some_and(|noted| noted.as_microseconds() > edge);
    let waits = |change: &&GuardedChange| seen.unsettled.contains(&change.id) && is_young(change);
    let waiting: Vec<i64> = seen.changes.iter().filter(waits).map(|change| change.id).collect();
    memory.done = seen.changes.iter().map(|change| change.id).filter(|id| !waiting.contains(id)).collect();
    if waiting.is_empty() {
        memory.cursor = Some(seen.cursor.clone());
    }
}

fn of_change(change: &GuardedChange, guard: &str) -> Finding {
    let object = change.identity.as_deref().unwrap_or(&change.command);
    let mut finding =
        Finding::happened(Code::ChangeOutOfBand, format!("{object}, note {} of guard {guard}", change.id))
            .with("command", change.command.as_str())
            .with("sessionRole", change.session_role.as_str());
    let texts = [
        ("at", change.at.map(|at| at.to_string())),
        ("role", change.role.clone()),
        ("objectType", change.object_type.clone()),
        ("object", change.identity.clone()),
        ("extension", change.extension.clone()),
    ];
    for (name, text) in texts.into_iter().filter_map(|(name, text)| Some((name, text?))) {
        finding = finding.with(name, text);
    }
    if change.others > 0 {
        finding = finding.with("others", change.others);
    }
    match change.standing {
        Standing::OutOfBand { reason, .. } => {
            let reason = serde_json::to_value(reason).unwrap_or_default();
            finding.with("reason", reason)
        }
        _ => finding,
    }
}

/// A part that is not as it has to be; it lasts until it is put in order.
fn of_fault(fault: &GuardFault) -> Finding {
    let said = serde_json::to_value(fault).unwrap_or_default();
    let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
    let about = if said["whom"].is_string() { text("whom") } else { text("what") };
    Finding::new(Code::GuardFails, format!("{} {about}", text("fault")))
        .with("problem", said["fault"].clone())
        .with("detail", fault.to_string())
}

fn fails(subject: &str, problem: &str) -> Finding {
    Finding::happened(Code::GuardFails, subject).with("problem", Value::from(problem))
}

/// The end of an installation's name, which is random.
fn short(guard: &str) -> &str {
    guard.char_indices().rev().nth(7).map_or(guard, |(place, _)| &guard[place..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::guard::Reason;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_microseconds(seconds * 1_000_000).unwrap()
    }

    fn change(id: i64, standing: Standing) -> GuardedChange {
        GuardedChange {
            id,
            at: Some(at(1000)),
            session_role: "eve".to_owned(),
            role: Some("admin".to_owned()),
            command: "CREATE TABLE".to_owned(),
            object_type: Some("table".to_owned()),
            identity: Some(format!("public.t{id}")),
            extension: None,
            others: 0,
            run: None,
            standing,
        }
    }

    fn by_hand(id: i64) -> GuardedChange {
        change(id, Standing::OutOfBand { reason: Reason::Unmarked, signed: None })
    }

    /// What a guard says whose notes are these, all that are not settled among them.
    fn seen(changes: Vec<GuardedChange>) -> Guarded {
        let row = changes.last().map_or(0, |change| change.id);
        let unsettled = changes.iter().filter(|change| change.standing == Standing::Unarchived);
        Guarded {
            id: Some("0198a000-0000-7000-8000-0000000000aa".to_owned()),
            unsettled: unsettled.map(|change| change.id).collect(),
            changes,
            cursor: format!("{row}.9:9:").parse().unwrap(),
            missed: 0,
            removed: 0,
            faults: Vec::new(),
            is_set_back: false,
        }
    }

    fn subjects(found: &(Vec<Finding>, GuardMemory)) -> Vec<&str> {
        found.0.iter().map(|finding| finding.subject.as_str()).collect()
    }

    #[test]
    fn a_note_is_told_once_with_who_when_and_which_object() {
        let noted = seen(vec![change(1, Standing::Own), by_hand(2)]);
        let found = of_guard(Some(&noted), &GuardMemory::default(), false, at(1005));
        assert_eq!(subjects(&found), ["public.t2, note 2 of guard 000000aa"]);
        let parameters = &found.0[0].parameters;
        for (name, value) in [
            ("sessionRole", "eve"),
            ("role", "admin"),
            ("at", "1970-01-01T00:16:40.000000Z"),
            ("object", "public.t2"),
            ("reason", "unmarked"),
        ] {
            assert_eq!(parameters[name], value, "{name}");
        }
        // A standby shows some of it twice, and nothing new changes nothing.
        assert_eq!(subjects(&of_guard(Some(&noted), &found.1, false, at(1010))), [""; 0]);
        assert_eq!(of_guard(Some(&seen(vec![])), &found.1, false, at(1010)), (vec![], found.1.clone()));
        let signed = change(3, Standing::OutOfBand { reason: Reason::Unmarked, signed: Some(7) });
        assert_eq!(subjects(&of_guard(Some(&seen(vec![signed])), &found.1, false, at(1010))), [""; 0]);
    }

    #[test]
    fn a_note_of_a_run_that_goes_on_is_judged_again_for_a_day() {
        let noted = seen(vec![change(1, Standing::Unarchived), by_hand(2)]);
        let (findings, memory) = of_guard(Some(&noted), &GuardMemory::default(), false, at(1005));
        assert_eq!((findings.len(), &memory.cursor), (1, &None), "the first is read again");
        // The run came to nothing.
        let noted = seen(vec![by_hand(1), by_hand(2)]);
        let found = of_guard(Some(&noted), &memory, false, at(1010));
        assert_eq!(subjects(&found), ["public.t1, note 1 of guard 000000aa"]);
        assert!(found.1.cursor.is_some());
        let noted = seen(vec![change(1, Standing::Unarchived)]);
        let (_, memory) = of_guard(Some(&noted), &GuardMemory::default(), false, at(1000 + 86_400));
        assert!(memory.cursor.is_some());
    }

    #[test]
    fn a_flood_is_ten_findings_and_one_that_counts() {
        let (mut memory, mut told) = (GuardMemory::default(), std::collections::BTreeSet::new());
        for look in 0..100 {
            let changes = (0..50).map(|id| by_hand(look * 50 + id)).collect();
            let (findings, after) = of_guard(Some(&seen(changes)), &memory, false, at(1200 + look * 5));
            told.extend(findings.into_iter().map(|finding| finding.subject));
            memory = after;
        }
        assert_eq!((told.len(), memory.told), (11, 5000));
    }

    #[test]
    fn a_guard_that_goes_loses_notes_or_misses_some_is_told() {
        let (_, memory) = of_guard(Some(&seen(vec![by_hand(2)])), &GuardMemory::default(), false, at(1005));
        let found = of_guard(None, &memory, false, at(1010));
        assert_eq!(subjects(&found), ["guard 000000aa"]);
        assert!(found.0[0].happened && found.1.guard.is_none());
        let back = of_guard(Some(&seen(vec![by_hand(1)])), &memory, true, at(1010));
        assert_eq!(
            subjects(&back),
            ["notes up to 2 of guard 000000aa", "public.t1, note 1 of guard 000000aa"]
        );
        let missed = Guarded { missed: 3, ..seen(vec![]) };
        let found = of_guard(Some(&missed), &memory, false, at(1010));
        assert_eq!((found.0.len(), &found.0[0].parameters["missed"]), (1, &3.into()));
        assert_eq!(of_guard(Some(&missed), &found.1, false, at(1015)).0, []);
        let fault = GuardFault::Disabled { what: "event trigger greffe_guard_drop".to_owned() };
        let hidden = Guarded { id: None, faults: vec![fault], ..seen(vec![]) };
        let (findings, after) = of_guard(Some(&hidden), &memory, false, at(1010));
        assert_eq!(findings[0].subject, "disabled event trigger greffe_guard_drop");
        assert!(!findings[0].happened && after == memory);
    }
}
