use std::cell::Cell;
use std::rc::Rc;

use super::super::Context;
use super::*;

const EVENT: &str = "beforeMigrate";

fn language() -> Language {
    Language::new(Box::new(|| None))
}

fn example() -> Value {
    serde_json::from_slice(&Context::example(EVENT.parse().unwrap()).to_bytes()).unwrap()
}

/// On a stack as whoever asks has it.
fn judge(source: &str) -> Vec<Verdict> {
    std::thread::scope(|scope| {
        let asking = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || judge_here(source));
        asking.unwrap().join().unwrap()
    })
}

fn judge_here(source: &str) -> Vec<Verdict> {
    let language = language();
    match language.compile(EVENT.parse().unwrap(), source.as_bytes()) {
        Ok(policy) => language.judge(&policy, &example()),
        Err(reason) => vec![Verdict::broken(&reason)],
    }
}

/// Outcome and rule of the one verdict.
fn one(source: &str) -> (Outcome, Option<String>) {
    let verdicts = judge(source);
    assert_eq!(verdicts.len(), 1, "{verdicts:?}");
    (verdicts[0].outcome, verdicts[0].rule.clone())
}

/// Why a script has no verdict.
fn broken(source: &str) -> String {
    let verdicts = judge(source);
    assert!(verdicts.len() == 1 && verdicts[0].is_broken(), "{source:.60}: {verdicts:?}");
    verdicts[0].text.clone().unwrap()
}

fn rule(outcome: Outcome, rule: &str) -> (Outcome, Option<String>) {
    (outcome, Some(rule.to_owned()))
}

#[test]
fn a_function_named_as_its_event_gives_the_verdict() {
    assert_eq!(one("fn beforeMigrate(context) { allow() }"), (Outcome::Allow, None));
    assert_eq!(
        one(
            "fn small(c) { c.counts.migrations < 2 }\nfn beforeMigrate(context) { if small(context) { allow() } else { deny(\"size\", \"too many\") } }"
        ),
        rule(Outcome::Deny, "size")
    );
    // In the owners' spelling: it is asked about each sector.
    let source = "// sector: santé\nfn beforeMigrate(context, sector) { warn(sector, `${sector} in ${context.environment}`) }";
    let verdicts = judge(source);
    assert_eq!(
        (verdicts[0].rule.as_deref(), verdicts[0].text.as_deref()),
        (Some("sante"), Some("sante in staging"))
    );
    let none = "// sector: education\nfn beforeMigrate(context, sector) { if sector == () { allow() } else { deny(\"a\", \"b\") } }";
    assert_eq!(one(none), (Outcome::Allow, None));
}

#[test]
fn a_file_without_such_a_function_is_its_own_verdict() {
    assert_eq!(one("allow()"), (Outcome::Allow, None));
    assert_eq!(
        one("if \"sante\" in sectors { deny(\"x/y\", \"z\") } else { allow() }"),
        rule(Outcome::Deny, "x/y")
    );
    assert_eq!(one("[]"), (Outcome::Allow, None));
    assert_eq!(one("return warn(\"a\", \"b\"); allow()"), rule(Outcome::Warn, "a"));
}

#[test]
fn a_list_holds_several_verdicts() {
    let source = "let found = [];\nfor m in context.migrations { if m.kinds.contains(\"CREATE INDEX\") { found.push(warn(\"index\", m.version)); } }\nfound.push(deny(\"other\", \"x\"));\nfound";
    let rules: Vec<_> =
        judge(source).into_iter().map(|verdict| (verdict.outcome, verdict.rule.unwrap())).collect();
    assert_eq!(rules, [(Outcome::Warn, "index".to_owned()), (Outcome::Deny, "other".to_owned())]);
    assert_eq!(
        one("context.migrations.filter(|m| !m.has_down).map(|m| deny(\"down\", m.version))").1.as_deref(),
        Some("hook-broken")
    );
    assert_eq!(
        one("context.migrations.filter(|m| !m.hasDown).map(|m| deny(\"down\", m.version))"),
        (Outcome::Allow, None)
    );
}

#[test]
fn whatever_is_no_verdict_is_a_no() {
    for (source, said) in [
        ("true", "type bool"),
        ("42", "type i64"),
        ("\"allow\"", "type string"),
        ("#{verdict: \"allow\"}", "type map"),
        ("[allow(), true]", "type bool"),
        ("[[allow()]]", "type array"),
        ("", "type ()"),
        ("fn beforeMigrate(context) { }", "type ()"),
        ("deny(\"a b\", \"c\")", "is no rule"),
        ("deny(\"hook-broken\", \"c\")", "is no rule"),
        ("deny(\"a\")", "deny"),
        ("throw \"x\"", "x"),
        ("1 / 0", "Division by zero"),
        ("9223372036854775807 + 1", "overflow"),
        ("let", "line 1"),
        ("fn beforeMigrate() { allow() }", "takes the context"),
        ("fn beforeMigrate(a, b, c) { allow() }", "takes the context"),
        ("fn beforeMigrate(a) { allow() } fn beforeMigrate(a, b) { allow() }", "more than one"),
        ("fn beforeRollback(context) { deny(\"a\", \"b\") } allow()", "never called"),
        ("// sectr: sante\nallow()", "the nearest one is `sector`"),
    ] {
        let text = broken(source);
        assert!(text.contains(said), "{source}: {text}");
    }
    let language = language();
    assert!(language.compile(EVENT.parse().unwrap(), b"\xff").is_err());
    assert!(language.compile(EVENT.parse().unwrap(), &vec![b' '; LONGEST_SOURCE + 1]).is_err());
}

#[test]
fn a_misspelt_name_does_not_let_everything_pass() {
    assert!(
        broken("if context.enviroment == \"production\" { deny(\"a\", \"b\") } else { allow() }")
            .contains("enviroment")
    );
    assert!(
        broken("if contxt.environment == \"production\" { deny(\"a\", \"b\") } else { allow() }")
            .contains("contxt")
    );
    assert!(broken("fn beforeMigrate(c) { alow() }").contains("alow"));
}

#[test]
fn a_script_that_reads_the_environment_clock_files_or_modules_finds_none() {
    for source in [
        "env(\"PATH\"); allow()",
        "timestamp(); allow()",
        "sleep(10); allow()",
        "import \"x\" as y; allow()",
        "eval(\"allow()\")",
        "print(\"x\"); allow()",
        "debug(\"x\"); allow()",
        "exit(allow())",
        "open_file(\"/etc/passwd\"); allow()",
        "parse_json(\"{}\"); allow()",
        "rand(); allow()",
        "let x = 1.5; allow()",
        "export context; allow()",
        "blob(10); allow()",
    ] {
        broken(source);
    }
}

#[test]
fn a_script_that_never_ends_ends_at_its_limit() {
    for source in [
        "loop { }",
        "while true { let x = 1; }",
        "let x = 0; loop { x += 1; }",
        "for x in 0..9223372036854775807 { }",
        "fn f(x) { loop {} } [1].map(|x| f(x))",
        "let x = 0; loop { try { throw 1 } catch { x = 1 } }",
        "do { } until false",
    ] {
        assert_eq!(broken(source), "it took more than 1000000 steps", "{source}");
    }
    for source in ["fn f(x) { f(x) } f(1)", "fn f(x) { 1 + f(x + 1) } fn beforeMigrate(c) { f(1) }"] {
        assert!(broken(source).contains("Stack overflow"), "{source}");
    }
}

#[test]
fn a_script_that_eats_memory_ends_at_its_limit() {
    for source in [
        "let s = \"x\"; loop { s += s; }",
        "let s = \"x\"; loop { s = s + s; }",
        "let s = \"x\"; s.pad(2000000000, \"y\"); allow()",
        "let a = [0]; loop { a += a; }",
        "let a = []; a.pad(2000000000, 1); allow()",
        "let a = [0]; loop { a = [a, a]; }",
        "let a = [1]; loop { a.push(a); }",
        "let a = #{}; let n = 0; loop { a[`${n}`] = a; n += 1; }",
        "let s = \"xxxxxxxx\"; loop { s.replace(\"x\", \"xx\"); }",
        // A text of half a mebibyte, each letter of which becomes as long: a quarter of a tebibyte.
        "let s = \"x\"; for n in 0..19 { s += s; } s.replace(\"x\", s); allow()",
        "let s = \"x\"; for n in 0..19 { s += s; } s.replace(\"\", s); allow()",
        "let s = \"x\"; for n in 0..19 { s += s; } s.replace('x', s); allow()",
        "let s = \"x\"; for n in 0..20 { s += s; } s.replace('x', '€'); allow()",
        // Numbers that overflow when they are multiplied.
        "let a = []; a.pad(1 << 62, [1, 2, 3]); allow()",
        "let a = []; let b = []; b.pad(100000, 1); a.pad(100000, b); allow()",
        "let a = []; loop { a.push(\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"); }",
    ] {
        let text = broken(source);
        assert!(
            text.contains("too large") || text.contains("steps") || text.contains("depth"),
            "{source}: {text}"
        );
    }
    let variables: String = (0..300).map(|n| format!("let v{n} = 1;\n")).collect();
    assert!(broken(&format!("{variables}allow()")).contains("variables"));
}

#[test]
fn functions_that_are_written_anew_are_those_of_the_language() {
    for (source, said) in [
        ("let s = \"a-b-c\"; s.replace(\"-\", \"+\"); s", "a+b+c"),
        ("let s = \"a-b\"; s.replace('-', \"--\"); s.replace(\"--\", '€'); s.replace('a', 'b'); s", "b€b"),
        ("let s = \"\"; s.replace(\"\", \"x\"); s", ""),
        ("let s = \"é\"; s.pad(4, \"ab\"); s.pad(5, '!'); s.pad(2, 'x'); s.pad(-1, 'x'); s", "éaba!"),
        // Nothing makes it no longer, which took for ever.
        ("let s = \"a\"; s.pad(5, \"\"); s", "a"),
        ("let a = [1]; a.pad(3, [2]); a.pad(-5, 3); `${a}`", "[1, [2], [2]]"),
        ("let a = [3, 1, 2]; a.sort(|x, y| x - y); `${a}`", "[1, 2, 3]"),
        ("let a = [3, 1, 2]; a.sort_by(|x, y| x <= y); `${a}`", "[1, 2, 3]"),
        ("`${[3, 1, 2].order(|x, y| y - x)}`", "[3, 2, 1]"),
        ("let a = [3, 1, 2]; a.sort(); `${a}`", "[1, 2, 3]"),
        ("`${[[1, 1], [0, 2], [1, 0]].order_by(|x, y| x[0] - y[0])}`", "[[0, 2], [1, 1], [1, 0]]"),
    ] {
        let verdicts = judge(&format!("fn f() {{ {source} }} warn(\"a\", f())"));
        assert_eq!(verdicts[0].text.as_deref(), Some(said), "{source}: {verdicts:?}");
    }
}

#[test]
fn what_compares_need_be_no_order() {
    let list = "let a = []; for i in 0..2000 { a.push((i * 7919) % 1009); }";
    for compare in [
        "|x, y| if (x * y + x * 13 + y) % 5 < 2 { 1 } else { -1 }",
        "|x, y| 1",
        "|x, y| -1",
        "|x, y| false",
        "|x, y| if x % 2 == 0 { true } else { -1 }",
    ] {
        assert_eq!(one(&format!("{list} a.sort({compare}); allow()")), (Outcome::Allow, None), "{compare}");
        assert_eq!(
            one(&format!("{list} a.order_by({compare}); allow()")),
            (Outcome::Allow, None),
            "{compare}"
        );
    }
    assert!(broken(&format!("{list} a.sort(|x, y| throw \"no\"); allow()")).contains("no"));
    assert!(broken(&format!("{list} a.sort(|x, y| \"x\"); allow()")).contains("whole number"));
    assert!(broken(&format!("{list} a.sort(|x, y| {{ loop {{ }} }}); allow()")).contains("steps"));
}

#[test]
fn an_answer_has_as_many_verdicts_as_somebody_reads() {
    let many = |count: u32, rule: &str| {
        format!("let a = []; for i in 0..{count} {{ a.push(warn({rule}, `${{i}}`)); }} a")
    };
    assert_eq!(judge(&many(1000, "\"a\"")).len(), 1000);
    assert!(broken(&many(60_000, "\"a\"")).contains("60000 verdicts"));
    assert!(broken(&many(65, "`a${i}`")).contains("65 rules"));
}

#[test]
fn deep_and_long_texts_do_not_end_the_program() {
    let many = LONGEST_SOURCE / 16;
    for source in [
        "(".repeat(many),
        "[".repeat(many),
        "#{a:".repeat(many),
        "!".repeat(many),
        "-".repeat(many),
        format!("{}1", "1+".repeat(many)),
        format!("{}1", "1**".repeat(many)),
        format!("{}true", "true && ".repeat(many)),
        format!("{}()", "() ?? ".repeat(many)),
        format!("context{}", ".a".repeat(many)),
        format!("context{}", "[0]".repeat(many)),
        format!("context{}", ".a()".repeat(many)),
        format!("{{{}", "{".repeat(many)),
        format!("if true {{}} {}", "else if true {}".repeat(many)),
        "fn f(){".repeat(many),
        "|x| ".repeat(many),
        "`${".repeat(many),
        "switch 1 { 1 => ".repeat(many / 2),
        "if true { ".repeat(many / 2),
        "let a = ".repeat(many / 2),
        "return ".repeat(many / 2),
        "throw ".repeat(many / 2),
        "/*".repeat(many),
        "\"".repeat(many),
    ] {
        broken(&source);
    }
}

#[test]
fn who_asks_may_end_a_question() {
    let asked = Rc::new(Cell::new(0));
    let counted = Rc::clone(&asked);
    let language = Language::new(Box::new(move || {
        counted.set(counted.get() + 1);
        (counted.get() > 3).then_some("it took too long")
    }));
    let policy = language.compile(EVENT.parse().unwrap(), b"loop { }").unwrap();
    let verdicts = language.judge(&policy, &example());
    assert_eq!(verdicts[0].text.as_deref(), Some("it took too long"));
    assert_eq!(asked.get(), 4);
}

#[test]
fn the_same_source_and_the_same_context_give_the_same_verdict() {
    let source = "let found = []; for m in context.migrations { for k in m.kinds { found.push(warn(`k${found.len()}`, k)); } }\n\
                  for name in context.keys() { found.push(warn(name, `${context[name]}`)); } found";
    let first = judge(source);
    assert!(first.len() > 15, "{first:?}");
    for _ in 0..20 {
        assert_eq!(judge(source), first);
    }
}

#[test]
fn a_number_that_is_not_whole_is_no_context() {
    let language = language();
    let policy = language.compile(EVENT.parse().unwrap(), b"allow()").unwrap();
    assert!(language.judge(&policy, &serde_json::json!({ "a": 1.5 }))[0].is_broken());
    assert!(language.judge(&policy, &serde_json::json!({ "a": u64::MAX }))[0].is_broken());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(source in "(fn |beforeMigrate|\\(|\\)|\\{|\\}|context|\\.|\\[|\\]|#|\\||;|let |=|\\+|if |else |for x in |switch |`|\\$|\"|[0-9]{1,3}|allow\\(\\)|é|\\PC){0,30}") {
        judge(&source);
    }
}
