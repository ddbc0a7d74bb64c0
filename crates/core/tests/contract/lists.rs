//! `ObjectStorage::list` and `ObjectStorage::read`: the order is that of the bytes, whatever the options.

use std::collections::BTreeSet;

use ferroflare_core::backend::ReadView;
use ferroflare_core::limits::KEY_BYTES_MAX;
use ferroflare_core::range::{ListOptions, Scan};

use crate::places::{TestPlace, on_every_place};
use crate::support::{Caller, fresh, key, put, text};

on_every_place!(
    keys_are_ordered_by_their_bytes,
    every_combination_of_options_finds_what_a_filter_finds,
    reads_answer_in_the_order_of_the_question,
    any_bytes_are_a_key_and_any_bytes_a_value,
);

/// Among them: the empty key, NUL, a key and its successor, and U+10000, which UTF-16 puts before
/// U+FFFF.
const KEYS: [&str; 10] = ["", "\0", "a", "a\0", "aa", "ab", "b", "é", "\u{ffff}", "\u{10000}"];

async fn keys_are_ordered_by_their_bytes(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    for name in KEYS.iter().rev() {
        caller.put(name, "value").await;
    }
    assert_eq!(caller.keys(&ListOptions::default()).await, KEYS);
    let reverse = ListOptions { reverse: true, ..ListOptions::default() };
    assert!(caller.keys(&reverse).await.iter().eq(KEYS.iter().rev()));
}

async fn every_combination_of_options_finds_what_a_filter_finds(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.write(put(&KEYS, "value")).await;
    let bounds = [None, Some(""), Some("a"), Some("aa"), Some("b"), Some("c"), Some("\u{ffff}")];
    for (start, start_after) in bounds.iter().flat_map(|bound| [(*bound, None), (None, *bound)]) {
        for (end, prefix) in bounds.iter().flat_map(|end| bounds.map(|prefix| (*end, prefix))) {
            let expected: Vec<&str> = KEYS
                .into_iter()
                .filter(|key| start.is_none_or(|start| start <= *key))
                .filter(|key| start_after.is_none_or(|after| after < *key))
                .filter(|key| end.is_none_or(|end| *key < end))
                .filter(|key| prefix.is_none_or(|prefix| key.starts_with(prefix)))
                .collect();
            for (reverse, limit) in [None, Some(1), Some(2), Some(100)]
                .into_iter()
                .flat_map(|limit| [(false, limit), (true, limit)])
            {
                let options = ListOptions {
                    start: start.map(str::as_bytes),
                    start_after: start_after.map(str::as_bytes),
                    end: end.map(str::as_bytes),
                    prefix: prefix.map(str::as_bytes),
                    reverse,
                    limit,
                };
                let mut expected = expected.clone();
                if reverse {
                    expected.reverse();
                }
                expected.truncate(limit.unwrap_or(usize::MAX));
                assert_eq!(caller.keys(&options).await, expected, "{options:?}");
            }
        }
    }
}

async fn reads_answer_in_the_order_of_the_question(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    caller.put("a", "1").await;
    caller.put("b", "2").await;
    let asked = ["b", "missing", "a", "b"].map(key).to_vec();
    let read = caller.0.read(asked, ReadView::Latest(None)).wait().await.unwrap();
    let found: Vec<_> = fresh(read).iter().map(|value| value.as_deref().map(text)).collect();
    assert_eq!(found, [Some("2".into()), None, Some("1".into()), Some("2".into())]);
}

async fn any_bytes_are_a_key_and_any_bytes_a_value(place: &dyn TestPlace) {
    let caller = Caller::new(&place.open().await);
    let longest = "é".repeat(KEY_BYTES_MAX / 2);
    let names =
        ["", ".", "..", "a/b", "/", ":", "{tag}", "__proto__", "*", "[a-z]", "\0", &longest];
    for name in names {
        caller.put(name, name).await;
    }
    for name in names {
        assert_eq!(caller.get(name).await.as_deref(), Some(name));
    }
    let stored: BTreeSet<String> = caller.keys(&ListOptions::default()).await.into_iter().collect();
    assert_eq!(stored, names.map(String::from).into());
    let (name, value) = (key("binary"), (0..=255).collect::<Vec<u8>>());
    let mut batch = put(&[], "");
    batch.put(name.clone(), value.clone().into());
    caller.write(batch).await;
    let all = Scan::new(&ListOptions { prefix: Some(&name), ..ListOptions::default() });
    let listed = fresh(caller.0.list(all, ReadView::Latest(None)).wait().await.unwrap());
    assert_eq!(listed, [(name, value.into())]);
}
