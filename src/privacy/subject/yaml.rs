//! How the map is written: YAML of a narrow kind. No aliases, one document, every key known, each key once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use super::map::{
    Class, ColumnAction, ColumnRule, MapError, Place, RowAction, SubjectMap, TableRule, Via, label,
    plain_name,
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
    tables_without_people: Nobodys,
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

text_form!(TableName, plain_name);
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
    let sound = plain_name(table).and_then(|()| plain_name(column));
    sound.map_err(|why| format!("the name of a table or column cannot be used: {why}"))?;
    Ok(Place { table: table.to_owned(), column: column.to_owned() })
}

/// Tables that hold nobody's data, with their columns.
#[derive(Default)]
struct Nobodys(BTreeMap<String, BTreeSet<String>>);

impl<'de> Deserialize<'de> for Nobodys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tables;
        impl<'de> Visitor<'de> for Tables {
            type Value = Nobodys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("each table with its columns, such as `pays: [code, nom]`")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Nobodys, A::Error> {
                Err(de::Error::custom(
                    "`tables_without_people` names each table with its columns: write `pays: [code, nom]` for each, \
                     so that a new column is found",
                ))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut given: A) -> Result<Nobodys, A::Error> {
                let mut tables = BTreeMap::new();
                while let Some((TableName(name), columns)) =
                    given.next_entry::<TableName, Vec<ColumnName>>()?
                {
                    tables.insert(name, columns.into_iter().map(|ColumnName(name)| name).collect());
                }
                Ok(Nobodys(tables))
            }
        }
        deserializer.deserialize_any(Tables)
    }
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
        let detail = fault(error.without_snippet()).chars().take(300).collect();
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
    Ok(SubjectMap { person: form.person.0, tables, tables_without_people: form.tables_without_people.0 })
}

/// What is wrong, in the words of a map.
fn fault(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    let names = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            format!("`{field}` means nothing here; what may stand is {}", names(expected))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            format!("`{variant}` means nothing here; what may stand is {}", names(expected))
        }
        Error::SerdeMissingField { field, .. } => format!("`{field}` is missing"),
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("`{key}` stands here twice"),
        Error::DuplicateMappingKey { .. } => "the same stands here twice".to_owned(),
        Error::InvalidBooleanStrict { .. } => "it is neither `true` nor `false`".to_owned(),
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            format!("what has to stand here is {expected}")
        }
        Error::InvalidScalar { ty, .. } => format!("it is no {ty}"),
        Error::NullIntoString { .. } => "nothing stands here, and a text has to".to_owned(),
        Error::Eof { .. } => "the map ends too early".to_owned(),
        Error::MultipleDocuments { .. } => "a map is one document: remove `---`".to_owned(),
        Error::UnsupportedTag { .. } => "tags (`!…`) cannot stand in a map".to_owned(),
        Error::UnknownAnchor { .. } | Error::AliasError { .. } | Error::MergeKeyNotAllowed { .. } => {
            "anchors, aliases (`&`, `*`) and `<<` cannot stand in a map".to_owned()
        }
        Error::Budget { .. } => {
            "it is too deep or too long for a map, or has anchors or aliases (`&`, `*`)".to_owned()
        }
        Error::IndentationError { .. } => "it is indented otherwise than what it belongs to".to_owned(),
        // What the rules of this file say.
        Error::Message { msg, .. } => msg.clone(),
        _ => "it is not YAML of the kind that maps are written in".to_owned(),
    }
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
