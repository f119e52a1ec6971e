//! Who is a member.
