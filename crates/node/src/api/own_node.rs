//! How people are told by whom a rollup is known: never one class as the other.

use super::RollupView;
use crate::{config::Member, operator::JudgingView};
use hum_chain::{replay::LABEL, stack::StackKind};
use hum_types::Class;
use serde::{Deserialize, Serialize};

/// A class in words that cannot be taken for the other's.
#[must_use]
pub const fn class_in_words(class: Class) -> &'static str {
    match class {
        Class::Reexecuted => "re-executed",
        Class::OwnNode => "judged by operators' own nodes, not re-executed",
    }
}

/// A rollup that judges follow by nodes of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnNodeView {
    /// Its stack.
    pub stack: StackKind,
    /// Operators that are named as its judges, with a seat or without.
    pub judges: usize,
    /// How this operator judges it; absent when it has no node of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judging: Option<JudgingView>,
}

impl OwnNodeView {
    /// What an operator says of a member; `None` where it is re-executed.
    #[must_use]
    pub fn new(member: &Member, judging: Option<JudgingView>) -> Option<Self> {
        let own = member.entry.own_node.as_ref()?;
        Some(Self { stack: own.stack, judges: own.judges.len(), judging })
    }
}

impl RollupView {
    /// How its heads are known. `all` is what each operator that was asked says of its rollups: whether a judge reads a node
    /// or a recording is that judge's own word.
    #[must_use]
    pub fn known_by<'a>(&self, all: impl IntoIterator<Item = &'a Self>) -> String {
        let class = class_in_words(self.class);
        let Some(own) = &self.own_node else { return class.to_owned() };
        let same = all.into_iter().filter(|view| view.chain_id == self.chain_id);
        let views: Vec<&JudgingView> =
            same.filter_map(|view| view.own_node.as_ref()?.judging.as_ref()).collect();
        let judging = views.iter().filter(|view| view.judges).count();
        let replayed = views.iter().any(|view| view.node.as_ref().is_some_and(|node| node.replayed));
        let label = if replayed { format!("; {LABEL}") } else { String::new() };
        format!("{class} ({} of {} judges of {} judge{label})", judging, own.judges, own.stack)
    }
}

#[cfg(test)]
mod tests;
