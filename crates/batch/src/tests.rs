//! Blocks through a batch and back.
