//! The open handles of a thread by number: a quick call finds its handle without asking Node.js for it.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use crate::object::OpenObject;

/// The handles of one thread; numbers are used again.
#[derive(Default)]
struct Handles {
    open: Vec<Weak<OpenObject>>,
    free: Vec<u32>,
}

thread_local! {
    static HANDLES: RefCell<Handles> = RefCell::default();
}

/// The number of one handle in its thread, as long as the handle exists.
pub(crate) struct Number(u32);

impl Number {
    /// Numbers a handle.
    pub(crate) fn new(handle: Weak<OpenObject>) -> Self {
        HANDLES.with_borrow_mut(|handles| {
            if let Some(number) = handles.free.pop() {
                handles.open[number as usize] = handle;
                return Self(number);
            }
            handles.open.push(handle);
            let last = handles.open.len() - 1;
            // A thread has fewer handles than that: a quick call with the largest number finds none.
            Self(u32::try_from(last).unwrap_or(u32::MAX))
        })
    }

    /// The number.
    pub(crate) fn get(&self) -> u32 {
        self.0
    }

    /// The handle with that number.
    pub(crate) fn find(number: u32) -> Option<Rc<OpenObject>> {
        HANDLES.with_borrow(|handles| handles.open.get(number as usize)?.upgrade())
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        // At the end of a thread the table may be gone before the last handle is.
        let _ = HANDLES.try_with(|handles| {
            let mut handles = handles.borrow_mut();
            if let Some(place) = handles.open.get_mut(self.0 as usize) {
                *place = Weak::new();
                handles.free.push(self.0);
            }
        });
    }
}
