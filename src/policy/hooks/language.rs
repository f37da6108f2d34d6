//! Policy hooks: scripts in Rhai that see the context and nothing else, and end in a verdict.
//!
//! A script is either a function named as its event, or its own value:
//!
//! ```rhai
//! // sector: santé
//! fn beforeMigrate(context, sector) {
//!     if context.at.weekday == "friday" { deny("no-friday", `${sector}: wait for Monday`) } else { allow() }
//! }
//! ```
//! The function takes the context, and the sector where it asks for one: it is called for each sector of the run that the
//! file is for, and once with `()` where there is none. Without such a function, the file's value counts, and `context` and
//! `sectors` are at hand. The value is `allow()`, `warn(rule, text)`, `deny(rule, text)`, or a list of them. All else is a
//! no by the rule `hook-broken`: an error, a limit, another value.
//!
//! There is no clock, file, network, module, randomness, printing or `eval`. Steps, depth and sizes are bounded by numbers
//! that are part of the language: a script that is allowed here is allowed everywhere.

mod bounded;

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicFnPackage, BasicIteratorPackage, BasicMapPackage,
    BasicMathPackage, BasicStringPackage, LogicPackage, MoreStringPackage, Package,
};
use rhai::{AST, CallFnOptions, Dynamic, Engine, EvalAltResult, Scope};
use serde_json::Value;

use super::verdict::settled;
use super::{Filter, HookEvent, Outcome, Verdict};

/// The longest source, in bytes.
pub const LONGEST_SOURCE: usize = 64 << 10;
/// Steps of one question.
const STEPS: u64 = 1_000_000;
const CALL_DEPTH: usize = 24;
const EXPRESSION_DEPTH: usize = 32;
const VARIABLES: usize = 256;
const FUNCTIONS: usize = 64;
/// Bytes of all texts in one value.
const TEXT: usize = 1 << 20;
/// Items of a list, or members of a map, with all that is in them.
const ITEMS: usize = 200_000;
/// What is no part of the language here.
const DISABLED: [&str; 3] = ["eval", "print", "debug"];
/// How large a stack has to be for a text of [`LONGEST_SOURCE`], and for a value of `ITEMS`, however deeply they are nested,
/// in bytes. What is not used of it takes no memory.
pub const STACK: usize = 256 << 20;
/// How many steps go by between two looks at whether it takes too much.
const LOOK: u64 = 16;

/// Why a question takes too much, by the clock and the memory of who asks; `None` where it may go on.
pub type TooMuch = Box<dyn Fn() -> Option<&'static str>>;

/// The language, with its limits.
pub struct Language {
    engine: Engine,
}

/// A script that was read.
pub struct Policy {
    ast: AST,
    entry: Entry,
    filter: Filter,
}

/// What of a script is asked.
enum Entry {
    /// Its value.
    Value,
    /// The function named as its event.
    Function { name: String, asks_sector: bool },
}

impl Language {
    /// The language. A question that takes too much before it has a verdict is broken.
    #[must_use]
    pub fn new(too_much: TooMuch) -> Self {
        let mut engine = Engine::new_raw();
        for package in [
            ArithmeticPackage::new().as_shared_module(),
            BasicStringPackage::new().as_shared_module(),
            BasicIteratorPackage::new().as_shared_module(),
            BasicFnPackage::new().as_shared_module(),
            LogicPackage::new().as_shared_module(),
            BasicMathPackage::new().as_shared_module(),
            BasicArrayPackage::new().as_shared_module(),
            BasicMapPackage::new().as_shared_module(),
            MoreStringPackage::new().as_shared_module(),
        ] {
            engine.register_global_module(package);
        }
        for symbol in DISABLED {
            engine.disable_symbol(symbol);
        }
        engine
            .set_max_operations(STEPS)
            .set_max_call_levels(CALL_DEPTH)
            .set_max_expr_depths(EXPRESSION_DEPTH, EXPRESSION_DEPTH)
            .set_max_variables(VARIABLES)
            .set_max_functions(FUNCTIONS)
            .set_max_string_size(TEXT)
            .set_max_array_size(ITEMS)
            .set_max_map_size(ITEMS)
            // A name that is misspelt is an error, and not a value that lets everything pass.
            .set_strict_variables(true)
            .set_fail_on_invalid_map_property(true)
            .on_progress(move |steps| (steps % LOOK == 0).then(&too_much).flatten().map(Dynamic::from));
        engine
            .register_type_with_name::<Verdict>("verdict")
            .register_fn("allow", Verdict::allow)
            .register_fn("warn", |rule: &str, text: &str| named(Outcome::Warn, rule, text))
            .register_fn("deny", |rule: &str, text: &str| named(Outcome::Deny, rule, text));
        bounded::register(&mut engine);
        Self { engine }
    }

    /// Reads a script for an event.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn compile(&self, event: HookEvent, source: &[u8]) -> Result<Policy, String> {
        if source.len() > LONGEST_SOURCE {
            return Err(format!("it has {} bytes, and at most {LONGEST_SOURCE} are read", source.len()));
        }
        let text = std::str::from_utf8(source).map_err(|_| "it is not text in UTF-8".to_owned())?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let filter = Filter::parse(source).map_err(|error| error.to_string())?;
        let ast = self
            .engine
            .compile_with_scope(&scope(Dynamic::UNIT, &[]), text)
            .map_err(|error| error.to_string())?;
        let name = event.to_string();
        let taken: Vec<usize> = ast
            .iter_functions()
            .filter(|function| function.name == name)
            .map(|function| function.params.len())
            .collect();
        let entry = match taken.as_slice() {
            [] => Entry::Value,
            [1] => Entry::Function { name, asks_sector: false },
            [2] => Entry::Function { name, asks_sector: true },
            [_] => return Err(format!("`{name}` takes the context, and the sector if it asks for one")),
            _ => return Err(format!("there is more than one `{name}`")),
        };
        if let Some(other) = ast.iter_functions().find(|function| is_for_another(function.name, event)) {
            return Err(format!("`{}` is never called: this file is asked at `{event}`", other.name));
        }
        Ok(Policy { ast, entry, filter })
    }

    /// What a script says about a context, which is [`super::Context`] as JSON.
    #[must_use]
    pub fn judge(&self, policy: &Policy, context: &Value) -> Vec<Verdict> {
        let sectors = policy.filter.sectors_of(&texts(&context["sectors"]));
        let Some(context) = dynamic(context) else {
            return vec![Verdict::broken("the context holds a number that is not whole")];
        };
        let answers = match &policy.entry {
            Entry::Value => {
                vec![self.engine.eval_ast_with_scope::<Dynamic>(&mut scope(context, &sectors), &policy.ast)]
            }
            Entry::Function { name, asks_sector: false } => vec![self.call(policy, name, vec![context])],
            Entry::Function { name, asks_sector: true } => {
                let asked = sectors.iter().cloned().map(Dynamic::from);
                let asked: Vec<Dynamic> =
                    if sectors.is_empty() { vec![Dynamic::UNIT] } else { asked.collect() };
                asked
                    .into_iter()
                    .map(|sector| self.call(policy, name, vec![context.clone(), sector]))
                    .collect()
            }
        };
        let read = |answer: Result<Dynamic, Box<EvalAltResult>>| match answer {
            Ok(value) => verdicts_of(value).unwrap_or_else(|reason| vec![Verdict::broken(&reason)]),
            Err(error) => vec![Verdict::broken(&reason(&error))],
        };
        settled(answers.into_iter().flat_map(read).collect())
    }

    fn call(
        &self,
        policy: &Policy,
        name: &str,
        arguments: Vec<Dynamic>,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let options = CallFnOptions::new().eval_ast(false);
        self.engine.call_fn_with_options(options, &mut Scope::new(), &policy.ast, name, arguments)
    }
}

/// Whether a function is named as an event that is not asked here.
fn is_for_another(name: &str, event: HookEvent) -> bool {
    name.parse::<HookEvent>().is_ok_and(|found| found != event)
}

fn scope(context: Dynamic, sectors: &[String]) -> Scope<'static> {
    let sectors: Vec<Dynamic> = sectors.iter().cloned().map(Dynamic::from).collect();
    let mut scope = Scope::new();
    scope
        .push_constant_dynamic("context", context)
        .push_constant_dynamic("sectors", Dynamic::from_array(sectors));
    scope
}

fn named(outcome: Outcome, rule: &str, text: &str) -> Result<Verdict, Box<EvalAltResult>> {
    Verdict::of(outcome, rule, text).map_err(Into::into)
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// JSON in the language's own values; `None` for a number that is not whole.
fn dynamic(value: &Value) -> Option<Dynamic> {
    Some(match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(value) => Dynamic::from_bool(*value),
        Value::Number(number) => Dynamic::from_int(number.as_i64()?),
        Value::String(text) => Dynamic::from(text.clone()),
        Value::Array(items) => Dynamic::from_array(items.iter().map(dynamic).collect::<Option<_>>()?),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| Some((name.as_str().into(), dynamic(value)?));
            Dynamic::from_map(members.iter().map(member).collect::<Option<_>>()?)
        }
    })
}

/// The verdicts in a value, or why there are none.
fn verdicts_of(value: Dynamic) -> Result<Vec<Verdict>, String> {
    let other =
        |kind: &str| format!("it ends with a value of type {kind}, and not with allow(), warn(…) or deny(…)");
    if !value.is_array() {
        let kind = value.type_name();
        return value.try_cast::<Verdict>().map(|verdict| vec![verdict]).ok_or_else(|| other(kind));
    }
    let items = value.into_array().map_err(other)?;
    let one = |item: Dynamic| {
        let kind = item.type_name();
        item.try_cast::<Verdict>().ok_or_else(|| other(kind))
    };
    items.into_iter().map(one).collect()
}

/// Why a question has no verdict.
fn reason(error: &EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => reason(inner),
        EvalAltResult::ErrorTerminated(why, _) => why.to_string(),
        EvalAltResult::ErrorTooManyOperations(..) => format!("it took more than {STEPS} steps"),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
