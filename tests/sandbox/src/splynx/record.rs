//! Entities: the `record!` macro declares one once, for everything.
//!
//! A declaration gives the typed struct, its JSON in both styles, its OPTIONS schema, the checks of a write
//! and the cells that searches compare. Nothing here knows any entity.

use serde_json::{Map, Value};

use super::wire::{Cell, Style};

/// What a client may do with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Shown; what a client sends for it is ignored.
    Shown,
    /// May be sent.
    May,
    /// Must be sent on create.
    Must,
}

/// One field of an entity.
pub struct Field<T: 'static> {
    pub name: &'static str,
    pub title: &'static str,
    pub kind: &'static str,
    pub access: Access,
    /// Longest text in characters (column sizes of a live database).
    pub max: usize,
    pub get: for<'a> fn(&'a T) -> Cell<'a>,
    pub set: fn(&mut T, &Value) -> Result<(), &'static str>,
}

/// Texts of the custom fields of a record, by field name.
pub type Additional = std::collections::BTreeMap<String, String>;

/// An entity: a struct whose fields are declared once, see `record!`.
pub trait Record: Default + Clone + 'static {
    const FIELDS: &'static [Field<Self>];
    fn id(&self) -> i64;
    fn set_id(&mut self, id: i64);

    /// The customer whom the record belongs to; tables index it.
    fn customer(&self) -> Option<i64> {
        None
    }
    fn additional(&self) -> Option<&Additional> {
        None
    }
    fn additional_mut(&mut self) -> Option<&mut Additional> {
        None
    }
    /// Adds what is not a plain field, such as the lines of an invoice.
    fn nest(&self, _object: &mut Map<String, Value>, _style: Style) {}

    /// The record as the API shows it.
    fn wire(&self, style: Style) -> Map<String, Value> {
        let mut object: Map<String, Value> = Self::FIELDS
            .iter()
            .map(|field| (field.name.to_owned(), (field.get)(self).json(style)))
            .collect();
        if let Some(additional) = self.additional() {
            let texts = additional
                .iter()
                .map(|(name, text)| (name.clone(), Value::from(text.as_str())));
            object.insert("additional_attributes".to_owned(), texts.collect());
        }
        self.nest(&mut object, style);
        object
    }
}

/// Declares an entity. Each line: `name: Type = access(max length) "Title";`, where `as "wireName"` gives a
/// name on the wire that differs from Rust's; `plus` adds fields that are not attributes.
macro_rules! record {
    (
        $(#[$meta:meta])*
        $name:ident {
            $( $(#[$doc:meta])* $field:ident $(as $wire:literal)? : $type:ty = $access:ident $(($max:literal))? $title:literal; )*
        }
        $(plus { $( $(#[$plus_doc:meta])* $plus:ident : $plus_type:ty ),* $(,)? })?
        $(impl { $($body:tt)* })?
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default)]
        pub struct $name {
            $( $(#[$doc])* pub $field: $type, )*
            $($( $(#[$plus_doc])* pub $plus: $plus_type, )*)?
        }

        impl $crate::splynx::record::Record for $name {
            const FIELDS: &'static [$crate::splynx::record::Field<Self>] = &[
                $( $crate::splynx::record::Field {
                    name: record!(@name $field $($wire)?),
                    title: $title,
                    kind: <$type as $crate::splynx::wire::Attribute>::TYPE,
                    access: $crate::splynx::record::Access::$access,
                    max: record!(@max $($max)?),
                    get: |record: &$name| $crate::splynx::wire::Attribute::cell(&record.$field),
                    set: |record: &mut $name, value| {
                        record.$field = <$type as $crate::splynx::wire::Attribute>::read(value)?;
                        Ok(())
                    },
                }, )*
            ];
            fn id(&self) -> i64 {
                self.id
            }
            fn set_id(&mut self, id: i64) {
                self.id = id;
            }
            $($($body)*)?
        }
    };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $wire:literal) => { $wire };
    (@max) => { usize::MAX };
    (@max $max:literal) => { $max };
}
pub(crate) use record;

/// Declares the values of a closed set, each with its text; the first is the default.
macro_rules! choices {
    ($(#[$meta:meta])* $name:ident { $first:ident = $first_text:literal $(, $item:ident = $text:literal)* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub enum $name {
            #[default]
            $first,
            $($item,)*
        }

        impl $crate::splynx::wire::Attribute for $name {
            const TYPE: &'static str = "string";
            fn cell(&self) -> $crate::splynx::wire::Cell<'_> {
                let text = match self {
                    Self::$first => $first_text,
                    $(Self::$item => $text,)*
                };
                $crate::splynx::wire::Cell::Text(std::borrow::Cow::Borrowed(text))
            }
            fn read(value: &serde_json::Value) -> Result<Self, &'static str> {
                match value.as_str() {
                    Some($first_text) => Ok(Self::$first),
                    $(Some($text) => Ok(Self::$item),)*
                    _ => Err("is invalid."),
                }
            }
        }
    };
}
pub(crate) use choices;
