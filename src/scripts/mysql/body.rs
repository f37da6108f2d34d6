//! Follows the blocks of a routine, a trigger or an event, to see which semicolon ends it.
//!
//! `BEGIN`, `IF` and loops are blocks only where a statement may begin: elsewhere `IF` and `REPEAT` are functions,
//! and `BEGIN` and `END` may be names. `CASE` is a statement there and an expression elsewhere.

use super::lexer::TokenKind;
use crate::scripts::statement::is_one_of;

/// What begins a statement that is no block. Of a header's words, only `SET` is among them, as a type.
const VERBS: [&str; 62] = [
    "ALTER",
    "ANALYZE",
    "BINLOG",
    "CACHE",
    "CALL",
    "CHANGE",
    "CHECK",
    "CHECKSUM",
    "CLONE",
    "CLOSE",
    "COMMIT",
    "CREATE",
    "DEALLOCATE",
    "DECLARE",
    "DELETE",
    "DESC",
    "DESCRIBE",
    "DO",
    "DROP",
    "EXECUTE",
    "EXPLAIN",
    "FETCH",
    "FLUSH",
    "GET",
    "GRANT",
    "HANDLER",
    "HELP",
    "IMPORT",
    "INSERT",
    "INSTALL",
    "ITERATE",
    "KILL",
    "LEAVE",
    "LOAD",
    "LOCK",
    "OPEN",
    "OPTIMIZE",
    "PREPARE",
    "PURGE",
    "RELEASE",
    "RENAME",
    "REPAIR",
    "REPLACE",
    "RESET",
    "RESIGNAL",
    "RETURN",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SELECT",
    "SET",
    "SHOW",
    "SIGNAL",
    "START",
    "STOP",
    "TABLE",
    "TRUNCATE",
    "UNINSTALL",
    "UNLOCK",
    "UPDATE",
    "VALUES",
    "WITH",
];

/// Words behind which an operand follows, so that `END` there is a name.
const OPERATORS: [&str; 20] = [
    "WHEN", "THEN", "ELSE", "CASE", "UNTIL", "AND", "OR", "NOT", "XOR", "IN", "LIKE", "BETWEEN", "DIV",
    "MOD", "IS", "REGEXP", "RLIKE", "BINARY", "DISTINCT", "RETURN",
];

/// What the definition is of, which says where its body begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Definition {
    /// Behind the parameters.
    Routine,
    /// Behind `FOR EACH ROW`.
    Trigger,
    /// Behind `DO`.
    Event,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Header,
    /// Behind what ends the header, before the first word of the body.
    Opening,
    /// A body of one statement.
    Single,
    Blocks,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Begin,
    If,
    Case,
    Loop,
    /// `WHILE` or `FOR`, whose statements begin behind `DO`.
    Do,
    Repeat,
    /// Behind the `UNTIL` of a `REPEAT`.
    Until,
    CaseExpression,
}

/// How far a `DECLARE … HANDLER FOR` is read: its statement stands right behind its conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handler {
    None,
    Declare,
    Named,
    Condition,
    BehindCondition,
}

/// The body of a definition while its tokens go by.
#[derive(Debug)]
pub(super) struct Body {
    definition: Definition,
    phase: Phase,
    blocks: Vec<Block>,
    depth: usize,
    /// Whether a statement may begin with the next token.
    at_start: bool,
    /// Whether the token before stood where a statement may begin; a colon makes a label of it.
    was_at_start: bool,
    /// Behind an `END`, up to the semicolon.
    behind_end: bool,
    handler: Handler,
}

impl Body {
    pub(super) fn new(definition: Definition) -> Self {
        Self {
            definition,
            phase: Phase::Header,
            blocks: Vec::new(),
            depth: 0,
            at_start: false,
            was_at_start: false,
            behind_end: false,
            handler: Handler::None,
        }
    }

    /// Whether blocks are open.
    pub(super) fn is_open(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// Takes a semicolon; true when it ends the definition.
    pub(super) fn take_semicolon(&mut self) -> bool {
        self.at_start = true;
        self.behind_end = false;
        self.handler = Handler::None;
        !self.is_open()
    }

    /// Takes any other token. `before`: the one before it.
    pub(super) fn take(&mut self, token: TokenKind<'_>, before: Option<TokenKind<'_>>) {
        match token {
            TokenKind::Open => self.depth += 1,
            TokenKind::Close => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        match self.phase {
            Phase::Header => self.take_header(token, before),
            Phase::Opening if self.depth == 0 => self.take_opening(token, before),
            // The verb was a label.
            Phase::Single if token == TokenKind::Colon && self.was_at_start => self.phase = Phase::Opening,
            Phase::Single => self.was_at_start = false,
            Phase::Blocks => self.take_inside(token, before),
            Phase::Opening | Phase::Closed => {}
        }
    }

    fn take_header(&mut self, token: TokenKind<'_>, before: Option<TokenKind<'_>>) {
        let ends = match self.definition {
            Definition::Routine => token == TokenKind::Close && self.depth == 0,
            Definition::Trigger => is(token, "ROW") && before.is_some_and(|before| is(before, "EACH")),
            Definition::Event => is(token, "DO") && self.depth == 0,
        };
        if ends {
            self.phase = Phase::Opening;
        }
    }

    fn take_opening(&mut self, token: TokenKind<'_>, before: Option<TokenKind<'_>>) {
        let TokenKind::Word(word) = token else { return };
        if let Some(TokenKind::Word(before)) = before
            && is_one_of(before, &["RETURNS", "CHARACTER", "CHAR", "FOLLOWS", "PRECEDES"])
        {
            return;
        }
        if let Some(block) = block(word) {
            self.phase = Phase::Blocks;
            self.open(block);
        } else if is_one_of(word, &VERBS) {
            self.phase = Phase::Single;
            self.was_at_start = true;
        }
    }

    fn open(&mut self, block: Block) {
        self.blocks.push(block);
        self.at_start = matches!(block, Block::Begin | Block::Loop | Block::Repeat);
        self.was_at_start = false;
    }

    fn take_inside(&mut self, token: TokenKind<'_>, before: Option<TokenKind<'_>>) {
        if self.behind_end {
            return;
        }
        let at_start = self.take_handler(token) || std::mem::take(&mut self.at_start);
        let was_at_start = std::mem::replace(&mut self.was_at_start, at_start);
        if token == TokenKind::Colon && was_at_start {
            self.at_start = true;
            return;
        }
        let TokenKind::Word(word) = token else { return };
        if matches!(before, Some(TokenKind::Dot | TokenKind::At)) {
            return;
        }
        if at_start { self.take_first_word(word) } else { self.take_word(word, before) }
    }

    fn take_first_word(&mut self, word: &str) {
        if let Some(block) = block(word) {
            self.open(block);
        } else if word.eq_ignore_ascii_case("END") {
            self.close();
        } else if word.eq_ignore_ascii_case("ELSE") {
            self.at_start = true;
        } else if word.eq_ignore_ascii_case("DECLARE") {
            self.handler = Handler::Declare;
        } else if word.eq_ignore_ascii_case("UNTIL")
            && let Some(last @ Block::Repeat) = self.blocks.last_mut()
        {
            *last = Block::Until;
        }
    }

    fn take_word(&mut self, word: &str, before: Option<TokenKind<'_>>) {
        let last = self.blocks.last().copied();
        if word.eq_ignore_ascii_case("CASE") {
            self.blocks.push(Block::CaseExpression);
        } else if word.eq_ignore_ascii_case("END") && is_behind_operand(before) {
            match last {
                Some(Block::CaseExpression) => drop(self.blocks.pop()),
                Some(Block::Until) => self.close(),
                _ => {}
            }
        } else if word.eq_ignore_ascii_case("THEN") {
            self.at_start = matches!(last, Some(Block::If | Block::Case));
        } else if word.eq_ignore_ascii_case("DO") {
            self.at_start = last == Some(Block::Do);
        }
    }

    fn close(&mut self) {
        self.blocks.pop();
        self.behind_end = true;
        if self.blocks.is_empty() {
            self.phase = Phase::Closed;
        }
    }

    /// Reads the conditions of a handler; true when its statement begins with this token.
    fn take_handler(&mut self, token: TokenKind<'_>) -> bool {
        let (next, begins) = match (self.handler, token) {
            (Handler::Declare, token) if is(token, "HANDLER") => (Handler::Named, false),
            (Handler::Named, token) if is(token, "FOR") => (Handler::Condition, false),
            (Handler::Condition, TokenKind::Word(word)) if is_one_of(word, &["NOT", "SQLSTATE", "VALUE"]) => {
                (Handler::Condition, false)
            }
            (Handler::Condition, _) => (Handler::BehindCondition, false),
            (Handler::BehindCondition, TokenKind::Comma) => (Handler::Condition, false),
            (Handler::BehindCondition, _) => (Handler::None, true),
            (handler, _) => (handler, false),
        };
        self.handler = next;
        begins
    }
}

fn block(word: &str) -> Option<Block> {
    Some(match () {
        () if word.eq_ignore_ascii_case("BEGIN") => Block::Begin,
        () if word.eq_ignore_ascii_case("IF") => Block::If,
        () if word.eq_ignore_ascii_case("CASE") => Block::Case,
        () if word.eq_ignore_ascii_case("LOOP") => Block::Loop,
        () if is_one_of(word, &["WHILE", "FOR"]) => Block::Do,
        () if word.eq_ignore_ascii_case("REPEAT") => Block::Repeat,
        () => return None,
    })
}

fn is_behind_operand(before: Option<TokenKind<'_>>) -> bool {
    match before {
        Some(TokenKind::Word(word)) => !is_one_of(word, &OPERATORS),
        Some(TokenKind::Name(_) | TokenKind::Literal(_) | TokenKind::Close) => true,
        _ => false,
    }
}

fn is(token: TokenKind<'_>, word: &str) -> bool {
    matches!(token, TokenKind::Word(found) if found.eq_ignore_ascii_case(word))
}
