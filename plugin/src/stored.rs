//! Storable state as JSON text: how its types are written and read back, declared once for each by [`stored!`] or [`stored_names!`].
//!
//! Why not serde's derive: it makes a parser of two to five kilobytes for every type, which was an eighth of the component. Here the text
//! is parsed once, and a type only picks its members.
//!
//! Beware: what one version writes, its neighbours must read. A member that is added later goes under `may`.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Map as Object, Value};

use crate::collect::Map;
use crate::json;

/// A type of stored state.
pub trait Storable: Sized {
    /// Appends it as JSON.
    fn write(&self, text: &mut String);

    /// `None`: this is not what was written.
    fn read(value: &Value) -> Option<Self>;

    /// What a member stands for that is not there; `None`: it has to be.
    fn absent() -> Option<Self> {
        None
    }
}

/// As JSON.
pub fn to_text(state: &impl Storable) -> String {
    let mut text = String::new();
    state.write(&mut text);
    text
}

/// `None`: the text is damaged, or of something else.
pub fn from_text<T: Storable>(text: &str) -> Option<T> {
    T::read(&serde_json::from_str(text).ok()?)
}

/// A struct's members. Those under `may` are left out where they are the default, and may be missing; those under `not` are no state.
macro_rules! stored {
    ($type:ty { $($must:ident),* } $(may { $($may:ident),* })? $(not { $($not:ident),* })?) => {
        impl $crate::stored::Storable for $type {
            fn write(&self, text: &mut String) {
                let mut object = $crate::stored::Members::begin(text);
                $(object.put(stringify!($must), &self.$must);)*
                $($(object.put_unless_default(stringify!($may), &self.$may);)*)?
                object.end();
            }

            fn read(value: &serde_json::Value) -> Option<Self> {
                let object = value.as_object()?;
                Some(Self {
                    $($must: $crate::stored::must(object, stringify!($must))?,)*
                    $($($may: $crate::stored::may(object, stringify!($may))?,)*)?
                    $($($not: Default::default(),)*)?
                })
            }
        }
    };
}
pub(crate) use stored;

/// An enum whose variants are told by their `name`.
macro_rules! stored_names {
    ($type:ident: $($variant:ident),*) => {
        impl $crate::stored::Storable for $type {
            fn write(&self, text: &mut String) {
                $crate::stored::write_text(self.name(), text);
            }

            fn read(value: &serde_json::Value) -> Option<Self> {
                let name = value.as_str()?;
                [$(Self::$variant),*].into_iter().find(|known| known.name() == name)
            }
        }
    };
}
pub(crate) use stored_names;

/// An object on its way into a text.
pub struct Members<'t> {
    text: &'t mut String,
    next: char,
}

impl<'t> Members<'t> {
    pub fn begin(text: &'t mut String) -> Self {
        Self { text, next: '{' }
    }

    pub fn put(&mut self, name: &str, value: &impl Storable) {
        self.name(name);
        value.write(self.text);
    }

    pub fn put_unless_default<T: Storable + Default + PartialEq>(&mut self, name: &str, value: &T) {
        if *value != T::default() {
            self.put(name, value);
        }
    }

    fn name(&mut self, name: &str) {
        self.text.push(self.next);
        self.next = ',';
        write_text(name, self.text);
        self.text.push(':');
    }

    pub fn end(self) {
        if self.next == '{' {
            self.text.push('{');
        }
        self.text.push('}');
    }
}

pub fn must<T: Storable>(object: &Object<String, Value>, name: &str) -> Option<T> {
    object.get(name).map_or_else(T::absent, T::read)
}

pub fn may<T: Storable + Default>(object: &Object<String, Value>, name: &str) -> Option<T> {
    object.get(name).map_or_else(|| Some(T::default()), T::read)
}

pub fn write_text(content: &str, text: &mut String) {
    text.push_str(&serde_json::to_string(content).expect("texts can be written"));
}

impl Storable for String {
    fn write(&self, text: &mut String) {
        write_text(self, text);
    }

    fn read(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl Storable for bool {
    fn write(&self, text: &mut String) {
        text.push_str(if *self { "true" } else { "false" });
    }

    fn read(value: &Value) -> Option<Self> {
        value.as_bool()
    }
}

impl Storable for i64 {
    fn write(&self, text: &mut String) {
        text.push_str(&self.to_string());
    }

    fn read(value: &Value) -> Option<Self> {
        value.as_i64()
    }
}

macro_rules! stored_counts {
    ($($type:ty),*) => {$(
        impl Storable for $type {
            fn write(&self, text: &mut String) {
                text.push_str(&self.to_string());
            }

            fn read(value: &Value) -> Option<Self> {
                value.as_u64()?.try_into().ok()
            }
        }
    )*};
}
stored_counts!(u8, u32, u64, usize);

/// As text, which keeps every digit.
impl Storable for Decimal {
    fn write(&self, text: &mut String) {
        write_text(&self.to_string(), text);
    }

    fn read(value: &Value) -> Option<Self> {
        Decimal::from_str_exact(value.as_str()?).ok()
    }
}

/// As in 2026-03-31.
impl Storable for NaiveDate {
    fn write(&self, text: &mut String) {
        write_text(&self.to_string(), text);
    }

    fn read(value: &Value) -> Option<Self> {
        json::day(value.as_str()?)
    }
}

impl<T: Storable> Storable for Option<T> {
    fn write(&self, text: &mut String) {
        match self {
            Some(state) => state.write(text),
            None => text.push_str("null"),
        }
    }

    fn read(value: &Value) -> Option<Self> {
        if value.is_null() {
            Some(None)
        } else {
            T::read(value).map(Some)
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Storable> Storable for Vec<T> {
    fn write(&self, text: &mut String) {
        let mut next = '[';
        for state in self {
            text.push(next);
            state.write(text);
            next = ',';
        }
        if self.is_empty() {
            text.push('[');
        }
        text.push(']');
    }

    fn read(value: &Value) -> Option<Self> {
        let mut all = Self::new();
        for state in value.as_array()? {
            all.push(T::read(state)?);
        }
        Some(all)
    }
}

impl Storable for Map<String, String> {
    fn write(&self, text: &mut String) {
        let mut object = Members::begin(text);
        for (name, value) in self.iter() {
            object.put(name, value);
        }
        object.end();
    }

    fn read(value: &Value) -> Option<Self> {
        let mut all = Self::new_vec();
        for (name, value) in value.as_object()? {
            all.insert(name.clone(), String::read(value)?);
        }
        Some(all)
    }
}
