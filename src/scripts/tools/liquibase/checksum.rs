//! Checksums of Liquibase, which are blind to white space: one rule for each version of them.

use data_encoding::HEXLOWER;
use md5::{Digest as _, Md5};

use super::changelog::is_plain;
use super::formatted::Formatted;

/// The checksum of a changeset, by the rule that made `other`; `None` where the rule is not known, and where properties of
/// elsewhere change the SQL.
pub fn of(sql: &Formatted, other: &str) -> Option<String> {
    if !is_plain(&sql.text) {
        return None;
    }
    match other.split_once(':')?.0 {
        "9" => Some(newest(sql)),
        "8" => Some(older(sql)),
        _ => None,
    }
}

/// That of Liquibase 4.22 and later: white space is left out.
fn newest(sql: &Formatted) -> String {
    let text: String = sql.text.chars().filter(|c| !matches!(c, ' ' | '\t' | '\r' | '\n')).collect();
    format!("9:{}", md5(&format!("9:{}:", md5(&text))))
}

/// That of Liquibase 3.5 to 4.21: white space is one space, and options count.
fn older(sql: &Formatted) -> String {
    let words: Vec<&str> = sql.text.split_whitespace().collect();
    let delimiter = sql.end_delimiter.as_deref().unwrap_or("null");
    let text = format!("{delimiter}:{}:{}:{}", sql.split_statements, sql.strip_comments, words.join(" "));
    format!("8:{}", md5(&format!("8:{}:", md5(&text))))
}

fn md5(text: &str) -> String {
    HEXLOWER.encode(&Md5::digest(text.as_bytes()))
}
