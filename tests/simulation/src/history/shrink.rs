//! Makes a failing history short: takes steps and faults out as long as the same oracle still fails.
//!
//! Delta debugging: halves first, then quarters, down to single ones. Bounded by a number of tries, because a story that is not quite the
//! shortest is still a story.

use crate::history::draw::{End, History};
use crate::history::{Failed, live};

const TRIES: u32 = 1_500;

/// The shortest history found that fails at the same oracle, and how it fails.
pub fn shrink(history: &History, failed: &Failed) -> (History, Failed) {
    let mut best = (history.clone(), failed.clone());
    let mut tries = TRIES;
    loop {
        let before = weight(&best.0);
        take_out(
            &mut best,
            &mut tries,
            |h| h.steps.len(),
            |h, from, to| {
                h.steps.drain(from..to);
            },
        );
        for step in 0..best.0.steps.len() {
            take_out(
                &mut best,
                &mut tries,
                move |h| h.steps.get(step).map_or(0, |s| s.strikes.len()),
                move |h, from, to| {
                    h.steps[step].strikes.drain(from..to);
                },
            );
        }
        take_out(
            &mut best,
            &mut tries,
            |h| h.settings.len(),
            |h, from, to| {
                h.settings.drain(from..to);
            },
        );
        for entity in 0..4 {
            take_out(
                &mut best,
                &mut tries,
                move |h| data(h, entity),
                move |h, from, to| drain(h, entity, from, to),
            );
        }
        let mut plain = best.0.clone();
        plain.end = End::Kept;
        try_it(&mut best, &mut tries, plain);
        if let Some(switches) = best.0.sage.as_object().cloned() {
            for name in switches.keys() {
                let mut without = best.0.clone();
                if let Some(switches) = without.sage.as_object_mut() {
                    switches.remove(name);
                }
                try_it(&mut best, &mut tries, without);
            }
        }
        if tries == 0 || weight(&best.0) == before {
            return best;
        }
    }
}

fn data(history: &History, entity: usize) -> usize {
    let isp = &history.isp;
    [
        isp.customers.len(),
        isp.invoices.len(),
        isp.credit_notes.len(),
        isp.payments.len(),
    ][entity]
}

/// Documents go with their customer.
fn drain(history: &mut History, entity: usize, from: usize, to: usize) {
    let isp = &mut history.isp;
    match entity {
        0 => {
            isp.customers.drain(from..to);
            let left: Vec<i64> = isp.customers.iter().map(|customer| customer.id).collect();
            isp.invoices.retain(|row| left.contains(&row.customer_id));
            isp.credit_notes
                .retain(|row| left.contains(&row.customer_id));
            isp.payments.retain(|row| left.contains(&row.customer_id));
        }
        1 => {
            isp.invoices.drain(from..to);
        }
        2 => {
            isp.credit_notes.drain(from..to);
        }
        _ => {
            isp.payments.drain(from..to);
        }
    }
    let invoices: Vec<i64> = isp.invoices.iter().map(|invoice| invoice.id).collect();
    for payment in &mut isp.payments {
        payment.invoice_id = payment.invoice_id.filter(|id| invoices.contains(id));
    }
}

fn weight(history: &History) -> usize {
    let strikes: usize = history.steps.iter().map(|step| step.strikes.len()).sum();
    let rows: usize = (0..4).map(|entity| data(history, entity)).sum();
    let switches = history.sage.as_object().map_or(0, serde_json::Map::len);
    history.steps.len()
        + strikes
        + history.settings.len()
        + rows
        + switches
        + usize::from(history.end != End::Kept)
}

/// Tries a shorter history; keeps it where the same oracle fails.
fn try_it(best: &mut (History, Failed), tries: &mut u32, shorter: History) -> bool {
    if *tries == 0 || weight(&shorter) >= weight(&best.0) {
        return false;
    }
    *tries -= 1;
    match live(&shorter, None) {
        Err(failed) if failed.oracle == best.1.oracle => {
            *best = (shorter, failed);
            true
        }
        _ => false,
    }
}

fn take_out(
    best: &mut (History, Failed),
    tries: &mut u32,
    len: impl Fn(&History) -> usize,
    drain: impl Fn(&mut History, usize, usize),
) {
    let mut size = len(&best.0).div_ceil(2);
    while size > 0 {
        let mut from = 0;
        while from < len(&best.0) {
            let to = (from + size).min(len(&best.0));
            let mut shorter = best.0.clone();
            drain(&mut shorter, from, to);
            if !try_it(best, tries, shorter) {
                from = to;
            }
        }
        size = if size == 1 { 0 } else { size / 2 };
    }
}
