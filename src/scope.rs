//! Where an operation takes place. JavaScript passes it as one number, which costs nothing at the border.
//!
//! `lib/native/scope.ts` makes these numbers; they are read only here.

use ferroflare_core::concurrency::TransactionId;
use napi::bindgen_prelude::{FromNapiValue, TypeName, ValidateNapiValue};
use napi::{ValueType, sys};

use crate::arguments::whole;

/// Where an operation takes place.
#[derive(Clone, Copy)]
pub enum Scope {
    /// Outside transactions: 0.
    Plain,
    /// In the running attempt of the transaction that `begin()` has given this number: the number.
    InTransaction(u32),
    /// Outside transactions, but issued by the closure of the attempt of this number, which runs alone: the negated
    /// number.
    BesideAttempt(TransactionId),
}

impl Scope {
    /// The attempt whose closure issued a plain operation.
    pub(crate) fn issued_by(self) -> Option<TransactionId> {
        match self {
            Self::BesideAttempt(attempt) => Some(attempt),
            Self::Plain | Self::InTransaction(_) => None,
        }
    }
}

impl From<f64> for Scope {
    fn from(number: f64) -> Self {
        if number > 0.0 {
            Self::InTransaction(transaction_number(number))
        } else if number < 0.0 {
            Self::BesideAttempt(whole(-number) as TransactionId)
        } else {
            Self::Plain
        }
    }
}

/// The number of a transaction; 0, which no transaction has, for anything else.
pub(crate) fn transaction_number(number: f64) -> u32 {
    u32::try_from(whole(number)).unwrap_or(0)
}

impl TypeName for Scope {
    fn type_name() -> &'static str {
        "number"
    }

    fn value_type() -> ValueType {
        ValueType::Number
    }
}

impl ValidateNapiValue for Scope {}

impl FromNapiValue for Scope {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        // SAFETY: the caller passes a live value of `env`.
        unsafe { f64::from_napi_value(env, value) }.map(Self::from)
    }
}
