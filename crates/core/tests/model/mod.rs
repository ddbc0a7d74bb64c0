//! Random programs on the real thing and on a model: a list of committed states, one a commit.
//!
//! - A plain read sees the newest state.
//! - What an attempt reads is the state that it started from under its own writes, or it has lost.
//! - What a committed attempt has read holds at its commit too: it might have run there in one step.
//! - An attempt loses only if something that it read was written after its start.
//! - During a turn no other process changes anything; afterwards they go on in the order of their calls.
//! - The commit log forgets a commit as soon as no running attempt started before it.

mod attempt;
mod program;
mod timeline;
mod world;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::places::{TestPlace, on_every_place};
use crate::seed::{Random, cases, seed};

on_every_place!(random_programs_do_what_the_model_does);

async fn random_programs_do_what_the_model_does(place: &dyn TestPlace) {
    // proptest runs its cases on a thread of its own, because they have a runtime of their own.
    std::thread::scope(|scope| scope.spawn(|| run_random_programs(place)).join()).unwrap();
}

fn run_random_programs(place: &dyn TestPlace) {
    const CASES: u32 = 10_000;
    let seed = seed();
    println!("FERROFLARE_SEED={seed}");
    let mut random = Random::new(seed);
    let bytes: Vec<u8> = (0..4).flat_map(|_| random.next().to_le_bytes()).collect();
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config = Config {
        cases: cases(place.share_of(CASES)),
        failure_persistence: None,
        max_shrink_iters: 40,
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result = TestRunner::new_with_rng(config, random).run(&program::programs(), |program| {
        // Pending answers are polled often: the runtime must not make them pause.
        runtime.block_on(tokio::task::unconstrained(world::run(place, program)));
        Ok(())
    });
    if let Err(error) = result {
        panic!("repeat with FERROFLARE_SEED={seed}\n{error}");
    }
}
