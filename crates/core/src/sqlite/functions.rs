//! The functions of SQLite that the SQL of a worker may call.

/// Whether a worker may call the function. Some names come from SQLite as the worker has written them.
pub(super) fn is_allowed(name: &str) -> bool {
    let mut allowed = ALLOWED.iter().flat_map(|names| names.split_ascii_whitespace());
    allowed.any(|allowed| allowed.eq_ignore_ascii_case(name))
}

/// By the pages of SQLite's documentation that describe them. What tells about SQLite itself is missing.
const ALLOWED: &[&str] = &[
    // Core.
    "abs changes char coalesce concat concat_ws format glob hex if ifnull iif instr last_insert_rowid length like
     likelihood likely load_extension lower ltrim max min nullif octet_length printf quote random randomblob replace
     round rtrim sign soundex substr substring total_changes trim typeof unhex unicode unistr unistr_quote unlikely
     upper zeroblob",
    // Dates and times.
    "current_date current_time current_timestamp date datetime julianday strftime time timediff unixepoch",
    // Aggregates and windows.
    "avg count cume_dist dense_rank first_value group_concat lag last_value lead median nth_value ntile percent_rank
     percentile percentile_cont percentile_disc rank row_number string_agg sum total",
    // Mathematics. Production refuses `ceiling`, `log10` and `power`.
    "acos acosh asin asinh atan atan2 atanh ceil cos cosh degrees exp floor ln log log2 mod pi pow radians sin sinh
     sqrt tan tanh trunc",
    // JSON.
    "-> ->> json json_array json_array_insert json_array_length json_extract json_group_array json_group_object
     json_insert json_object json_patch json_quote json_remove json_replace json_set json_type json_valid jsonb
     jsonb_array jsonb_array_insert jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert jsonb_object
     jsonb_patch jsonb_remove jsonb_replace jsonb_set",
    // Full-text search and R*Trees.
    "bm25 highlight match rtreecheck snippet",
    // What ALTER TABLE calls.
    "sqlite_add_constraint sqlite_drop_column sqlite_drop_constraint sqlite_fail sqlite_find_constraint
     sqlite_rename_column sqlite_rename_quotefix sqlite_rename_table sqlite_rename_test",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_about_sqlite_is_refused() {
        assert!(is_allowed("json_extract") && is_allowed("->>") && is_allowed("CURRENT_TIMESTAMP"));
        assert!(!is_allowed("SQLITE_VERSION") && !is_allowed("ceiling") && !is_allowed(""));
    }
}
