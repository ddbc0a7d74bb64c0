//! Values on their way to SQLite and from it.

/// The value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Binding<'a> {
    /// NULL.
    Null,
    /// An INTEGER.
    Integer(i64),
    /// A REAL.
    Number(f64),
    /// A TEXT, in UTF-8. Lone surrogates may be in it, as three bytes each.
    Text(&'a [u8]),
    /// A BLOB.
    Blob(&'a [u8]),
}

/// A value of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Column<'a> {
    /// NULL.
    Null,
    /// An INTEGER.
    Integer(i64),
    /// A REAL.
    Number(f64),
    /// A TEXT, which need not be UTF-8.
    Text(&'a [u8]),
    /// A BLOB.
    Blob(&'a [u8]),
}
