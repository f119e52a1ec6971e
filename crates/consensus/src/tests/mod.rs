//! Whole networks: deterministic ones first, one over real sockets last.

mod committee;
mod deterministic;
mod faults;
mod loopback;
mod recall;
mod recorder;
mod terms;
mod turmoil;
