//! What follows from what L1 has.
