//! Settings that are each valid and together do not do what somebody expects. Nothing here talks to a service.

use super::{Finding, finding};
use crate::json;
use crate::settings::{Direction, Settings};
use crate::sync::lists::{List, Row, named_at};
use crate::sync::mapping::Mapping;
use crate::sync::taxes::Rated;
use crate::write::ledger::{Run, RunResult, cursor_key};
use crate::write::record::Kind;

/// Findings on settings alone: names, directions, methods, import, automatic runs.
pub fn settings(run: &mut Run) -> RunResult<Vec<Finding>> {
    let mut findings = Vec::new();
    names(run, &mut findings)?;
    payments(run, &mut findings);
    amounts(run, &mut findings);
    automatic_runs(run, &mut findings)?;
    history(run, &mut findings)?;
    Ok(findings)
}

/// D13: what happens to two customers of one name. Once they were exported, whoever is held for it is listed.
fn names(run: &mut Run, findings: &mut Vec<Finding>) -> RunResult<()> {
    let pattern = &run.settings.name_pattern;
    let tells_apart = pattern.contains("{id}") || pattern.contains("{login}");
    let is_settled = tells_apart || run.settings.make_names_unique;
    if !is_settled && run.meta(&cursor_key(Kind::Customer))?.is_none() {
        findings.push(finding(
            "warning",
            "names-may-clash",
            "Sage wants names to be unique, and the name pattern gives two customers of one name the same: the second one is held.",
            "Put {id} or {login} into the name pattern, or switch \"Make names unique\" on.",
            "customer_name_pattern",
        ));
    }
    Ok(())
}

fn payments(run: &Run, findings: &mut Vec<Finding>) {
    let settings = &run.settings;
    let mut warn = |code, message: &str, cure: &str, field| {
        findings.push(finding("warning", code, message, cure, field));
    };
    match settings.direction {
        Direction::ToSage if settings.push_methods.is_empty() => warn(
            "no-methods",
            "No payment method is sent to Sage, so no payment is.",
            "Choose them under Settings, Payments.",
            "payments_push_methods",
        ),
        Direction::ToSage => {
            let imported = settings.imported_method;
            if imported.is_some_and(|method| settings.push_methods.contains(&method)) {
                warn(
                    "method-never-sent",
                    "The method of payments that came from Sage is ticked among those to send: it is never sent, whatever is ticked.",
                    "Take the tick away.",
                    "payments_push_methods",
                );
            }
        }
        Direction::Both if !settings.push_methods.is_empty() => warn(
            "methods-without-effect",
            "The direction is Bidirectional: every method but that of payments from Sage is sent, whatever is ticked.",
            "Choose the direction Splynx to Sage, if only the ticked ones are meant; else take the ticks away.",
            "payments_push_methods",
        ),
        Direction::FromSage if !settings.push_methods.is_empty() => warn(
            "methods-without-effect",
            "The direction is Sage to Splynx: no payment is sent, whatever is ticked.",
            "Choose another direction, if payments are to go to Sage; else take the ticks away.",
            "payments_push_methods",
        ),
        Direction::Both | Direction::FromSage => {}
    }
    let creates = [
        (
            settings.pay_without_invoice,
            "create_payment_without_invoice",
            "Create payment without invoice",
        ),
        (
            settings.pay_paid_invoices,
            "create_payment_for_paid_invoice",
            "Create payment for paid invoice",
        ),
    ];
    for (_, field, title) in creates.into_iter().filter(|(on, _, _)| *on) {
        if settings.direction.from_sage() {
            warn(
                "payments-may-double",
                &format!(
                    "{title} is on: a receipt that somebody also enters in Splynx by hand is there twice."
                ),
                "Enter such payments on one side only, or switch it off.",
                field,
            );
        } else {
            warn(
                "import-off",
                &format!("{title} counts for payments from Sage only, and none are imported."),
                "Switch it off, or choose a direction that imports.",
                field,
            );
        }
    }
    if settings.direction.from_sage() && settings.imported_method.is_none() {
        findings.push(finding(
            "error",
            "no-import-method",
            "Payments are to come from Sage, and no method is chosen for them: nothing can be imported.",
            "Make a payment method in Splynx, SageOne for example, import the mapping settings, and choose it.",
            "payment_method_id",
        ));
    }
}

/// F30: without VAT in the prices, totals can differ by cents.
fn amounts(run: &Run, findings: &mut Vec<Finding>) {
    if !run.settings.inclusive && run.settings.fix_item.is_none() {
        findings.push(finding(
            "warning",
            "no-fix-item",
            "Prices go to Sage without VAT and there is no fix item: documents whose total would be a cent or two out are held.",
            "Choose a fix item, or switch \"Use inclusive amounts\" on.",
            "fix_item_id",
        ));
    }
}

fn automatic_runs(run: &mut Run, findings: &mut Vec<Finding>) -> RunResult<()> {
    const TOGGLES: [&str; 4] = [
        "cron_customers",
        "cron_invoices",
        "cron_credit_notes",
        "cron_payments",
    ];
    let settings = &run.settings;
    if !settings.value("cron_payment_days").is_empty() && !settings.is_on("cron_payments") {
        findings.push(finding(
            "warning",
            "days-without-effect",
            "Days for payments are set, and automatic runs of payments are off: the days do nothing.",
            "Switch the automatic run of payments on, or clear the days.",
            "cron_payment_days",
        ));
    }
    let on = TOGGLES.into_iter().find(|toggle| settings.is_on(toggle));
    if let Some(field) = on
        && run.meta(&cursor_key(Kind::Customer))?.is_none()
    {
        findings.push(finding(
            "warning",
            "cron-before-first-export",
            "Automatic runs are on, and the customers were never exported by hand: a company that has them already should be paired first.",
            "Switch the automatic runs off, load the Sage customers, pair them, export once by hand and look at Sage.",
            field,
        ));
    }
    Ok(())
}

/// D5: documents older than the installation are probably in Sage already.
fn history(run: &mut Run, findings: &mut Vec<Finding>) -> RunResult<()> {
    let context = run.cap.context();
    let installed = context
        .iter()
        .find(|(name, _)| name == "installed-on")
        .and_then(|(_, day)| json::day(day));
    for (kind, field, first) in [
        (
            Kind::Invoice,
            "export_invoices_from",
            "Run \"Pair same-number invoices\" first",
        ),
        (
            Kind::CreditNote,
            "export_credit_notes_from",
            "Run \"Pair same-number credit notes\" first",
        ),
        (
            Kind::Payment,
            "export_payments_from",
            "See what Sage has first",
        ),
    ] {
        let Some(from) = run.settings.from(kind) else {
            continue;
        };
        let is_early = installed.is_some_and(|installed| from < installed);
        // Once they were exported there is nothing left to warn of.
        if is_early && run.meta(&cursor_key(kind))?.is_none() {
            findings.push(finding(
                "warning",
                "history",
                format!(
                    "The {} from {from} on are older than this installation: Sage may hold them from another add-on or from hand.",
                    kind.title()
                ),
                format!("{first}, then look at the preview of the export."),
                field,
            ));
        }
    }
    Ok(())
}

/// Findings that need the lists: what is mapped to nothing, to something gone, or unwisely.
pub fn mappings(run: &Run, mapping: &Mapping) -> Vec<Finding> {
    let settings = &run.settings;
    let mut findings = Vec::new();
    categories(settings, mapping, &mut findings);
    taxes(run, mapping, &mut findings);
    methods(settings, mapping, &mut findings);
    for (field, what) in mapping.stale(settings) {
        findings.push(finding(
            "warning",
            "mapping-stale",
            format!("{what}, and {field} names it: what needs it is held."),
            "Press \"Import mapping settings\", then choose another one.",
            &field,
        ));
    }
    fix_item(run, mapping, &mut findings);
    let partners: Vec<i64> = mapping.rows(List::SplynxPartners).map(|p| p.id).collect();
    if !partners.is_empty()
        && partners
            .iter()
            .all(|id| settings.partners_ignore.contains(id))
    {
        findings.push(finding(
            "warning",
            "all-partners-left-out",
            "Every partner is left out, so nothing is synchronised.",
            "Take at least one out of \"Partners to leave out\".",
            "partners_ignore",
        ));
    }
    findings
}

/// One finding, however many categories have no item yet.
fn categories(settings: &Settings, mapping: &Mapping, findings: &mut Vec<Finding>) {
    let open = mapping
        .rows(List::SplynxCategories)
        .filter(|row| row.active && settings.is_unmapped(&format!("item.{}", row.id)));
    unmapped(
        "item",
        ("category", "categories"),
        "documents that use",
        open,
        findings,
    );
}

/// F41, F45, F46: every method that is sent needs a bank account, its own or the default one.
fn methods(settings: &Settings, mapping: &Mapping, findings: &mut Vec<Finding>) {
    if settings.mapped("default_bank_account").is_some() {
        return;
    }
    let is_sent = |method: i64| match settings.direction {
        Direction::ToSage => settings.push_methods.contains(&method),
        Direction::Both => settings.imported_method != Some(method),
        Direction::FromSage => false,
    };
    let open = mapping.rows(List::SplynxMethods).filter(|row| {
        row.active && is_sent(row.id) && settings.is_unmapped(&format!("bank_account.{}", row.id))
    });
    unmapped(
        "bank_account",
        ("payment method", "payment methods"),
        "payments by",
        open,
        findings,
    );
    if let Some(told) = findings
        .iter_mut()
        .find(|found| found.field.starts_with("bank_account."))
    {
        told.cure
            .push_str(" Or choose the default bank account under Settings, Payments.");
    }
}

fn unmapped<'r>(
    family: &str,
    (one, several): (&str, &str),
    what: &str,
    rows: impl Iterator<Item = &'r Row>,
    findings: &mut Vec<Finding>,
) {
    const NAMED: usize = 3;
    let rows: Vec<&Row> = rows.collect();
    let Some(first) = rows.first() else { return };
    let field = format!("{family}.{}", first.id);
    let titles: Vec<&str> = rows
        .iter()
        .take(NAMED)
        .map(|row| row.title.as_str())
        .collect();
    let message = match rows.len() {
        1 => format!(
            "The {one} {} is not mapped: {what} it are held.",
            first.title
        ),
        count if count <= NAMED => format!(
            "{count} {several} are not mapped: {what} them are held: {}.",
            titles.join(", ")
        ),
        count => format!(
            "{count} {several} are not mapped: {what} them are held: {} and {} more.",
            titles.join(", "),
            count - NAMED
        ),
    };
    findings.push(finding(
        "warning",
        "mapping-missing",
        message,
        format!(
            "Choose a counterpart under {}; or \"Leave unmapped\" there, if none is meant.",
            List::place(&field)
        ),
        &field,
    ));
}

/// VAT as Splynx charges it and as Sage would, at each rate: lines are held where a rate is not mapped, or to another one.
fn taxes(run: &Run, mapping: &Mapping, findings: &mut Vec<Finding>) {
    let rated = mapping.rated(&run.settings).into_iter();
    for Rated { key, tax, percent } in rated.filter(|rated| rated.tax.active) {
        let Some(percent) = percent else { continue };
        let what = named_at(&tax.title, percent);
        let cure = mapping.tax_cure(&key, percent);
        let target = run.settings.mapped(&key);
        if target.is_none() && !run.settings.is_unmapped(&key) {
            continue;
        }
        let Some(target) = target else {
            findings.push(finding(
                "warning",
                "mapping-missing",
                format!("The tax {what}, is not mapped: documents that use it are held."),
                cure,
                &key,
            ));
            continue;
        };
        let there = mapping.row(List::SageTaxTypes, target);
        if let Some(there) = there.filter(|there| there.percent != Some(percent)) {
            findings.push(finding(
                "error",
                "tax-rates-differ",
                format!(
                    "The tax {} is {} % in Splynx, and is mapped to {} of {} % in Sage: documents that use it are held.",
                    tax.title,
                    percent.normalize(),
                    there.title,
                    there.percent.unwrap_or_default().normalize()
                ),
                format!("{cure} Or correct the rate where it is wrong, and press \"Import mapping settings\"."),
                &key,
            ));
        }
    }
}

/// I4: VAT on the fix line moves the total that it is to correct.
fn fix_item(run: &Run, mapping: &Mapping, findings: &mut Vec<Finding>) {
    let item = run
        .settings
        .fix_item
        .and_then(|id| mapping.row(List::SageItems, id))
        .filter(|item| item.active);
    let percent = item
        .and_then(|item| mapping.row(List::SageTaxTypes, item.tax?))
        .and_then(|tax| tax.percent)
        .filter(|percent| !percent.is_zero());
    if let (Some(item), Some(percent)) = (item, percent) {
        findings.push(finding(
            "warning",
            "fix-item-taxed",
            format!(
                "The fix item {} is taxed at {} %: a few differences of cents cannot be reached with it.",
                item.title,
                percent.normalize()
            ),
            "Choose a service item at 0 % VAT.",
            "fix_item_id",
        ));
    }
}
