//! Asks policy hooks, with a clock at hand: before a run, and again wherever its archive is verified.

use std::cell::Cell;
use std::fs;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::crypto::Digest;
use crate::policy::hooks::language::STACK;
use crate::policy::hooks::{HookEvent, Language, Policy, Verdict};

/// What one question may take before a run.
pub const PATIENCE: Patience = Patience { time: Duration::from_secs(2), memory: 256 << 20 };
/// What the same question may take when it is asked again, on whatever machine.
pub const PATIENCE_AGAIN: Patience = Patience { time: Duration::from_secs(60), memory: 512 << 20 };
/// How often it is looked how much memory is taken.
const LOOK: Duration = Duration::from_millis(2);

/// What one question may take, beside the limits of the language.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    pub time: Duration,
    /// In bytes, by how much this process may grow; nothing bounds it where the system does not tell.
    pub memory: u64,
}

/// A script, and what it is asked.
pub struct Question<'a> {
    pub event: HookEvent,
    pub source: &'a [u8],
    /// One context each, as JSON.
    pub inputs: Vec<&'a [u8]>,
}

/// The answer to one context.
#[derive(Clone, Debug)]
pub struct Answer {
    pub input: Digest,
    pub verdicts: Vec<Verdict>,
    pub duration: Duration,
}

/// Asks all questions, each with all its contexts. Nobody can be asked where no thread can be had: all are broken then.
#[must_use]
pub fn ask(questions: &[Question<'_>], patience: Patience) -> Vec<Vec<Answer>> {
    if questions.is_empty() {
        return Vec::new();
    }
    std::thread::scope(|scope| {
        let asking = std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, || ask_all(questions, patience));
        match asking.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(answers)) => answers,
            Ok(Err(bug)) => std::panic::resume_unwind(bug),
            Err(error) => {
                let verdict = Verdict::broken(&format!("there is no thread to judge in: {error}"));
                questions.iter().map(|question| unasked(question, &verdict)).collect()
            }
        }
    })
}

fn ask_all(questions: &[Question<'_>], patience: Patience) -> Vec<Vec<Answer>> {
    let taken = Rc::new(Taken::new(patience));
    let looking = Rc::clone(&taken);
    let language = Language::new(Box::new(move || looking.too_much()));
    let ask = |question: &Question<'_>| match language.compile(question.event, question.source) {
        Ok(policy) => question
            .inputs
            .iter()
            .map(|input| {
                let begin = Instant::now();
                taken.begin(begin);
                let verdicts = judge(&language, &policy, input);
                Answer { input: Digest::of(input), verdicts, duration: begin.elapsed() }
            })
            .collect(),
        Err(reason) => unasked(question, &Verdict::broken(&reason)),
    };
    questions.iter().map(ask).collect()
}

/// What a question took so far.
struct Taken {
    patience: Patience,
    until: Cell<Instant>,
    looked: Cell<Instant>,
    /// How much memory there was at the first look.
    before: Cell<Option<u64>>,
}

impl Taken {
    fn new(patience: Patience) -> Self {
        let now = Instant::now();
        Self { patience, until: Cell::new(now), looked: Cell::new(now), before: Cell::new(None) }
    }

    fn begin(&self, now: Instant) {
        self.until.set(now + self.patience.time);
        self.looked.set(now);
        self.before.set(None);
    }

    fn too_much(&self) -> Option<&'static str> {
        let now = Instant::now();
        if now > self.until.get() {
            return Some("it took too long");
        }
        // One that is asked in less time than that never pays for a look.
        if now.duration_since(self.looked.get()) < LOOK {
            return None;
        }
        self.looked.set(now);
        let memory = memory()?;
        let before = self.before.get().unwrap_or(memory);
        self.before.set(Some(before));
        (memory.saturating_sub(before) > self.patience.memory).then_some("it took too much memory")
    }
}

/// How much memory this process has for its data, in bytes.
fn memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn judge(language: &Language, policy: &Policy, input: &[u8]) -> Vec<Verdict> {
    match serde_json::from_slice::<Value>(input) {
        Ok(context) => language.judge(policy, &context),
        Err(_) => vec![Verdict::broken("the context is not JSON")],
    }
}

fn unasked(question: &Question<'_>, verdict: &Verdict) -> Vec<Answer> {
    let answer = |input: &&[u8]| Answer {
        input: Digest::of(input),
        verdicts: vec![verdict.clone()],
        duration: Duration::ZERO,
    };
    question.inputs.iter().map(answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(source: &str, input: &[u8], patience: Patience) -> Answer {
        let event = "beforeMigrate".parse().unwrap();
        let question = Question { event, source: source.as_bytes(), inputs: vec![input] };
        ask(&[question], patience).remove(0).remove(0)
    }

    #[test]
    fn a_question_is_asked_within_its_time() {
        let answer = asked("allow()", b"{}", PATIENCE);
        assert_eq!((answer.verdicts, answer.input), (vec![Verdict::allow()], Digest::of(b"{}")));
        let slow = "let a = []; for n in 0..190000 { a += n; } allow()";
        let answer = asked(slow, b"{}", Patience { time: Duration::from_millis(50), ..PATIENCE });
        assert_eq!(answer.verdicts[0].text.as_deref(), Some("it took too long"));
        assert!(answer.duration < Duration::from_secs(30), "{:?}", answer.duration);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_question_is_asked_within_its_memory() {
        for greedy in [
            "let a = []; a.pad(1000, 0); a.map(|x| { let b = []; b.pad(190000, 1); b }); allow()",
            "fn grow() { let b = []; b.pad(190000, 1); this = b } let a = []; a.pad(1000, 0); a.for_each(grow); allow()",
        ] {
            let patience = Patience { time: Duration::from_secs(60), ..PATIENCE };
            let answer = asked(greedy, b"{}", patience);
            assert_eq!(answer.verdicts[0].text.as_deref(), Some("it took too much memory"), "{greedy}");
        }
    }

    #[test]
    fn what_is_no_context_has_no_verdict() {
        assert!(asked("allow()", b"{", PATIENCE).verdicts[0].is_broken());
        assert!(asked("allow(", b"{}", PATIENCE).verdicts[0].is_broken());
        assert!(ask(&[], PATIENCE).is_empty());
    }
}
