//! What to do about reasons that the file system, RocksDB or Redis gives: the last sentence of an error.

/// Whether the system is the reason, and not the data.
pub(crate) fn is_of_system(reason: &str) -> bool {
    !of_system(reason).is_empty()
}

/// What to do about a reason that the file system or RocksDB gives.
pub(crate) fn of_system(reason: &str) -> &'static str {
    let any = |texts: &[&str]| texts.iter().any(|text| reason.contains(text));
    if any(&["Permission denied", "Read-only file system", "Access is denied"]) {
        " Make it writable, or use another directory."
    } else if any(&["No space left", "Disk quota exceeded", "not enough space"]) {
        " Free some space on that disk, or use another directory."
    } else if any(&["Too many open files"]) {
        " Lower durableObjectsMaxOpen (--do-max-open), or raise the limit of open files (ulimit -n)."
    } else {
        ""
    }
}

/// What to do about a refusal of Redis.
pub(crate) fn of_redis(reason: &str) -> &'static str {
    match reason.split([' ', ':']).next().unwrap_or_default() {
        "OOM" => " Free memory there, or raise its maxmemory.",
        "READONLY" => " Use the address of the primary: this server is a replica.",
        "MISCONF" => " Read the log of the server: it cannot write its own files.",
        "LOADING" => " Try again when it has loaded its data.",
        "BUSY" => " Another program's script blocks the server: wait, or end it with SCRIPT KILL.",
        "CLUSTERDOWN" | "MASTERDOWN" => " Check the cluster: it does not serve all of its slots.",
        "WRONGTYPE" => " Another program uses the same keys: use another database.",
        _ => "",
    }
}
