//! What is more and what is less, for each kind of term, and how either is told.

use std::collections::BTreeSet;

/// What is asked for, and what would be more of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measure {
    /// Up to so many; `None`: any number.
    Most(Option<u64>),
    /// No less than so many; `None`: it does not happen at all.
    Least(Option<u64>),
    /// These, each for itself; `None`: whatever there is.
    Each(Option<BTreeSet<String>>),
    /// This and nothing else; `None`: nothing.
    Only(Option<String>),
    /// Something that holds the add-on back: any other is as good as none.
    Guard(Option<String>),
    /// It gives nobody more, whatever it is.
    Free(String),
}

/// What a change of a term comes to, in words.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    pub more: Vec<String>,
    pub less: Vec<String>,
}

impl Difference {
    fn told(is_more: bool, text: String) -> Self {
        let mut difference = Self::default();
        match is_more {
            true => difference.more.push(text),
            false => difference.less.push(text),
        }
        difference
    }
}

impl Measure {
    /// The least that there can be of its kind: what somebody has who does not have it at all.
    pub fn none_of_it(&self) -> Self {
        match self {
            Self::Most(_) => Self::Most(Some(0)),
            Self::Least(_) => Self::Least(None),
            Self::Each(_) => Self::Each(Some(BTreeSet::new())),
            Self::Only(_) => Self::Only(None),
            // Nobody is held back who does nothing.
            Self::Guard(guard) => Self::Guard(guard.clone()),
            Self::Free(text) => Self::Free(text.clone()),
        }
    }

    /// Whether it is a number, of which several stand in one line.
    pub fn is_number(&self) -> bool {
        match self {
            Self::Most(_) | Self::Least(_) => true,
            Self::Each(_) | Self::Only(_) | Self::Guard(_) | Self::Free(_) => false,
        }
    }

    /// As people read it, with the key that says what it is.
    pub fn words(&self, key: &str) -> String {
        match self {
            Self::Most(None) => format!("any number of {key}"),
            Self::Least(None) => format!("no {key}"),
            Self::Most(Some(number)) | Self::Least(Some(number)) => format!("{number} {key}"),
            Self::Each(None) => format!("{key} whatever there is"),
            Self::Each(Some(all)) => format!("{key} {}", list(all)),
            Self::Only(None) | Self::Guard(None) => format!("{key} nothing"),
            Self::Only(Some(text)) | Self::Guard(Some(text)) | Self::Free(text) => {
                format!("{key} {text}")
            }
        }
    }

    /// What another one asks for beyond this, and what it leaves.
    pub fn difference(&self, next: &Self, key: &str) -> Difference {
        if self == next {
            return Difference::default();
        }
        let changed = || format!("{}, before: {}", next.words(key), self.words(key));
        let is_more = match (self, next) {
            (Self::Each(Some(before)), Self::Each(Some(next))) => return each(before, next, key),
            (Self::Most(before), Self::Most(next)) => ceiling(*next) > ceiling(*before),
            (Self::Least(before), Self::Least(next)) => ceiling(*next) < ceiling(*before),
            (Self::Each(before), Self::Each(_)) => before.is_some(),
            (Self::Only(_), Self::Only(next)) => next.is_some(),
            (Self::Guard(before), Self::Guard(_)) => before.is_some(),
            (Self::Free(_), Self::Free(_)) => false,
            // Another kind of term under the same name: whoever asks once too often does no harm.
            _ => true,
        };
        Difference::told(is_more, changed())
    }
}

/// Of numbers that are limits: none is more than any.
fn ceiling(number: Option<u64>) -> u128 {
    number.map_or(u128::MAX, u128::from)
}

fn each(before: &BTreeSet<String>, next: &BTreeSet<String>, key: &str) -> Difference {
    let added = next.difference(before).map(|one| format!("{key} {one}"));
    let gone = before.difference(next);
    Difference {
        more: added.collect(),
        less: gone.map(|one| format!("no more {key} {one}")).collect(),
    }
}

fn list(all: &BTreeSet<String>) -> String {
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    match all.as_slice() {
        [] => "nothing".to_owned(),
        all => all.join(", "),
    }
}
