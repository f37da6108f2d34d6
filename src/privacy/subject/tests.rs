//! Maps that are read and refused, and what follows from them for a schema.

use super::map::MAP_LIMIT;
use super::*;
use crate::model::{Column, ForeignKey, OnDelete, Relation, RelationKind, Replacement, ValueKind};

const SHOP: &str = "
version: 1
person: client.id
tables:
  client:
    erase: delete
    columns:
      id: {class: technical, export: true}
      nom: {class: identifier, export: true}
  commande:
    via: client.id -> client_id
    erase: delete
    columns:
      id: {class: technical, export: true}
      client_id: {class: technical, export: false}
  ligne:
    via: [commande.id -> commande_id]
    erase: delete
    columns:
      commande_id: {class: technical, export: false}
tables_without_people: {pays: [id]}
";

fn refusal(from: &str, to: &str) -> String {
    let text = SHOP.replacen(from, to, 1);
    assert_ne!(text, SHOP, "{from}");
    SubjectMap::parse(&text).unwrap_err().to_string()
}

#[test]
fn a_map_is_read_and_its_ways_are_followed() {
    let map = SubjectMap::parse(SHOP).unwrap();
    assert_eq!((map.person.table.as_str(), map.person.column.as_str()), ("client", "id"));
    let [path] = map.paths("ligne").try_into().unwrap();
    let hops: Vec<(&str, &str)> =
        path.hops.iter().map(|hop| (hop.column.as_str(), hop.parent.as_str())).collect();
    assert_eq!((hops, path.key.as_str()), (vec![("commande_id", "commande"), ("client_id", "client")], "id"));
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (from, to, said) in [
        ("version: 1", "version: 2", "version 1"),
        ("version: 1", "version: 1\nmore: 2", "line 3"),
        ("class: identifier", "class: identifer", "line 9"),
        ("erase: delete", "erase: shred", "line 6"),
        ("client.id -> client_id", "client.id client_id", "line 11"),
        ("nom: {class: identifier, export: true}", "nom: {class: identifier}", "`export: true` or"),
        ("nom:", "id:", "line 9"),
        ("nom:", "\"no\\tm\":", "control characters"),
        ("nom:", "\"\":", "it is empty"),
        ("person: client.id", "person: client.cle", "named and not declared"),
        ("person: client.id", "person: personne.id", "not among `tables`"),
        ("person: client.id", "person: id", "like `client.id`"),
        (
            "    erase: delete\n    columns:\n      id: {class: technical, export: true}\n      nom",
            "    erase: keep\n    columns:\n      id: {class: technical, export: true}\n      nom",
            "need a `basis`",
        ),
        (
            "commande:\n    via: client.id -> client_id",
            "commande:\n    via: ligne.commande_id -> client_id",
            "leads back",
        ),
        ("commande:\n    via: client.id -> client_id\n", "commande:\n", "lead to nobody"),
        ("{pays: [id]}", "{client: [id]}", "nobody's"),
        ("{pays: [id]}", "[pays]", "each table with its columns"),
        ("nom: {", "nom: {nature: 1, ", "`nature` means nothing here"),
        (
            "class: identifier",
            "class: identifer",
            "`identifer` means nothing here; what may stand is `identifier`",
        ),
        ("    erase: delete\n", "", "`erase` is missing"),
        ("nom:", "id:", "`id` stands here twice"),
        ("class: identifier, export: true", "class: identifier, export: oui", "neither `true` nor `false`"),
        ("class: identifier, export: true", "class: identifier, export: yes", "line 9"),
        (
            "class: identifier, export: true",
            "class: identifier, export: true, erase: keep",
            "`erase: anonymise`",
        ),
    ] {
        let refused = refusal(from, to);
        assert!(refused.contains(said), "{from} → {to}: {refused}");
    }
}

#[test]
fn bombs_and_giants_are_refused_at_once() {
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for level in 1..20 {
        let before = format!("*a{}", level - 1);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![before; 9].join(",")));
    }
    let deep = format!("version: {}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let many: String = (0..40_000).map(|n| format!("{n}: [0,0,0,0,0,0]\n")).collect();
    for text in [
        bomb.as_str(),
        &deep,
        &many,
        "a: &x 1\nb: *x",
        "<<: {a: 1}",
        "---\na: 1\n---\nb: 1",
        "!!binary x",
        "",
    ] {
        assert!(SubjectMap::parse(text).is_err(), "{}", &text[..text.len().min(60)]);
    }
    let large = format!("{SHOP}#{}", "x".repeat(MAP_LIMIT));
    assert_eq!(SubjectMap::parse(&large), Err(MapError::TooLarge));
    // Ways that double at every table.
    let mut ways = String::from("version: 1\nperson: t0.id\ntables:\n");
    for n in 0..8 {
        let via =
            if n == 0 { String::new() } else { format!("    via: [t{0}.id -> a, t{0}.id -> b]\n", n - 1) };
        ways.push_str(&format!(
            "  t{n}:\n{via}    erase: delete\n    columns: {{id: {{class: none}}, a: {{class: none}}, b: {{class: none}}}}\n"
        ));
    }
    assert!(SubjectMap::parse(&ways).unwrap_err().to_string().contains("more than 32 ways"));
}

fn column(name: &str, kind: ValueKind) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        sql_type: "text".to_owned(),
        nullable: false,
        generated: false,
        length: None,
        range: None,
    }
}

fn table(name: &str, columns: Vec<Column>, references: &[(&str, &str, &str, OnDelete)]) -> Relation {
    Relation {
        name: name.to_owned(),
        schema: None,
        table: name.to_owned(),
        kind: RelationKind::Table,
        transactional: true,
        columns,
        primary_key: vec!["id".to_owned()],
        unique: vec![vec!["id".to_owned()]],
        foreign_keys: references
            .iter()
            .map(|(column, table, referenced, on_delete)| ForeignKey {
                columns: vec![(*column).to_owned()],
                table: (*table).to_owned(),
                referenced: vec![(*referenced).to_owned()],
                on_delete: *on_delete,
            })
            .collect(),
        ..Relation::default()
    }
}

fn shop() -> Vec<Relation> {
    let integer = |name: &str| column(name, ValueKind::Integer);
    vec![
        table("client", vec![integer("id"), column("nom", ValueKind::Text)], &[]),
        table(
            "commande",
            vec![integer("id"), integer("client_id")],
            &[("client_id", "client", "id", OnDelete::Refuse)],
        ),
        table("ligne", vec![integer("commande_id")], &[("commande_id", "commande", "id", OnDelete::Refuse)]),
        table("pays", vec![integer("id")], &[]),
    ]
}

fn found(map: &str, relations: &[Relation]) -> Vec<String> {
    let map = SubjectMap::parse(map).unwrap();
    coverage(&map, relations).iter().map(ToString::to_string).collect()
}

#[test]
fn rows_that_refer_to_others_go_first() {
    assert_eq!(found(SHOP, &shop()), Vec::<String>::new());
    let plan = Plan::of(&SubjectMap::parse(SHOP).unwrap(), &shop());
    let order: Vec<&str> = plan.steps.iter().map(|step| step.table.as_str()).collect();
    assert_eq!(order, ["ligne", "commande", "client"]);
}

#[test]
fn whatever_is_not_declared_is_found() {
    let mut relations = shop();
    relations[0].columns.push(column("courriel", ValueKind::Text));
    relations.push(table("panier", vec![], &[]));
    relations.push(table("pa\tnier", vec![], &[]));
    relations.remove(3);
    let found = found(SHOP, &relations);
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found[0].contains("courriel") && found[1].contains("panier"), "{found:#?}");
    assert!(found[2].contains("for its name") && found[3].contains("pays"), "{found:#?}");
}

#[test]
fn references_that_would_delete_or_hinder_are_found() {
    let self_reference = |on_delete| {
        let mut relations = shop();
        let mut parrain = column("parrain", ValueKind::Integer);
        parrain.nullable = true;
        relations[0].columns.push(parrain);
        relations[0].foreign_keys = table("", vec![], &[("parrain", "client", "id", on_delete)]).foreign_keys;
        relations
    };
    let declared = SHOP.replace(
        "      nom: {class: identifier, export: true}",
        "      nom: {class: identifier, export: true}\n      parrain: {class: technical, export: false}",
    );
    assert_eq!(found(&declared, &self_reference(OnDelete::Unset)), Vec::<String>::new());
    for on_delete in [OnDelete::Cascade, OnDelete::Refuse] {
        let found = found(&declared, &self_reference(on_delete));
        assert!(found[0].contains("detach: [parrain]"), "{found:?}");
    }
    let detached = declared.replacen("erase: delete", "erase: delete\n    detach: [parrain]", 1);
    assert_eq!(found(&detached, &self_reference(OnDelete::Cascade)), Vec::<String>::new());
    // Rows that stay hold on to rows that go.
    let kept = SHOP.replace(
        "via: client.id -> client_id\n    erase: delete",
        "via: client.id -> client_id\n    erase: keep\n    basis: L123-22",
    );
    let found = found(&kept, &shop());
    assert!(found[0].contains("its rows stay and refer to rows of `client`"), "{found:?}");
}

#[test]
fn what_could_meet_rows_of_others_is_found() {
    // A column that is not unique leads to rows of several people, unless it is the person's key itself.
    let mut relations = shop();
    relations[1].unique.clear();
    assert!(found(SHOP, &relations)[0].contains("not unique by itself"));
    let by_key = SHOP.replace("[commande.id -> commande_id]", "[commande.client_id -> commande_id]");
    relations[2].foreign_keys.clear();
    assert_eq!(found(&by_key, &relations), Vec::<String>::new());
    // A key over several columns is never advised to be followed by one.
    let mut relations = shop();
    relations[2].foreign_keys[0].columns.push("ligne".to_owned());
    relations[2].foreign_keys[0].referenced.push("rang".to_owned());
    let several = found(SHOP, &relations);
    assert!(several.len() == 1 && several[0].contains("several columns (commande_id, ligne)"), "{several:?}");
    assert!(!several[0].contains("->"), "{several:?}");
    // Nobody's tables have no key to people's, and no new column.
    let mut relations = shop();
    relations[3] = table(
        "pays",
        vec![column("id", ValueKind::Integer), column("nir", ValueKind::Text)],
        &[("id", "client", "id", OnDelete::Unset)],
    );
    let nobodys = found(SHOP, &relations);
    assert!(nobodys[0].contains("column nir of pays") && nobodys[1].contains("not nobody's"), "{nobodys:?}");
    for (change, said) in [
        (Relation { inherits: true, ..shop().remove(0) }, "inherit"),
        (Relation { hides_rows: true, ..shop().remove(0) }, "row-level security"),
        (Relation { referred_from_outside: vec!["b.t".to_owned()], ..shop().remove(0) }, "`b.t` of another"),
    ] {
        let mut relations = shop();
        relations[0] = change;
        assert!(found(SHOP, &relations)[0].contains(said), "{said}");
    }
    let mut twice = shop();
    twice.insert(1, shop().remove(0));
    assert!(found(SHOP, &twice)[0].contains("two tables are called so"));
    // A column without a type is compared with any.
    let mut relations = shop();
    relations[1].columns[1] = Column { sql_type: String::new(), ..column("client_id", ValueKind::Other) };
    assert_eq!(found(SHOP, &relations), Vec::<String>::new());
}

#[test]
fn what_stands_for_a_value_fits_its_column() {
    let mut relation = table("t", vec![], &[("parent", "t", "id", OnDelete::Refuse)]);
    relation.unique.push(vec!["code".to_owned()]);
    let rule = ColumnRule { class: Class::Identifier, export: true, erase: None, basis: None, replace: None };
    let replaced = |rule: &ColumnRule, column: &Column| plan::replacement(rule, &relation, column);
    let text = |text: &str| Ok(Some(Replacement::Text(text.to_owned())));
    let mut nullable = column("n", ValueKind::Other);
    nullable.nullable = true;
    assert_eq!(replaced(&rule, &nullable), Ok(Some(Replacement::Null)));
    assert_eq!(replaced(&rule, &column("a", ValueKind::Text)), text(""));
    assert_eq!(replaced(&rule, &column("a", ValueKind::Decimal(None))), text("0"));
    assert!(replaced(&rule, &column("a", ValueKind::Other)).is_err());
    assert_eq!(replaced(&rule, &column("code", ValueKind::Text)), Ok(Some(Replacement::Token(32))));
    let mut short = column("code", ValueKind::Text);
    short.length = Some(8);
    assert!(replaced(&rule, &short).is_err());
    assert!(replaced(&rule, &column("parent", ValueKind::Integer)).is_err());
    let mut small = column("code", ValueKind::Integer);
    small.range = Some((-32_768, 32_767));
    assert_eq!(replaced(&rule, &small), Ok(Some(Replacement::RandomInteger(32_767))));
    small.range = Some((-128, 127));
    assert!(replaced(&rule, &small).is_err());
    for (kind, sound, wrong) in [
        (ValueKind::Date, "1900-01-01", "bogus"),
        (ValueKind::Time, "12:00", "noon"),
        (ValueKind::Timestamp, "1900-01-01 12:00:00", "1900-13-01"),
        (ValueKind::Uuid, "00000000-0000-0000-0000-000000000001", "0"),
        (ValueKind::Json, "{\"a\": 1}", "{"),
    ] {
        let named = |text: &str| ColumnRule { replace: Some(text.to_owned()), ..rule.clone() };
        assert_eq!(replaced(&named(sound), &column("a", kind)), text(sound));
        assert!(replaced(&named(wrong), &column("a", kind)).is_err(), "{kind:?}");
    }
    let mut small = column("a", ValueKind::Integer);
    small.range = Some((-128, 127));
    assert!(replaced(&ColumnRule { replace: Some("128".to_owned()), ..rule.clone() }, &small).is_err());
    let named = ColumnRule { replace: Some("anonyme".to_owned()), ..rule.clone() };
    assert_eq!(replaced(&named, &column("a", ValueKind::Text)), text("anonyme"));
    assert!(replaced(&named, &column("a", ValueKind::Integer)).is_err());
    assert!(replaced(&named, &column("code", ValueKind::Text)).is_err());
    let mut computed = column("a", ValueKind::Text);
    computed.generated = true;
    assert_eq!(replaced(&rule, &computed), Ok(None));
    let technical = ColumnRule { class: Class::Technical, ..rule };
    assert_eq!(replaced(&technical, &column("a", ValueKind::Text)), Ok(None));
}
