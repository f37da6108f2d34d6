//! How the map is written: YAML of a narrow kind. No aliases, one document, every key known, each key once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::map::{
    Class, ColumnAction, ColumnRule, MapError, Place, RowAction, SubjectMap, TableRule, Via, label,
    plain_name, table_name,
};

/// Values of one map at most: three for each column and some.
const NODES: usize = 200_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MapForm {
    version: u64,
    person: ColumnForm,
    tables: BTreeMap<TableName, TableForm>,
    #[serde(default)]
    tables_without_people: Vec<TableName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableForm {
    #[serde(default)]
    via: Vias,
    erase: RowAction,
    basis: Option<Label>,
    flag: Option<ColumnName>,
    #[serde(default)]
    detach: Vec<ColumnName>,
    columns: BTreeMap<ColumnName, RuleForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleForm {
    class: Class,
    export: Option<bool>,
    erase: Option<ColumnAction>,
    basis: Option<Label>,
    replace: Option<Label>,
}

/// A text that has to pass a rule, which is said at its place in the file.
macro_rules! text_form {
    ($name:ident, $rule:expr) => {
        #[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
        #[serde(try_from = "String")]
        struct $name(String);

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let shown: String = text.chars().take(80).collect();
                $rule(&text).map_err(|why: &str| format!("{shown:?} cannot stand here: {why}"))?;
                Ok(Self(text))
            }
        }
    };
}

text_form!(TableName, table_name);
text_form!(ColumnName, plain_name);
text_form!(Label, label);

/// `table.column`.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct ColumnForm(Place);

impl TryFrom<String> for ColumnForm {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        place(&text).map(Self)
    }
}

fn place(text: &str) -> Result<Place, String> {
    let (table, column) = text.rsplit_once('.').ok_or("a column is written like `client.id`")?;
    let sound = table_name(table).and_then(|()| plain_name(column));
    sound.map_err(|why| format!("the name of a table or column cannot be used: {why}"))?;
    Ok(Place { table: table.to_owned(), column: column.to_owned() })
}

/// One `via`, or a list of them.
#[derive(Default)]
struct Vias(Vec<Via>);

impl<'de> Deserialize<'de> for Vias {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Vias;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`client.id -> client_id`, or a list of such")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Vias, E> {
                Ok(Vias(vec![via(text).map_err(E::custom)?]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Vias, A::Error> {
                let mut vias = Vec::new();
                while let Some(text) = texts.next_element::<String>()? {
                    vias.push(via(&text).map_err(de::Error::custom)?);
                }
                Ok(Vias(vias))
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}

fn via(text: &str) -> Result<Via, String> {
    let (parent, column) = text.split_once("->").ok_or("it is written like `client.id -> client_id`")?;
    let column = column.trim();
    plain_name(column).map_err(|why| format!("the name of a column cannot be used: {why}"))?;
    Ok(Via { parent: place(parent.trim())?, column: column.to_owned() })
}

/// Reads the text; what the parts have to do with each other is not looked at.
pub fn read(text: &str) -> Result<SubjectMap, MapError> {
    let budget = serde_saphyr::budget! {
        max_documents: 1,
        max_aliases: 0,
        max_anchors: 0,
        max_depth: 8,
        max_nodes: NODES,
        max_events: 3 * NODES,
        max_merge_keys: 0,
        max_inclusion_depth: 0,
        max_total_scalar_bytes: super::map::MAP_LIMIT,
    };
    let options = serde_saphyr::options! {
        budget: budget,
        strict_booleans: true,
        with_snippet: false,
        reject_unsupported_tags: true,
    };
    let form: MapForm = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let (line, column) = error.location().map_or((0, 0), |place| (place.line(), place.column()));
        let detail = error.without_snippet().to_string();
        let first = detail.lines().next().unwrap_or_default();
        let said = first.rsplit_once(" at line ").map_or(first, |(said, _)| said);
        let detail = said.chars().take(300).collect();
        MapError::Yaml { line, column, detail }
    })?;
    if form.version != 1 {
        return Err(MapError::Version(form.version));
    }
    let mut tables = BTreeMap::new();
    for (TableName(name), table) in form.tables {
        let rule = rule_of(&name, table)?;
        tables.insert(name, rule);
    }
    let tables_without_people: BTreeSet<String> =
        form.tables_without_people.into_iter().map(|TableName(name)| name).collect();
    Ok(SubjectMap { person: form.person.0, tables, tables_without_people })
}

fn rule_of(table: &str, form: TableForm) -> Result<TableRule, MapError> {
    let mut columns = BTreeMap::new();
    for (ColumnName(name), RuleForm { class, export, erase, basis, replace }) in form.columns {
        let export = match (export, class) {
            (Some(export), _) => export,
            (None, Class::None) => false,
            (None, _) => {
                let detail = "`export: true` or `export: false` has to be said of what is personal";
                return Err(MapError::Column { table: table.to_owned(), column: name, detail });
            }
        };
        let text = |label: Option<Label>| label.map(|Label(text)| text);
        let rule = ColumnRule { class, export, erase, basis: text(basis), replace: text(replace) };
        columns.insert(name, rule);
    }
    Ok(TableRule {
        via: form.via.0,
        erase: form.erase,
        basis: form.basis.map(|Label(text)| text),
        flag: form.flag.map(|ColumnName(name)| name),
        detach: form.detach.into_iter().map(|ColumnName(name)| name).collect(),
        columns,
    })
}
