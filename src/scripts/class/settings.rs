//! Settings of a session or a database that say nothing of people, and the tokens that set them.

use super::label::is_label;
use super::literal::{Literal, quoted_name};
use crate::scripts::Dialect;
use crate::scripts::meaning::Meaning;
use crate::scripts::statement::is_one_of;
use crate::scripts::word_list::WordList;

use super::Class;

/// Known names, besides those that begin as [`BEGINNINGS`] do.
const KNOWN: WordList = WordList(
    "client_encoding standard_conforming_strings check_function_bodies xmloption client_min_messages \
    row_security default_tablespace default_table_access_method default_with_oids statement_timeout lock_timeout \
    idle_in_transaction_session_timeout transaction_timeout search_path timezone time_zone time names foreign_key_checks \
    unique_checks sql_mode autocommit sql_notes sql_safe_updates session_replication_role work_mem maintenance_work_mem \
    constraints escape_string_warning backslash_quote datestyle intervalstyle default_storage_engine storage_engine \
    local_infile group_concat_max_len log_bin_trust_function_creators schema transaction characteristics character \
    charset synchronous_commit bytea_output extra_float_digits max_parallel_maintenance_workers default_text_search_config \
    explicit_defaults_for_timestamp lc_time_names lc_messages lc_monetary lc_numeric quote_all_identifiers \
    default_transaction_isolation transaction_isolation tx_isolation default_transaction_read_only jit \
    plpgsql.extra_warnings plpgsql.variable_conflict old_alter_table max_allowed_packet sql_log_bin sql_require_primary_key \
    alter_algorithm wait_timeout lock_wait_timeout innodb_lock_wait_timeout net_read_timeout net_write_timeout \
    foreign_keys journal_mode user_version application_id synchronous encoding auto_vacuum cache_size page_size \
    temp_store mmap_size busy_timeout defer_foreign_keys recursive_triggers legacy_alter_table case_sensitive_like \
    foreign_key_check integrity_check quick_check optimize wal_checkpoint wal_autocheckpoint secure_delete locking_mode \
    table_info table_xinfo index_list index_info foreign_key_list database_list compile_options writable_schema \
    schema_version ignore_check_constraints read_uncommitted incremental_vacuum journal_size_limit trusted_schema \
    cell_size_check checkpoint_fullfsync fullfsync query_only reverse_unordered_selects analysis_limit threads",
);
const BEGINNINGS: [&str; 6] =
    ["character_set_", "collation_", "innodb_", "enable_", "autovacuum_", "pg_stat_statements."];
/// What opens an encrypted SQLite database.
const KEYS: [&str; 7] = ["key", "rekey", "hexkey", "hexrekey", "textkey", "textrekey", "cipher_default_key"];

/// The class of `SET`, `PRAGMA`, and what sets in the way of `SET`. `tokens` begin behind `SET` or `PRAGMA`.
pub(super) fn class_of(dialect: Dialect, tokens: &[&str]) -> Class {
    let mut class = Class::Schema;
    let mut from = 0;
    // A comma parts assignments, or values of one: `SET search_path TO app, public`.
    for at in (0..=tokens.len()).filter(|at| tokens.get(*at).is_none_or(|token| *token == ",")) {
        let next = tokens.get(at + 1..).unwrap_or_default();
        let assigns =
            next.iter().take_while(|token| **token != ",").any(|token| matches!(*token, "=" | ":=" | ":"));
        if at == tokens.len() || assigns {
            class = class.max(of_assignment(dialect, tokens.get(from..at).unwrap_or_default()));
            from = at + 1;
        }
    }
    class
}

/// `SELECT pg_catalog.set_config('search_path', '', false)`, as dumps begin.
pub(super) fn is_set_config(dialect: Dialect, tokens: &[&str]) -> bool {
    let call = match tokens {
        ["pg_catalog", ".", call @ ..] => call,
        call => call,
    };
    let [name, "(", setting, ",", value, ",", local, ")", rest @ ..] = call else { return false };
    let inside = |token| Literal::of(dialect, token, "").map(|literal| literal.inside);
    matches!(rest, [] | [";"])
        && is_one_of(name, &["set_config"])
        && is_one_of(local, &["true", "false"])
        && inside(setting).is_some_and(is_known)
        && inside(value).is_some_and(is_label)
}

/// The class of `CREATE VIRTUAL TABLE` by its module, whose arguments need no quotes. `tokens` begin behind `USING`.
pub(super) fn class_of_module(tokens: &[&str]) -> Class {
    const KNOWN: [&str; 9] =
        ["fts3", "fts4", "fts5", "fts4aux", "fts5vocab", "rtree", "rtree_i32", "geopoly", "dbstat"];
    let [module, options @ ..] = tokens else { return Class::Unknown };
    let secret = options
        .windows(2)
        .any(|pair| pair[1] == "=" && Meaning::of(pair[0].as_bytes()) == Some(Meaning::Secret));
    match (secret, is_one_of(module, &KNOWN)) {
        (true, _) => Class::Data,
        (false, true) => Class::Schema,
        (false, false) => Class::Unknown,
    }
}

fn of_assignment(dialect: Dialect, tokens: &[&str]) -> Class {
    let mut rest = tokens;
    let variable = tokens.first().is_some_and(|first| first.starts_with('@'));
    while let [first, more @ ..] = rest
        && (matches!(*first, "@" | ".")
            || is_one_of(first, &["SESSION", "LOCAL", "GLOBAL", "PERSIST", "MAIN", "TEMP"])
                && !more.is_empty())
    {
        // `SET SESSION AUTHORIZATION` changes who works.
        if matches!(more, [next, ..] if is_one_of(next, &["AUTHORIZATION"])) {
            break;
        }
        rest = more;
    }
    let [name, values @ ..] = rest else { return Class::Schema };
    let (name, values) = whole_name(name, values);
    if KEYS.iter().any(|key| name.eq_ignore_ascii_case(key)) {
        return Class::Data;
    }
    let last = name.rsplit('.').next().unwrap_or(&name);
    if Meaning::of(last.as_bytes()) == Some(Meaning::Secret) {
        return Class::Data;
    }
    if is_one_of(last, &["ROLE", "AUTHORIZATION"]) {
        let account = values.iter().find(|token| !is_one_of(token, &["=", "TO"]));
        return if account.is_none_or(|account| is_shared_account(account)) {
            Class::Schema
        } else {
            Class::Unknown
        };
    }
    let kept = |token: &&&str| {
        let name = token.trim_start_matches('@');
        let sign = name.is_empty() || matches!(**token, "=" | ":=" | ":" | ";" | "*/" | ".");
        sign || is_one_of(name, &["NULL", "DEFAULT", "SESSION", "GLOBAL"])
            || is_known(name)
            || name.starts_with("OLD_")
    };
    // `SET @OLD_SQL_MODE = @@SQL_MODE`, as dumps begin and end.
    let saved = variable && values.iter().all(|token| kept(&token));
    if is_known(&name) || saved {
        let plain = values.iter().all(|token| {
            Literal::of(dialect, token, "")
                .is_none_or(|literal| literal.ends && !literal.escaped && is_label(literal.inside))
        });
        return if plain { Class::Schema } else { Class::Unknown };
    }
    Class::Unknown
}

/// A name with the points in it, without its quotes; and what stands behind.
fn whole_name<'a, 'b>(first: &str, mut rest: &'a [&'b str]) -> (String, &'a [&'b str]) {
    let mut name = quoted_name(first).unwrap_or(first).to_owned();
    while let [".", next, more @ ..] = rest {
        // `main.key` is the key of a database.
        if is_one_of(&name, &["main", "temp"]) || name.starts_with("@@") {
            name.clear();
        } else {
            name.push('.');
        }
        name.push_str(quoted_name(next).unwrap_or(next));
        rest = more;
    }
    (name, rest)
}

fn is_known(name: &str) -> bool {
    let name = name.trim_start_matches('@').to_ascii_lowercase();
    let name = name.strip_prefix("session.").or_else(|| name.strip_prefix("global.")).unwrap_or(&name);
    KNOWN.has(name) || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}

/// An account of a program, or of whoever runs the script; not one that is called after somebody.
pub(super) fn is_shared_account(name: &str) -> bool {
    const WORDS: WordList = WordList(
        "postgres root admin owner app application api service svc migrator migration migrations readonly \
        readwrite reader writer role db dba database public user none default current_user session_user current_role \
        rds superuser supabase anon authenticated web backend worker replicator monitoring grafana pg system sys",
    );
    let name = quoted_name(name).unwrap_or(name).trim_matches('\'').to_ascii_lowercase();
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    plain && (WORDS.has(&name) || name.split('_').any(|part| WORDS.has(part)))
}
