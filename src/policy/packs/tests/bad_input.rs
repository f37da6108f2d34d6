//! Packs that are too large, too deep, or say less than they seem to; scripts that nobody can read.

use super::*;

fn error(own: &str) -> String {
    match in_force(own, &["own"]) {
        Ok(_) => String::new(),
        Err(LibraryError::Pack { source, .. }) => source.to_string(),
        Err(error) => error.to_string(),
    }
}

const RULE: &str = "[[rule]]\nid = 'own-a'\nlevel = 'warn'\ndecides = 'tool'\nwhat = 'approvals'\ncount = 2\nsays = 'A.'\n\
                    keep = 'B.'\nsource = 'practice'\n";

#[test]
fn approvals_that_are_only_told_stop_nothing() {
    let warned = in_force(&format!("{OWN}{RULE}"), &["own"]).unwrap();
    let denied = in_force(&format!("{OWN}{}", RULE.replace("'warn'", "'deny'")), &["own"]).unwrap();
    let mut facts = Facts::of_day(DAY);
    facts.scripts.push(ScriptFacts::of("7", Direction::Up));
    assert_eq!((approvals_needed(&warned, &facts), approvals_needed(&denied, &facts)), (0, 2));
    facts.approvals = Some(0);
    let verdicts = judge(&warned, &facts);
    let told = verdicts.iter().find(|verdict| verdict.rule == "own-a").unwrap();
    assert_eq!((told.outcome, told.stops()), (Outcome::Broken, false));
}

#[test]
fn a_class_has_fewer_tables_for_a_reason_until_a_day() {
    let class = |rest: &str| format!("{OWN}[[class]]\nid = 'patient-records'\nsays = 'A.'\n{rest}");
    let error = error(&class("tables = ['nothing']\n"));
    assert!(error.contains("makes `patient-records` weaker") && error.contains("`until`"), "{error}");
    let for_now = class("tables = ['nothing']\nreason = 'tests only'\nuntil = '2026-11-23'\n");
    let for_now = in_force(&for_now, &["own"]).unwrap();
    assert_eq!(for_now.classes["patient-records"].tables, ["nothing"]);
    assert_eq!((for_now.weakened[0].rule.as_str(), for_now.weakened[0].over), ("patient-records", false));
    let over = class("tables = ['nothing']\nreason = 'tests only'\nuntil = '2026-11-22'\n");
    let over = in_force(&over, &["own"]).unwrap();
    let tables = &over.classes["patient-records"].tables;
    assert!(tables.contains(&"patient".to_owned()) && tables.contains(&"nothing".to_owned()), "{tables:?}");
    assert!(over.weakened[0].over);
    // More of them need none.
    let base = in_force(OWN, &["own"]).unwrap().classes["patient-records"].tables.clone();
    let more = class(&format!("tables = ['{}', 'ward_file']\n", base.join("', '")));
    assert_eq!(in_force(&more, &["own"]).unwrap().classes["patient-records"].tables.len(), base.len() + 1);
}

#[test]
fn what_stands_twice_or_too_often_is_refused_and_not_left_out() {
    assert!(error(&format!("{OWN}{RULE}{RULE}")).contains("`rule.id` is that of a rule before it"));
    let class = "[[class]]\nid = 'a'\nsays = 'A.'\n";
    assert!(error(&format!("{OWN}{class}{class}")).contains("`class.id` is that of a class before it"));
    let change = "[[change]]\nrule = 'sante-reason'\nlevel = 'deny'\n";
    assert!(error(&format!("{OWN}{change}{change}")).contains("`change.rule` is that of a change before it"));
    let many: String = (0..513).map(|number| RULE.replace("own-a", &format!("own-{number}"))).collect();
    assert!(error(&format!("{OWN}{many}")).contains("stands there 513 times: write at most 512"));
    // Of many faults the first are told.
    let faults = error(&format!("{OWN}{}", "a = 1\n".repeat(20_000)));
    assert!(faults.lines().count() == 21 && faults.ends_with("and 19979 more"), "{faults}");
    // A name that is missing is told once.
    assert_eq!(error(&OWN.replace("name = 'own'\n", "")), "line 1: `name` is missing");
}

#[test]
fn packs_that_extend_many_times_or_deeply_are_read_once_or_refused() {
    let pack = |number: usize, extends: &str| {
        format!(
            "greffe = 'pack/1'\nname = 'p{number}'\nversion = '1'\ntitle = 'Own'\nsource = 'practice'\nextends = [{extends}]\n"
        )
    };
    let chain = |length: usize| {
        let mut library = Library::built_in().unwrap();
        for number in 0..length {
            let below = format!("'p{}', ", number.saturating_sub(1)).repeat(if number > 0 { 40 } else { 0 });
            // Each also extends the one before that, so that there are ever more ways down.
            let further = if number > 1 { format!("'p{}'", number - 2) } else { String::new() };
            library.add("p.toml", pack(number, &format!("{below}{further}")).as_bytes())?;
        }
        library.in_force(&[format!("p{}", length - 1)].into(), DAY)
    };
    let began = std::time::Instant::now();
    assert!(chain(16).is_ok() && began.elapsed().as_secs() < 10);
    assert!(matches!(chain(17), Err(LibraryError::TooDeep(name)) if name == "p16"));
    assert!(matches!(chain(62), Err(LibraryError::TooMany)));
}

#[test]
fn a_pack_that_is_extended_is_named_as_its_sector_is() {
    for name in ["santé", "Santé", "sante\u{301}", "SANTE", "health"] {
        let own = in_force(&OWN.replace("'sante'", &format!("'{name}'")), &["own"]).unwrap();
        assert!(own.rules.contains_key("sante-retention"), "{name}");
    }
}

#[test]
fn of_a_script_that_no_program_reads_nothing_is_kept() {
    let library = Library::built_in().unwrap();
    let names: BTreeSet<String> = SECTORS.map(|(name, _)| name.to_owned()).into();
    let in_force = library.in_force(&names, DAY).unwrap();
    let mut facts = Facts::of_day(DAY);
    facts.scripts.push(ScriptFacts { unread: true, ..ScriptFacts::of("7", Direction::Up) });
    let of_script = |verdict: &&Verdict| in_force.rules[&verdict.rule].rule.check.kind.is_of_script();
    let verdicts = judge(&in_force, &facts);
    for verdict in verdicts.iter().filter(of_script) {
        assert_eq!(verdict.outcome, Outcome::AttestationRequired, "{}", verdict.rule);
    }
    facts.attestations.push(attestation("ecommerce-no-card-codes", &["7"]));
    facts.attestations.push(attestation("ecommerce-no-card-values", &["8"]));
    let verdicts = judge(&in_force, &facts);
    let said = |rule: &str| verdicts.iter().find(|verdict| verdict.rule == rule).unwrap().outcome;
    assert_eq!(said("ecommerce-no-card-codes"), Outcome::Attested);
    assert_eq!(said("ecommerce-no-card-values"), Outcome::AttestationRequired);
    // What the tool reads, it decides, whatever somebody says.
    let case = Case {
        attestations: vec![attestation("ecommerce-no-card-codes", &["7"])],
        ..Case::sql("CREATE TABLE payment (cvv text);")
    };
    assert_eq!(case.outcome("ecommerce-no-card-codes"), Outcome::Broken);
}

#[test]
fn what_a_way_down_writes_counts() {
    let library = Library::built_in().unwrap();
    let in_force = library.in_force(&["education".to_owned()].into(), DAY).unwrap();
    let mut script = ScriptFacts::of("7", Direction::Up);
    script.down_literals.insert("appreciations".to_owned());
    let mut facts = Facts::of_day(DAY);
    facts.scripts.push(script);
    let verdicts = judge(&in_force, &facts);
    let found = verdicts.iter().find(|verdict| verdict.rule == "education-no-appreciations").unwrap();
    assert_eq!((found.outcome, found.line), (Outcome::Broken, None));
    assert!(found.english().ends_with("is in its way down"));
    assert_eq!(Facts::decode(&facts.encode()), Some(facts));
}

#[test]
fn codes_and_numbers_of_cards_are_known_in_several_languages() {
    for column in [
        "cvc",
        "CVV2",
        "cardCVV",
        "cvvCode",
        "card_verification",
        "cardVerificationValue",
        "card_cid",
        "cryptogramme_visuel",
        "code_sécurité",
        "\"Kartenprüfnummer\"",
        "sicherheitscode",
        "track2_data",
    ] {
        let sql = format!("CREATE TABLE a (id int, {column} text);");
        let case = Case::sql(Box::leak(sql.into_boxed_str()));
        assert_eq!(case.outcome("ecommerce-no-card-codes"), Outcome::Broken, "{column}");
    }
    for column in ["cid", "verification_code", "code", "id_carte", "receive_count"] {
        let sql = format!("CREATE TABLE a (id int, {column} text);");
        let case = Case::sql(Box::leak(sql.into_boxed_str()));
        assert_eq!(case.outcome("ecommerce-no-card-codes"), Outcome::Kept, "{column}");
    }
    for column in ["pan", "cardNumber", "card_number_encrypted", "numéro_carte", "kreditkartennummer"] {
        let sql = format!("ALTER TABLE a ADD COLUMN {column} text;");
        let case = Case::sql(Box::leak(sql.into_boxed_str()));
        assert_eq!(case.outcome("ecommerce-cards-tokenised"), Outcome::Broken, "{column}");
    }
}
