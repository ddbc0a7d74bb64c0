//! The calls that most operations of a program make, without the code that napi-derive makes for a method. That code looks up
//! the type and the address of `this`, and notes the borrow, which takes longer than the operation itself.
//!
//! The first argument of a quick call is the number of its handle; the others are those of the method of the same name.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use napi::bindgen_prelude::{FromNapiValue, JsObjectValue, Object, panic_to_error};
use napi::{Callback, Env, JsError, sys};
use napi_derive::napi;

use crate::object::ObjectHandle;

/// The arguments of one call.
struct Arguments<const N: usize> {
    env: Env,
    given: [sys::napi_value; N],
}

impl<const N: usize> Arguments<N> {
    fn get<T: FromNapiValue>(&self, index: usize) -> napi::Result<T> {
        // SAFETY: Node has given the value to this call, and gives `undefined` for one that is missing.
        unsafe { T::from_napi_value(self.env.raw(), self.given[index]) }
    }

    fn object(&self) -> napi::Result<ObjectHandle> {
        let number = self.get(0)?;
        ObjectHandle::numbered(number).ok_or_else(|| {
            napi::Error::from_reason(format!(
                "Internal error in ferroflare: no handle has the number {number}."
            ))
        })
    }
}

/// Runs a call with `N` arguments that returns a number. An error and a panic are thrown in JavaScript.
///
/// # Safety
///
/// Node has passed `env` and `info` to a callback that runs now.
unsafe fn answer<const N: usize>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    work: impl FnOnce(&Arguments<N>) -> napi::Result<f64>,
) -> sys::napi_value {
    let (mut count, mut given) = (N, [ptr::null_mut(); N]);
    let (this, data) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the caller's promise; `given` has room for `count` values.
    unsafe {
        sys::napi_get_cb_info(env, info, &raw mut count, given.as_mut_ptr(), this, data);
    }
    let arguments = Arguments { env: Env::from_raw(env), given };
    let worked = catch_unwind(AssertUnwindSafe(|| work(&arguments)));
    let mut result = ptr::null_mut();
    match worked.map_err(panic_to_error).flatten() {
        // SAFETY: as above.
        Ok(number) => unsafe { sys::napi_create_double(env, number, &raw mut result) },
        Err(error) => {
            // SAFETY: as above.
            unsafe { JsError::from(error).throw_into(env) };
            sys::Status::napi_ok
        }
    };
    result
}

/// Defines quick calls: for each the method, its JavaScript name, and what it is called with.
macro_rules! quick_calls {
    ($($method:ident $name:literal ($count:literal): $work:expr;)*) => {
        $(
            unsafe extern "C" fn $method(
                env: sys::napi_env,
                info: sys::napi_callback_info,
            ) -> sys::napi_value {
                // SAFETY: Node calls this.
                unsafe { answer::<$count>(env, info, $work) }
            }
        )*

        const CALLS: &[(&str, Callback)] = &[$(($name, $method)),*];
    };
}

quick_calls! {
    get "get" (4): |with| {
        with.object()?.get(with.env, with.get(1)?, with.get(2)?, with.get(3)?)
    };
    get_many "getMany" (4): |with| {
        with.object()?.get_many(with.env, with.get(1)?, with.get(2)?, with.get(3)?)
    };
    list "list" (6): |with| {
        let object = with.object()?;
        object.list(with.env, with.get(1)?, with.get(2)?, with.get(3)?, with.get(4)?, with.get(5)?)
    };
    put "put" (5): |with| {
        with.object()?.put(with.env, with.get(1)?, with.get(2)?, with.get(3)?, with.get(4)?)
    };
    put_many "putMany" (5): |with| {
        with.object()?.put_many(with.env, with.get(1)?, with.get(2)?, with.get(3)?, with.get(4)?)
    };
    delete "delete" (3): |with| {
        with.object()?.delete(with.env, with.get(1)?, with.get(2)?)
    };
    begin "begin" (2): |with| {
        with.object()?.begin(with.env, with.get(1)?)
    };
    commit "commit" (3): |with| {
        with.object()?.commit(with.env, with.get(1)?, with.get(2)?)
    };
    end "end" (2): |with| {
        with.object()?.end(with.get(1)?);
        Ok(0.0)
    };
    pending_ticket "pendingTicket" (1): |with| {
        Ok(with.object()?.pending_ticket())
    };
    seal "seal" (1): |with| {
        with.object()?.seal();
        Ok(0.0)
    };
    begin_turn "beginTurn" (1): |with| {
        with.object()?.begin_turn();
        Ok(0.0)
    };
    end_turn "endTurn" (1): |with| {
        with.object()?.end_turn();
        Ok(0.0)
    };
    sql_exec "sqlExec" (5): |with| {
        with.object()?.sql_exec(with.env, with.get(1)?, with.get(2)?, with.get(3)?, with.get(4)?)
    };
    sql_next "sqlNext" (4): |with| {
        with.object()?.sql_next(with.env, with.get(1)?, with.get(2)?, with.get(3)?)
    };
}

/// The quick calls by name.
#[napi(
    catch_unwind,
    ts_return_type = "Record<string, (number: number, ...given: never[]) => number>"
)]
pub fn quick_calls(env: &Env) -> napi::Result<Object<'_>> {
    let mut calls = Object::new(env)?;
    for (name, call) in CALLS {
        calls.set_named_property(name, env.create_function::<(), f64>(name, *call)?)?;
    }
    Ok(calls)
}
