//! Tables of a database as its catalogue tells of them, and how rows of one lead to rows of another. No rows.

/// What holds rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RelationKind {
    #[default]
    Table,
    /// A copy that the server makes again; its rows cannot be changed by themselves.
    MaterializedView,
    /// Rows are on another server.
    Foreign,
    /// Old versions of rows stay when they are changed or deleted.
    Versioned,
}

/// What values of a column are, as far as greffe tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    Text,
    Integer,
    /// An exact number; so many digits behind the point, where it is declared.
    Decimal(Option<u32>),
    Float,
    Boolean,
    Bytes,
    Date,
    Time,
    /// Date and time without a zone.
    Timestamp,
    /// A moment, told in UTC.
    Moment,
    Json,
    Uuid,
    /// Anything else; read and written as the database's own text.
    Other,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: ValueKind,
    /// The type as SQL of the database writes it.
    pub sql_type: String,
    pub nullable: bool,
    /// The database computes its value, so that nothing can set it.
    pub generated: bool,
    /// The longest text that it takes, in characters.
    pub length: Option<u32>,
    /// The least and the greatest whole number that it takes, where these are fewer than 64 bits hold.
    pub range: Option<(i64, i64)>,
}

/// What becomes of rows that refer to a row which is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// The row cannot be deleted.
    Refuse,
    /// They are deleted as well.
    Cascade,
    /// They refer to nothing, or to a default.
    Unset,
}

/// Columns that refer to a row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    pub columns: Vec<String>,
    /// [`Relation::name`] of the table that is referred to.
    pub table: String,
    pub referenced: Vec<String>,
    pub on_delete: OnDelete,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relation {
    /// How a map calls it: `table`, or `schema.table` outside of the schema where unqualified names are.
    pub name: String,
    /// The schema, where the engine has several.
    pub schema: Option<String>,
    /// Its own name.
    pub table: String,
    pub kind: RelationKind,
    /// Whether what is done to it can be rolled back.
    pub transactional: bool,
    pub columns: Vec<Column>,
    pub primary_key: Vec<String>,
    /// Columns of each unique index that holds for all rows; the primary key is one of them.
    pub unique: Vec<Vec<String>>,
    pub foreign_keys: Vec<ForeignKey>,
    /// Triggers on it, which may write what nobody planned.
    pub triggers: Vec<String>,
    /// Tables of other databases whose foreign keys refer to it.
    pub referred_from_outside: Vec<String>,
    /// Whether its rows are those of other tables as well, or theirs are its own.
    pub inherits: bool,
    /// Whether a policy hides rows of it from this role.
    pub hides_rows: bool,
}

impl Relation {
    /// The column called `name`.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether some unique index has the column.
    #[must_use]
    pub fn is_in_unique(&self, name: &str) -> bool {
        self.unique.iter().flatten().any(|column| column == name)
    }

    /// Whether no two rows have the same value in the column alone.
    #[must_use]
    pub fn is_unique(&self, name: &str) -> bool {
        self.unique.iter().any(|columns| matches!(columns.as_slice(), [only] if only == name))
    }
}

/// One step from a table towards another: its column holds what the parent's column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    pub column: String,
    /// [`Relation::name`].
    pub parent: String,
    pub parent_column: String,
}

/// How rows lead to one row of the last table, whose `key` column holds the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// From the table itself on; none for the last table.
    pub hops: Vec<Hop>,
    pub key: String,
}

/// What a column is set to, without regard to what it held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replacement {
    Null,
    /// Text that the database reads as a value of the column's type.
    Text(String),
    True,
    /// So many random characters, others in each row.
    Token(u32),
    RandomUuid,
    /// A whole number from 1 to this.
    RandomInteger(i64),
}

impl Replacement {
    /// Whether nobody can tell from the value alone that it was set.
    #[must_use]
    pub const fn is_random(&self) -> bool {
        matches!(self, Self::Token(_) | Self::RandomUuid | Self::RandomInteger(_))
    }
}
