//! Checks what callers pass against the limits.

use crate::error::{Error, Result};
use crate::limits::{
    DATE_MS_MAX, KEY_BYTES_MAX, KEYS_MAX, VALUE_BYTES_CEILING, VALUE_BYTES_DEFAULT,
    VALUE_BYTES_SLACK,
};

/// Checks the key of an operation on a single key.
pub fn check_key(key: &[u8]) -> Result<()> {
    if key.len() > KEY_BYTES_MAX {
        return Err(Error::KeyTooLarge);
    }
    Ok(())
}

/// Checks one key of a batch; the error names the key.
pub fn check_batch_key(key: &[u8]) -> Result<()> {
    if key.len() > KEY_BYTES_MAX {
        return Err(Error::BatchKeyTooLarge { key: String::from_utf8_lossy(key).into_owned() });
    }
    Ok(())
}

/// Checks how many keys a batch names, duplicates included.
pub fn check_key_count(count: usize) -> Result<()> {
    if count > KEYS_MAX {
        return Err(Error::TooManyKeys);
    }
    Ok(())
}

/// Checks how many pairs a `put` of several entries has.
pub fn check_pair_count(count: usize) -> Result<()> {
    if count > KEYS_MAX {
        return Err(Error::TooManyPairs);
    }
    Ok(())
}

/// Checks how many distinct keys a transaction has written.
pub fn check_written_count(count: usize) -> Result<()> {
    if count > KEYS_MAX {
        return Err(Error::TooManyKeysWritten);
    }
    Ok(())
}

/// Checks an alarm time, in milliseconds since the epoch, and drops its fraction. A number that no `Date` can hold is
/// refused, as is one that is not positive.
pub fn check_alarm_time(ms: f64) -> Result<i64> {
    if let Some(reason) = wrong_time(ms) {
        return Err(Error::AlarmTime { reason });
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range fits, and fractions are cut")]
    Ok(ms as i64)
}

/// What is wrong with an alarm time. Miniflare's text is that of times which are not positive.
fn wrong_time(ms: f64) -> Option<String> {
    if ms.is_nan() {
        Some("that is NaN, as that of an invalid Date is: pass milliseconds or a valid Date".into())
    } else if ms <= 0.0 {
        Some("<= 0".into())
    } else if ms < 1.0 {
        Some(format!("<= 0: fractions of a millisecond are cut off, and nothing is left of {ms}"))
    } else if ms > DATE_MS_MAX {
        let shown = match ms {
            f64::INFINITY => "Infinity".into(),
            _ if ms < 1e21 => ms.to_string(),
            _ => format!("{ms:e}"),
        };
        Some(format!("after {DATE_MS_MAX}, the last one that a Date can hold: it is {shown}"))
    } else {
        None
    }
}

/// The value limit of one store, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueLimit(usize);

impl Default for ValueLimit {
    fn default() -> Self {
        Self(VALUE_BYTES_DEFAULT)
    }
}

impl ValueLimit {
    /// Accepts 1 to [`VALUE_BYTES_CEILING`] bytes.
    pub fn new(bytes: usize) -> Result<Self> {
        if bytes == 0 || bytes > VALUE_BYTES_CEILING {
            return Err(Error::ValueLimit { bytes });
        }
        Ok(Self(bytes))
    }

    /// The limit that errors name, without the slack.
    pub fn bytes(self) -> usize {
        self.0
    }

    /// Checks the value of a `put` of a single key.
    pub fn check(self, value: &[u8]) -> Result<()> {
        if value.len() > self.0 + VALUE_BYTES_SLACK {
            return Err(Error::ValueTooLarge { limit: self.0 });
        }
        Ok(())
    }

    /// Checks one value of a batch; the error names its key.
    pub fn check_in_batch(self, key: &[u8], value: &[u8]) -> Result<()> {
        if value.len() > self.0 + VALUE_BYTES_SLACK {
            return Err(Error::BatchValueTooLarge {
                key: String::from_utf8_lossy(key).into_owned(),
                limit: self.0,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_2048_bytes_is_accepted_and_one_more_is_refused() {
        assert!(check_key(&[b'k'; KEY_BYTES_MAX]).is_ok());
        let error = check_key(&[b'k'; KEY_BYTES_MAX + 1]).unwrap_err();
        assert_eq!(error.to_string(), "Keys cannot be larger than 2048 bytes.");
        let error = check_batch_key(&[b'k'; KEY_BYTES_MAX + 1]).unwrap_err();
        assert!(error.to_string().starts_with("Key \"kkk"));
    }

    #[test]
    fn the_value_limit_has_32_bytes_of_slack() {
        let limit = ValueLimit::default();
        assert!(limit.check(&vec![0; 32 * 1024 + 32]).is_ok());
        let error = limit.check(&vec![0; 32 * 1024 + 33]).unwrap_err();
        assert_eq!(error.to_string(), "Values cannot be larger than 32768 bytes.");
        let error = limit.check_in_batch(b"big", &vec![0; 32 * 1024 + 33]).unwrap_err();
        assert_eq!(error.to_string(), "Value for key \"big\" is above the limit of 32768 bytes.");
    }

    #[test]
    fn the_value_limit_can_be_set_from_1_byte_to_2_mib() {
        assert!(ValueLimit::new(0).is_err());
        assert!(ValueLimit::new(1).is_ok());
        assert!(ValueLimit::new(VALUE_BYTES_CEILING).is_ok());
        assert!(ValueLimit::new(VALUE_BYTES_CEILING + 1).is_err());
    }

    #[test]
    fn counts_over_128_are_refused_with_their_own_words() {
        assert!(check_key_count(128).is_ok());
        assert_eq!(check_key_count(129).unwrap_err().to_string(), "Maximum number of keys is 128.");
        assert_eq!(
            check_pair_count(129).unwrap_err().to_string(),
            "Maximum number of pairs is 128."
        );
        assert_eq!(
            check_written_count(129).unwrap_err().to_string(),
            "Maximum number of keys modified in a transaction is 128."
        );
    }

    #[test]
    fn alarm_times_must_be_positive_numbers_that_a_date_can_hold() {
        let too_late = "after 8640000000000000, the last one that a Date can hold: it is";
        for (bad, says) in [
            (0.0, "<= 0".to_owned()),
            (-1.0, "<= 0".to_owned()),
            (f64::NEG_INFINITY, "<= 0".to_owned()),
            (f64::INFINITY, format!("{too_late} Infinity")),
            (8.64e15 + 1.0, format!("{too_late} 8640000000000001")),
        ] {
            let error = check_alarm_time(bad).unwrap_err().to_string();
            assert_eq!(error, format!("setAlarm() cannot be called with an alarm time {says}"));
        }
        for (bad, says) in [(f64::NAN, "that is NaN"), (0.5, "of 0.5"), (1e300, "it is 1e300")] {
            let error = check_alarm_time(bad).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert_eq!(check_alarm_time(8.64e15).unwrap(), 8_640_000_000_000_000);
        assert_eq!(check_alarm_time(1_700_000_000_000.9).unwrap(), 1_700_000_000_000);
    }
}
