//! Time limits of the engine.

use std::time::Duration;

/// Time limits of Simplex, in milliseconds. Local policy: operators may differ without harm to safety.
///
/// An idle network is kept alive by empty blocks instead of nullified views: a leader that has nothing to say proposes
/// before [`Tuning::longest_silence_ms`] is over. That costs one cheap block two or three times a second and buys two
/// things: a dead leader is told from a silent one within `leader_timeout_ms`, and whoever leads can propose news at
/// once, because no view is ever halfway through being given up.
///
/// ```text
/// view entered ──── news: propose at once ──── longest_silence ──── leader_timeout ──── certification_timeout
///                                              empty block due      leader is dead      data never came
/// ```
///
/// A leader that dies costs `leader_timeout_ms` and one exchange of votes, once a term: each term's engine finds out for
/// itself. Its next turn comes after `leader_timeout_ms` and the other operators' turns, of which the first proposes at
/// once. With three others that is 500 + 2 · 200 ms after it was last heard, longer than `skip_after_ms`, and from then
/// on its turns are given up as soon as they begin (as long as a quorum is heard from).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Longest that a leader's application may keep a proposal back.
    pub longest_silence_ms: u64,
    /// A leader from whom no proposal came by then is given up. 500 + one exchange of votes stays under 600.
    pub leader_timeout_ms: u64,
    /// A proposal that could not be verified by then is given up (counted from the start of the view).
    pub certification_timeout_ms: u64,
    /// How often the vote to give up a view is repeated, in case it was lost.
    pub retry_ms: u64,
    /// A leader unheard of for this long loses its turn at once. Must exceed the three above, and stay below
    /// `leader_timeout_ms` plus two intervals of 200 ms so that a dead leader is waited for only once.
    pub skip_after_ms: u64,
    /// How long to wait for a peer's answer before asking another.
    pub fetch_timeout_ms: u64,
    /// Pause before a failed fetch is tried again.
    pub fetch_retry_ms: u64,
    /// Views kept behind the finalised tip for late votes and evidence.
    pub retained_views: u64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            longest_silence_ms: 350,
            leader_timeout_ms: 500,
            certification_timeout_ms: 800,
            retry_ms: 500,
            skip_after_ms: 850,
            fetch_timeout_ms: 1_000,
            fetch_retry_ms: 100,
            retained_views: 256,
        }
    }
}

impl Tuning {
    /// [`Tuning::longest_silence_ms`] as a duration.
    pub const fn longest_silence(&self) -> Duration {
        Duration::from_millis(self.longest_silence_ms)
    }
}
