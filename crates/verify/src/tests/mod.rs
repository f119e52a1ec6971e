//! Real blocks, made blocks, and what becomes of each when one thing about it changes.

mod codecs;
mod corrupted;
mod figures;
mod fixtures;
mod gateway;
mod made;
mod op;
mod world;
