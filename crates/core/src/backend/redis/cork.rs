//! Holds back what is asked in one turn of the event loop, so that it is sent together at the end of that turn.

use std::sync::{Arc, Mutex, Weak};

use crate::lock::lock;

/// Something that can send what it has queued.
pub(crate) trait Kick: Send + Sync {
    /// Sends what is queued.
    fn kick(self: Arc<Self>);
}

/// The senders that wait for the end of this turn of the event loop.
pub(crate) struct Cork {
    /// `None` if no event loop exists, so that everything is sent at once.
    waiting: Option<Mutex<Vec<Weak<dyn Kick>>>>,
}

impl Cork {
    /// With `corked`, what is asked waits for [`Self::release`].
    pub(crate) fn new(corked: bool) -> Self {
        Self { waiting: corked.then(Mutex::default) }
    }

    /// Whether what is asked waits for [`Self::release`].
    pub(crate) fn is_corked(&self) -> bool {
        self.waiting.is_some()
    }

    /// Makes a sender wait for [`Self::release`]; false if the sender must send now.
    pub(crate) fn hold(&self, sender: &Weak<dyn Kick>) -> bool {
        let Some(Ok(mut waiting)) = self.waiting.as_ref().map(lock) else {
            return false;
        };
        if !waiting.last().is_some_and(|last| last.ptr_eq(sender)) {
            waiting.push(sender.clone());
        }
        true
    }

    /// Sends what this turn of the event loop has asked.
    pub(crate) fn release(&self) {
        let Some(Ok(mut waiting)) = self.waiting.as_ref().map(lock) else {
            return;
        };
        let senders = std::mem::take(&mut *waiting);
        drop(waiting);
        for sender in senders {
            if let Some(sender) = sender.upgrade() {
                sender.kick();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Default)]
    struct Sender(AtomicU32);

    impl Kick for Sender {
        fn kick(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn weak(sender: &Arc<Sender>) -> Weak<dyn Kick> {
        Arc::downgrade(&(sender.clone() as Arc<dyn Kick>))
    }

    #[test]
    fn a_sender_that_asks_several_times_in_a_turn_sends_once() {
        let cork = Cork::new(true);
        let (sender, dropped) = (Arc::<Sender>::default(), Arc::<Sender>::default());
        assert!(cork.hold(&weak(&sender)) && cork.hold(&weak(&sender)));
        assert!(cork.hold(&weak(&dropped)));
        drop(dropped);
        assert_eq!(sender.0.load(Ordering::Relaxed), 0);
        cork.release();
        cork.release();
        assert_eq!(sender.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn without_an_event_loop_a_sender_sends_itself() {
        assert!(!Cork::new(false).hold(&weak(&Arc::default())));
    }
}
