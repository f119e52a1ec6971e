//! Reading memberships from a scripted L1.
