//! Asks policy hooks, with a clock at hand: before a run, and again wherever its archive is verified.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::crypto::Digest;
use crate::policy::hooks::language::STACK;
use crate::policy::hooks::{HookEvent, Language, Policy, Verdict};

/// How long one question may take before a run.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// How long the same question may take when it is asked again, on whatever machine.
pub const PATIENCE_AGAIN: Duration = Duration::from_secs(60);
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
pub fn ask(questions: &[Question<'_>], patience: Duration) -> Vec<Vec<Answer>> {
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

fn ask_all(questions: &[Question<'_>], patience: Duration) -> Vec<Vec<Answer>> {
    let until = Rc::new(Cell::new(Instant::now()));
    let end = Rc::clone(&until);
    let language = Language::new(Box::new(move || Instant::now() > end.get()));
    let ask = |question: &Question<'_>| match language.compile(question.event, question.source) {
        Ok(policy) => question
            .inputs
            .iter()
            .map(|input| {
                let begin = Instant::now();
                until.set(begin + patience);
                let verdicts = judge(&language, &policy, input);
                Answer { input: Digest::of(input), verdicts, duration: begin.elapsed() }
            })
            .collect(),
        Err(reason) => unasked(question, &Verdict::broken(&reason)),
    };
    questions.iter().map(ask).collect()
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

    fn asked(source: &str, input: &[u8], patience: Duration) -> Answer {
        let event = "beforeMigrate".parse().unwrap();
        let question = Question { event, source: source.as_bytes(), inputs: vec![input] };
        ask(&[question], patience).remove(0).remove(0)
    }

    #[test]
    fn a_question_is_asked_within_its_time() {
        let answer = asked("allow()", b"{}", PATIENCE);
        assert_eq!((answer.verdicts, answer.input), (vec![Verdict::allow()], Digest::of(b"{}")));
        let slow = "let a = []; for n in 0..190000 { a += n; } allow()";
        let answer = asked(slow, b"{}", Duration::from_millis(50));
        assert_eq!(answer.verdicts[0].text.as_deref(), Some("it took too long"));
        assert!(answer.duration < Duration::from_secs(5), "{:?}", answer.duration);
    }

    #[test]
    fn what_is_no_context_has_no_verdict() {
        assert!(asked("allow()", b"{", PATIENCE).verdicts[0].is_broken());
        assert!(asked("allow(", b"{}", PATIENCE).verdicts[0].is_broken());
        assert!(ask(&[], PATIENCE).is_empty());
    }
}
