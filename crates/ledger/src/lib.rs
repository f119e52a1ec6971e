//! Decide what a checkpoint says: the pure state transition of rollups, heads and lanes.
