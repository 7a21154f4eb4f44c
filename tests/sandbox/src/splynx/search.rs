//! The search dialect of collections: `main_attributes`, `additional_attributes`, `order`, `limit`, `offset`
//! (Splynx API, search).
//!
//! A search becomes bounds on the id or a customer's rows where it can, so that a client that walks by id
//! pays for what it gets; everything else is compared record by record (`matching`).

use std::cmp::Ordering;

use super::matching::{Compare, Operand, Parameter, Test, sort, test};
use super::record::{Field, Record};
use super::refusal::Refusal;
use super::table::Table;
use super::wire::Cell;

/// What the query string asks for, before it is known of which entity.
#[derive(Debug, Clone, Default)]
pub struct Search {
    main: Vec<Condition>,
    additional: Vec<Condition>,
    order: Vec<(String, bool)>,
    limit: Option<usize>,
    offset: usize,
}

#[derive(Debug, Clone)]
struct Condition {
    field: String,
    test: Test,
}

impl Search {
    /// Reads the query of a list. Parameters that the dialect does not know are ignored, as Splynx does.
    pub fn parse(query: &[(String, String)]) -> Result<Self, Refusal> {
        let mut search = Search::default();
        let mut main = Vec::new();
        let mut additional = Vec::new();
        for (name, value) in query {
            let parameter = Parameter::parse(name, value);
            match (parameter.name, parameter.keys.as_slice()) {
                ("main_attributes", [_, ..]) => main.push(parameter),
                ("additional_attributes", [_, ..]) => additional.push(parameter),
                ("order", [field]) => {
                    let descending = value.eq_ignore_ascii_case("DESC");
                    search.order.push(((*field).to_owned(), descending));
                }
                ("limit", []) => search.limit = Some(count(name, value)?),
                ("offset", []) => search.offset = count(name, value)?,
                _ => {}
            }
        }
        search.main = conditions(&main)?;
        search.additional = conditions(&additional)?;
        Ok(search)
    }

    /// The base fields that conditions and order name.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        let conditions = self.main.iter().map(|condition| condition.field.as_str());
        conditions.chain(self.order.iter().map(|(field, _)| field.as_str()))
    }

    /// Drops the window, for counting all matches.
    pub fn without_window(mut self) -> Self {
        self.limit = None;
        self.offset = 0;
        self
    }

    /// The matching rows that `visible` lets through, in order, cut to the window.
    pub fn select<'t, T: Record>(
        &self,
        table: &'t Table<T>,
        visible: &dyn Fn(&T) -> bool,
    ) -> Result<Vec<&'t T>, Refusal> {
        let plan = Plan::<T>::new(self)?;
        let matching = self
            .candidates(table)
            .filter(|row| plan.accepts(row) && visible(row));
        let limit = self.limit.unwrap_or(usize::MAX);
        match plan.order.as_slice() {
            [] => Ok(matching.skip(self.offset).take(limit).collect()),
            [(field, descending)] if field.name == "id" => Ok(if *descending {
                matching.rev().skip(self.offset).take(limit).collect()
            } else {
                matching.skip(self.offset).take(limit).collect()
            }),
            order => {
                let mut rows: Vec<&T> = matching.collect();
                rows.sort_by(|a, b| {
                    order
                        .iter()
                        .fold(Ordering::Equal, |so_far, (field, descending)| {
                            so_far.then_with(|| {
                                let by = sort((field.get)(a), (field.get)(b));
                                if *descending { by.reverse() } else { by }
                            })
                        })
                });
                Ok(rows.into_iter().skip(self.offset).take(limit).collect())
            }
        }
    }

    /// The rows that can match at all, by id or by customer, in the order of their ids. Every condition is
    /// checked again on each of them.
    fn candidates<'t, T: Record>(
        &self,
        table: &'t Table<T>,
    ) -> Box<dyn DoubleEndedIterator<Item = &'t T> + 't> {
        let customers = T::default()
            .customer()
            .and_then(|_| self.set("customer_id"));
        let mut ids = match (self.set("id"), customers) {
            (Some(ids), _) => ids,
            (None, Some(customers)) => customers
                .into_iter()
                .flat_map(|customer| table.ids_of(customer))
                .collect(),
            (None, None) => {
                let (low, high) = self.id_bounds();
                return if low > high {
                    Box::new(std::iter::empty())
                } else {
                    Box::new(table.range(low..=high))
                };
            }
        };
        ids.sort_unstable();
        ids.dedup();
        Box::new(ids.into_iter().filter_map(|id| table.get(id)))
    }

    /// The values that an equality or IN condition on an integer field allows.
    fn set(&self, field: &str) -> Option<Vec<i64>> {
        self.main
            .iter()
            .find_map(|condition| match &condition.test {
                _ if condition.field != field => None,
                Test::Is(Compare::Equal, value) => Some(vec![value.id()?]),
                Test::In(values) => values.iter().map(Operand::id).collect(),
                _ => None,
            })
    }

    /// Bounds on the id that every match keeps.
    fn id_bounds(&self) -> (i64, i64) {
        let (mut low, mut high) = (i64::MIN, i64::MAX);
        for condition in self.main.iter().filter(|c| c.field == "id") {
            let (from, to) = match &condition.test {
                Test::Is(Compare::Greater | Compare::GreaterOrEqual, value) => (value.id(), None),
                Test::Is(Compare::Less | Compare::LessOrEqual, value) => (None, value.id()),
                Test::Between(from, to) => (from.id(), to.id()),
                _ => (None, None),
            };
            low = low.max(from.unwrap_or(i64::MIN));
            high = high.min(to.unwrap_or(i64::MAX));
        }
        (low, high)
    }
}

fn count(name: &str, value: &str) -> Result<usize, Refusal> {
    value
        .trim()
        .parse()
        .map_err(|_| Refusal::bad_request(&format!("{name} must be a whole number.")))
}

/// Gathers the parameters of each field to its condition.
fn conditions(parameters: &[Parameter]) -> Result<Vec<Condition>, Refusal> {
    let mut fields: Vec<&str> = Vec::new();
    for parameter in parameters {
        if !fields.contains(&parameter.keys[0]) {
            fields.push(parameter.keys[0]);
        }
    }
    fields
        .into_iter()
        .map(|field| {
            let own: Vec<&Parameter> = parameters.iter().filter(|p| p.keys[0] == field).collect();
            Ok(Condition {
                field: field.to_owned(),
                test: test(field, &own)?,
            })
        })
        .collect()
}

/// A search with its fields looked up in an entity.
struct Plan<'s, T: 'static> {
    main: Vec<(&'static Field<T>, &'s Test)>,
    additional: &'s [Condition],
    order: Vec<(&'static Field<T>, bool)>,
}

impl<'s, T: Record> Plan<'s, T> {
    fn new(search: &'s Search) -> Result<Self, Refusal> {
        let field = |name: &str| {
            T::FIELDS
                .iter()
                .find(|field| field.name == name)
                .ok_or_else(|| Refusal::bad_request(&format!("Unknown attribute {name}.")))
        };
        Ok(Self {
            main: search
                .main
                .iter()
                .map(|c| Ok((field(&c.field)?, &c.test)))
                .collect::<Result<_, _>>()?,
            additional: &search.additional,
            order: search
                .order
                .iter()
                .map(|(name, descending)| Ok((field(name)?, *descending)))
                .collect::<Result<_, _>>()?,
        })
    }

    fn accepts(&self, row: &T) -> bool {
        let additional = |name: &str| {
            row.additional()
                .and_then(|texts| texts.get(name))
                .map_or(Cell::Null, |text| Cell::Text(text.as_str().into()))
        };
        self.main
            .iter()
            .all(|(field, test)| test.holds(&(field.get)(row)))
            && self
                .additional
                .iter()
                .all(|c| c.test.holds(&additional(&c.field)))
    }
}
