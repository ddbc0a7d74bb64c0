//! Whether a path still names the file or directory that it named before.

use std::fs::Metadata;

/// Whether both exist and are the same.
#[cfg(unix)]
pub fn same_file(before: Option<&Metadata>, now: Option<&Metadata>) -> bool {
    use std::os::unix::fs::MetadataExt;
    // The system soon gives the number of a deleted directory to another one.
    let identity = |found: &Metadata| (found.dev(), found.ino(), found.created().ok());
    before.is_some() && before.map(identity) == now.map(identity)
}

/// On Windows, what is open cannot be removed.
#[cfg(not(unix))]
pub fn same_file(before: Option<&Metadata>, now: Option<&Metadata>) -> bool {
    before.is_some() && now.is_some()
}
