//! The page of all records: whatever a person types of one is found, at once by its id, its label or a word of it, and each row once.

use std::collections::{BTreeMap, BTreeSet};

use sandbox::isp::{Isp, Size};
use simulation::installation::Installation;
use splynx_sageone::addon::Query;
use splynx_sageone::capability::Row as PageRow;

/// The pages of a search.
fn search(installation: &mut Installation, text: &str, limit: u32) -> Vec<Vec<PageRow>> {
    let mut query = Query {
        search: text.to_owned(),
        limit,
        ..Query::default()
    };
    let mut pages = Vec::new();
    loop {
        let page = installation.view("records", &query).expect("rows");
        pages.push(page.rows);
        if page.next.is_empty() {
            return pages;
        }
        query.after = page.next;
    }
}

fn ids(pages: &[Vec<PageRow>]) -> Vec<String> {
    pages.iter().flatten().map(|row| row.id.clone()).collect()
}

/// F69: synchronised or not, each record can be found.
#[test]
pub fn whatever_is_typed_of_a_record_finds_it() {
    let isp = Isp::seeded(Size::Small, 1);
    let mut installation = Installation::new(&isp, false);
    installation.set("make_names_unique", "on");
    installation.run_through("sync");
    // A name that changes is found by what it is now.
    let customer = isp.customers[0].id;
    installation.in_splynx(&serde_json::json!({
        "entity": "customers", "act": "update", "id": customer, "fields": {"name": "Zanele | Quobo van Wyk"}
    }));
    installation.run_through("sync");
    let all = installation.whole_page("records", &[]);
    assert!(all.len() > 500, "{}", all.len());
    let by_id: BTreeMap<&str, &PageRow> = all.iter().map(|row| (row.id.as_str(), row)).collect();

    let mut found_at_once = 0;
    for row in all.iter().step_by(17) {
        let [kind, here, label, _, there, ..] = row.cells.as_slice() else {
            panic!("{row:?}")
        };
        let id = if kind == "receipt" { there } else { here };
        let mut typed = vec![id.clone()];
        if kind != "allocation" && !label.is_empty() {
            typed.push(label.to_uppercase());
            typed.extend(label.split_whitespace().take(4).map(str::to_owned));
        }
        for text in typed {
            // A page holds all that begin so where the search is as narrow as a whole id or name.
            let first = installation
                .view(
                    "records",
                    &Query {
                        search: text.clone(),
                        limit: 500,
                        ..Query::default()
                    },
                )
                .expect("rows");
            assert!(
                first.rows.iter().any(|found| found.id == row.id),
                "{text:?} does not find {row:?}"
            );
            found_at_once += 1;
        }
    }
    assert!(found_at_once > 50);

    // What is in the middle of something is found too, each row once, however small the pages are.
    for text in [
        "a",
        "00",
        "van",
        "wyk",
        "quobo",
        "zanele |",
        "inv",
        "7",
        "no such text",
    ] {
        let fits = |row: &PageRow| {
            row.cells
                .iter()
                .any(|cell| cell.to_lowercase().contains(text))
        };
        let expected: BTreeSet<&str> = by_id
            .iter()
            .filter(|(_, row)| fits(row))
            .map(|(id, _)| *id)
            .collect();
        for limit in [7, 100] {
            let found = ids(&search(&mut installation, text, limit));
            let once: BTreeSet<&str> = found.iter().map(String::as_str).collect();
            assert_eq!(once, expected, "{text:?} by {limit}");
            // A name that has the searched word twice may come twice.
            assert!(
                found.len() <= once.len() + once.len() / 20,
                "{text:?} by {limit}: {} rows for {}",
                found.len(),
                once.len()
            );
        }
    }
    // First the customer, then all that is the customer's.
    let renamed = search(&mut installation, "quobo", 10).concat();
    assert_eq!(renamed[0].id, format!("customer/{customer:012}"));
    assert!(renamed.len() > 1);
    let own = ("customer-id".to_owned(), customer.to_string());
    assert!(renamed.iter().all(|row| row.more.contains(&own)));
}
