//! Parsing and evaluating `$filter`: `eq ne gt ge lt le and or ( )` and `indexof(field,'text')`.
//!
//! Texts compare without case, as the database behind Sage most likely does. Null is unequal to everything and
//! neither greater nor less. Whether texts and `Modified` can be compared at all is a switch (Q9, Q10).

use std::cmp::Ordering;

use rust_decimal::Decimal;

use super::lexer::{Token, tokens};
use super::{bad, find};
use crate::sage::behaviour::{Behaviour, Filtering, LongIds};
use crate::sage::books::Books;
use crate::sage::refusal::Refusal;
use crate::sage::wire::{Cell, Column, Kind};

/// Parentheses deeper than this are refused: each costs three calls on the stack.
const DEEPEST: usize = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

impl Operator {
    fn named(word: &str) -> Option<Self> {
        Some(match word {
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "gt" => Self::Gt,
            "ge" => Self::Ge,
            "lt" => Self::Lt,
            "le" => Self::Le,
            _ => return None,
        })
    }

    fn accepts(self, ordering: Ordering) -> bool {
        match self {
            Self::Eq => ordering.is_eq(),
            Self::Ne => ordering.is_ne(),
            Self::Gt => ordering.is_gt(),
            Self::Ge => ordering.is_ge(),
            Self::Lt => ordering.is_lt(),
            Self::Le => ordering.is_le(),
        }
    }
}

/// A filter bound to the columns of an entity.
pub enum Filter<T: 'static> {
    And(Box<Filter<T>>, Box<Filter<T>>),
    Or(Box<Filter<T>>, Box<Filter<T>>),
    Compare {
        column: &'static Column<T>,
        operator: Operator,
        with: Cell<'static>,
    },
    /// The place of a text in a property, from 0; -1 where it is not.
    IndexOf {
        column: &'static Column<T>,
        text: String,
        operator: Operator,
        with: Decimal,
    },
    /// A term that is not really looked at.
    Fixed(bool),
}

impl<T: 'static> Filter<T> {
    pub fn parse(
        text: &str,
        columns: &[&'static Column<T>],
        behaviour: &Behaviour,
    ) -> Result<Self, Refusal> {
        let tokens = tokens(text).map_err(|why| bad(format!("Syntax error in $filter: {why}.")))?;
        let tokens = admitted(tokens, behaviour)?;
        let mut parser = Parser {
            tokens: tokens.into_iter().peekable(),
            columns,
            behaviour,
        };
        let filter = parser.any_of(0)?;
        match parser.tokens.next() {
            None => Ok(filter),
            Some(token) => Err(syntax(Some(token))),
        }
    }

    pub fn holds(&self, row: &T, books: &Books) -> bool {
        match self {
            Self::And(a, b) => a.holds(row, books) && b.holds(row, books),
            Self::Or(a, b) => a.holds(row, books) || b.holds(row, books),
            Self::Compare {
                column,
                operator,
                with,
            } => holds(*operator, &(column.get)(row, books), with),
            Self::IndexOf {
                column,
                text,
                operator,
                with,
            } => {
                let cell = (column.get)(row, books);
                let place = text_of(&cell).map(|whole| {
                    let whole = whole.to_lowercase();
                    whole
                        .find(text)
                        .map_or(-1, |at| whole[..at].encode_utf16().count() as i64)
                });
                place.is_some_and(|place| operator.accepts(Decimal::from(place).cmp(with)))
            }
            Self::Fixed(held) => *held,
        }
    }
}

/// The words of a filter that is not too much, with large numbers written as the server wants them.
fn admitted(tokens: Vec<Token>, behaviour: &Behaviour) -> Result<Vec<Token>, Refusal> {
    let is_large = |number: &Decimal| *number > Decimal::from(i32::MAX);
    // A property is a node on a node; a large constant is converted.
    let nodes = tokens.iter().map(|token| match token {
        Token::Word(word) if Operator::named(word).is_some() => 1,
        Token::Word(word) if matches!(word.as_str(), "and" | "or") => 1,
        Token::Word(_) => 2,
        Token::Number(number) | Token::Long(number) if is_large(number) => 2,
        Token::Number(_) | Token::Long(_) | Token::Text(_) | Token::Stamp(_) => 1,
        Token::Open | Token::Close | Token::Comma => 0,
    });
    let nodes: usize = nodes.sum();
    if let Some(most) = behaviour.filter_nodes.filter(|most| nodes > *most) {
        return Err(bad(format!(
            "The node count limit of '{most}' has been exceeded."
        )));
    }
    let write = |token| match token {
        Token::Number(number) if is_large(&number) && behaviour.long_ids == LongIds::Suffixed => {
            Err(bad(format!(
                "Syntax error in $filter: '{number}' is no Int32."
            )))
        }
        Token::Long(number) if behaviour.long_ids == LongIds::Bare => Err(bad(format!(
            "Syntax error in $filter: '{number}L' is not expected."
        ))),
        Token::Long(number) => Ok(Token::Number(number)),
        token => Ok(token),
    };
    tokens.into_iter().map(write).collect()
}

fn holds(operator: Operator, cell: &Cell, with: &Cell) -> bool {
    match (cell, with) {
        (Cell::Null, Cell::Null) => operator == Operator::Eq,
        (Cell::Null, _) | (_, Cell::Null) => operator == Operator::Ne,
        _ => compare(cell, with).is_some_and(|ordering| operator.accepts(ordering)),
    }
}

/// How two cells of one kind compare; null comes before everything.
pub fn compare(a: &Cell, b: &Cell) -> Option<Ordering> {
    match (a, b) {
        (Cell::Null, Cell::Null) => Some(Ordering::Equal),
        (Cell::Null, _) => Some(Ordering::Less),
        (_, Cell::Null) => Some(Ordering::Greater),
        (Cell::Flag(a), Cell::Flag(b)) => Some(a.cmp(b)),
        (Cell::Int(a), Cell::Int(b)) => Some(a.cmp(b)),
        (Cell::Int(a), Cell::Amount(b)) => Some(Decimal::from(*a).cmp(b)),
        (Cell::Amount(a), Cell::Int(b)) => Some(a.cmp(&Decimal::from(*b))),
        (Cell::Amount(a), Cell::Amount(b)) => Some(a.cmp(b)),
        (Cell::Date(a), Cell::Date(b)) => Some(a.cmp(b)),
        (Cell::Date(a), Cell::Stamp(b)) => Some(a.and_hms_opt(0, 0, 0)?.cmp(b)),
        (Cell::Stamp(a), Cell::Date(b)) => Some(a.cmp(&b.and_hms_opt(0, 0, 0)?)),
        (Cell::Stamp(a), Cell::Stamp(b)) => Some(a.cmp(b)),
        _ => {
            let (a, b) = (text_of(a)?, text_of(b)?);
            Some(a.to_lowercase().cmp(&b.to_lowercase()))
        }
    }
}

fn text_of<'c>(cell: &'c Cell) -> Option<&'c str> {
    match cell {
        Cell::Text(text) => Some(text),
        Cell::Made(text) => Some(text),
        _ => None,
    }
}

struct Parser<'p, T: 'static> {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    columns: &'p [&'static Column<T>],
    behaviour: &'p Behaviour,
}

impl<T: 'static> Parser<'_, T> {
    fn any_of(&mut self, depth: usize) -> Result<Filter<T>, Refusal> {
        let mut filter = self.all_of(depth)?;
        while self.takes("or") {
            filter = Filter::Or(Box::new(filter), Box::new(self.all_of(depth)?));
        }
        Ok(filter)
    }

    fn all_of(&mut self, depth: usize) -> Result<Filter<T>, Refusal> {
        let mut filter = self.term(depth)?;
        while self.takes("and") {
            filter = Filter::And(Box::new(filter), Box::new(self.term(depth)?));
        }
        Ok(filter)
    }

    fn term(&mut self, depth: usize) -> Result<Filter<T>, Refusal> {
        match self.tokens.next() {
            Some(Token::Open) if depth < DEEPEST => {
                let inner = self.any_of(depth + 1)?;
                self.expect(Token::Close)?;
                Ok(inner)
            }
            Some(Token::Word(word)) if word == "indexof" => self.index_of(),
            Some(Token::Word(word)) if word == "startswith" => self.starts_with(),
            Some(Token::Word(name)) => {
                let column = find(self.columns, &name)?;
                let operator = self.operator()?;
                self.comparison(column, operator)
            }
            token => Err(syntax(token)),
        }
    }

    fn comparison(
        &mut self,
        column: &'static Column<T>,
        operator: Operator,
    ) -> Result<Filter<T>, Refusal> {
        let with = match (column.kind, self.tokens.next()) {
            (Kind::Number, Some(Token::Number(number))) => Cell::Amount(number),
            (Kind::Text, Some(Token::Text(text))) => Cell::Made(text),
            (Kind::Date, Some(Token::Stamp(stamp))) => Cell::Stamp(stamp),
            (Kind::Flag, Some(Token::Word(word))) if word == "true" => Cell::Flag(true),
            (Kind::Flag, Some(Token::Word(word))) if word == "false" => Cell::Flag(false),
            (kind, Some(Token::Word(word))) if word == "null" && kind != Kind::Object => Cell::Null,
            (_, None) => return Err(syntax(None)),
            _ => {
                return Err(bad(format!(
                    "The property '{}' can't be compared with a value of that type.",
                    column.name
                )));
            }
        };
        let filter = Filter::Compare {
            column,
            operator,
            with,
        };
        self.as_supported(column, filter)
    }

    fn index_of(&mut self) -> Result<Filter<T>, Refusal> {
        let (column, text) = self.sought()?;
        let operator = self.operator()?;
        let with = match self.tokens.next() {
            Some(Token::Number(number)) => number,
            token => return Err(syntax(token)),
        };
        self.place_of(column, text, operator, with)
    }

    /// A truth by itself, or compared with one.
    fn starts_with(&mut self) -> Result<Filter<T>, Refusal> {
        let (column, text) = self.sought()?;
        let mut operator = Operator::Eq;
        if self.takes("eq") {
            operator = match self.tokens.next() {
                Some(Token::Word(word)) if word == "true" => Operator::Eq,
                Some(Token::Word(word)) if word == "false" => Operator::Ne,
                token => return Err(syntax(token)),
            };
        }
        self.place_of(column, text, operator, Decimal::ZERO)
    }

    /// `(property,'text')`, behind the name of a function.
    fn sought(&mut self) -> Result<(&'static Column<T>, String), Refusal> {
        self.expect(Token::Open)?;
        let column = match self.tokens.next() {
            Some(Token::Word(name)) => find(self.columns, &name)?,
            token => return Err(syntax(token)),
        };
        self.expect(Token::Comma)?;
        let text = match self.tokens.next() {
            Some(Token::Text(text)) if column.kind == Kind::Text => text.to_lowercase(),
            token => return Err(syntax(token)),
        };
        self.expect(Token::Close)?;
        Ok((column, text))
    }

    fn place_of(
        &self,
        column: &'static Column<T>,
        text: String,
        operator: Operator,
        with: Decimal,
    ) -> Result<Filter<T>, Refusal> {
        let filter = Filter::IndexOf {
            column,
            text,
            operator,
            with,
        };
        self.as_supported(column, filter)
    }

    /// The term, or what the service makes of terms of its kind.
    fn as_supported(
        &self,
        column: &'static Column<T>,
        filter: Filter<T>,
    ) -> Result<Filter<T>, Refusal> {
        let support = if column.kind == Kind::Text {
            self.behaviour.string_filters
        } else if column.name == "Modified" {
            self.behaviour.modified_filters
        } else {
            Filtering::Works
        };
        match support {
            Filtering::Works => Ok(filter),
            Filtering::Ignored => Ok(Filter::Fixed(true)),
            Filtering::Empty => Ok(Filter::Fixed(false)),
            Filtering::Refused => Err(bad(format!(
                "Filtering on the property '{}' is not supported.",
                column.name
            ))),
        }
    }

    fn operator(&mut self) -> Result<Operator, Refusal> {
        let token = self.tokens.next();
        match &token {
            Some(Token::Word(word)) => Operator::named(word).ok_or_else(|| syntax(token.clone())),
            _ => Err(syntax(token)),
        }
    }

    fn takes(&mut self, word: &str) -> bool {
        self.tokens
            .next_if(|token| matches!(token, Token::Word(found) if found == word))
            .is_some()
    }

    fn expect(&mut self, token: Token) -> Result<(), Refusal> {
        let found = self.tokens.next();
        if found.as_ref() == Some(&token) {
            Ok(())
        } else {
            Err(syntax(found))
        }
    }
}

fn syntax(found: Option<Token>) -> Refusal {
    bad(match found {
        Some(token) => format!("Syntax error in $filter at {token:?}."),
        None => "Syntax error in $filter: it ends too early.".to_owned(),
    })
}
