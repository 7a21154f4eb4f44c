//! Bars side by side, drawn here as SVG: no script, and every number stands in the table beside it as well.
//!
//! Positions are computed in floating point, since pixels are no money; what is written is what the add-on said.

use std::borrow::Borrow;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::cells::amount;
use addon_manifest::ChartSpec;
use addon_store::ReportRow;

/// Groups of one picture: a year, and the month before it.
const MOST_GROUPS: usize = 13;

/// Groups whose names have room beside each other.
const MOST_NAMES: usize = 8;

const WIDTH: f64 = 720.0;
/// Of the part with bars.
const HEIGHT: f64 = 150.0;
/// Room for the amounts at the left.
const LEFT: f64 = 104.0;
/// Room above the highest bar, for half a line of text.
const TOP: f64 = 10.0;

pub struct Chart {
    /// Titles of the bars, in order.
    pub legend: Vec<String>,
    pub pictures: Vec<Picture>,
}

pub struct Picture {
    pub title: String,
    pub groups: Vec<Group>,
    pub lines: Vec<Line>,
    /// Said to those who do not see it.
    pub told: String,
}

pub struct Group {
    pub label: String,
    pub middle: f64,
    pub bars: Vec<Bar>,
}

pub struct Bar {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    pub told: String,
}

/// A line across, with its amount.
pub struct Line {
    pub y: f64,
    pub text: String,
}

impl Chart {
    /// `None`: there is nothing to draw.
    pub fn draw<R: Borrow<ReportRow>>(
        spec: &ChartSpec,
        columns: &[String],
        rows: impl IntoIterator<Item = R>,
    ) -> Option<Self> {
        let place = |title: &String| columns.iter().position(|column| column == title);
        let label = place(&spec.label)?;
        let split = spec.split.as_ref().and_then(place);
        let bars: Vec<usize> = spec.bars.iter().filter_map(place).collect();
        let mut kinds: Vec<(String, Vec<Amounts>)> = Vec::new();
        for row in rows {
            let cells = &row.borrow().cells;
            let cell = |place: usize| cells.get(place).map_or("", String::as_str);
            let kind = split.map_or_else(String::new, |place| cell(place).to_owned());
            let amounts = Amounts {
                label: cell(label).to_owned(),
                bars: bars
                    .iter()
                    .map(|place| cell(*place).trim().parse().unwrap_or_default())
                    .collect(),
            };
            match kinds.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, of_kind)) => of_kind.push(amounts),
                None => kinds.push((kind, vec![amounts])),
            }
        }
        let pictures: Vec<Picture> = kinds
            .into_iter()
            .map(|(title, rows)| picture(title, rows, &spec.bars))
            .collect();
        (!pictures.is_empty()).then(|| Self {
            legend: spec.bars.clone(),
            pictures,
        })
    }

    /// Only its first picture, where there is little room.
    pub fn first(mut self) -> Self {
        self.pictures.truncate(1);
        self
    }
}

struct Amounts {
    label: String,
    bars: Vec<Decimal>,
}

fn picture(title: String, mut rows: Vec<Amounts>, legend: &[String]) -> Picture {
    rows.sort_by(|one, other| one.label.cmp(&other.label));
    let rows = rows.split_off(rows.len().saturating_sub(MOST_GROUPS));
    let all = || rows.iter().flat_map(|row| row.bars.iter().copied());
    let most = all().max().unwrap_or_default().max(Decimal::ZERO);
    let least = all().min().unwrap_or_default().min(Decimal::ZERO);
    let span = (most - least).to_f64().filter(|span| *span > 0.0);
    let y = |amount: Decimal| {
        let share = (most - amount).to_f64().unwrap_or(0.0) / span.unwrap_or(1.0);
        TOP + share * HEIGHT
    };
    let step = (WIDTH - LEFT) / count(rows.len());
    // Few groups do not become walls.
    let width = (step * 0.7 / count(legend.len())).min(28.0);
    let group = |(at, row): (usize, &Amounts)| {
        let middle = LEFT + step * (count(at + 1) - 0.5);
        let first = middle - width * count(legend.len()) / 2.0;
        let bar = |(at, value): (usize, &Decimal)| {
            let (top, bottom) = (
                y((*value).max(Decimal::ZERO)),
                y((*value).min(Decimal::ZERO)),
            );
            let name = legend.get(at).map_or("", String::as_str);
            Bar {
                x: first + width * (count(at + 1) - 1.0),
                y: top,
                width,
                height: bottom - top,
                told: format!("{} {name}: {}", row.label, amount(&value.to_string())),
            }
        };
        // The last is always named; where there are many, every second.
        let is_named = rows.len() <= MOST_NAMES || (rows.len() - at) % 2 == 1;
        Group {
            label: if is_named {
                row.label.clone()
            } else {
                String::new()
            },
            middle,
            bars: row.bars.iter().enumerate().map(bar).collect(),
        }
    };
    let groups: Vec<Group> = rows.iter().enumerate().map(group).collect();
    let mut marks = vec![most, Decimal::ZERO, least];
    marks.dedup();
    let lines = marks.into_iter().map(|mark| Line {
        y: y(mark),
        text: amount(&mark.round_dp(0).to_string())
            .trim_end_matches(",00")
            .to_owned(),
    });
    let told = groups.iter().flat_map(|group| &group.bars);
    let told: Vec<&str> = told.map(|bar| bar.told.as_str()).collect();
    Picture {
        told: format!("{title}. {}.", told.join("; ")),
        lines: lines.collect(),
        title,
        groups,
    }
}

/// At least one: there is nothing to part by none.
fn count(amount: usize) -> f64 {
    u32::try_from(amount.max(1)).map_or(1.0, f64::from)
}
