//! Pairs from a CSV file: what is good in it is paired, the rest is reported.

use mock_host::{DeathPoint, Side};
use sandbox::isp::CustomerCategory;

use crate::judge::{open, writes};
use crate::pairing::{Taken, page, taken};

fn csv(text: &str) -> Vec<(String, String)> {
    vec![("csv".to_owned(), text.to_owned())]
}

/// F67: a file pairs what is good in it and rejects the rest line by line, with the cure; its preview says the same.
#[test]
fn a_file_pairs_its_good_lines_and_reports_the_bad_ones() {
    let Taken {
        isp,
        mut installation,
        email,
        vat,
        number,
        equal,
        name,
        several,
    } = taken();
    installation.run_through("export-customers");
    let lead = isp
        .customers
        .iter()
        .find(|c| c.category == CustomerCategory::Lead)
        .expect("a lead");
    let id = |id: i64| id.to_string();
    let none = String::new();
    let lines: Vec<(String, String, &str)> = vec![
        (id(email.0), id(email.1), ""),
        // It is paired just so already.
        (id(equal.0), id(equal.1), ""),
        (id(name.0), none, ""),
        (id(vat.0), id(777_777), "Sage has no customer 777777"),
        (id(99_999), id(name.1), "Splynx has no customer 99999"),
        ("eleven".to_owned(), id(number.1), "no Splynx id"),
        (id(lead.id), "-7".to_owned(), "no Sage id"),
        (id(number.0), id(vat.1), "another line too"),
        (id(several.0), id(vat.1), "another line too"),
    ];
    let mut text = "\u{feff}Name,Splynx id,Why,Sage id\r\n".to_owned();
    for (splynx, sage, _) in &lines {
        text.push_str(&format!("\"a, \"\"b\"\"\",{splynx},x,{sage}\r\n"));
    }
    let plan = installation
        .preview_with("import-pairing", &csv(&text))
        .expect("the preview works");
    let planned: Vec<&str> = plan.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(planned, [format!("customer/{}", email.0)]);
    let previewed = installation.host().reports.get("rejected").cloned();
    let outcome = installation
        .run_with("import-pairing", &csv(&text))
        .expect("the file is read");
    let why = outcome.why.expect("lines were rejected");
    assert_eq!(why.code, "lines-rejected");
    let rejected = installation.host().reports["rejected"].clone();
    assert_eq!(
        previewed.as_ref(),
        Some(&rejected),
        "the preview said the same"
    );
    let bad = lines
        .iter()
        .enumerate()
        .filter(|(_, (_, _, why))| !why.is_empty());
    let bad: Vec<(String, &str)> = bad
        .map(|(n, (_, _, why))| ((n + 2).to_string(), *why))
        .collect();
    assert_eq!(rejected.len(), bad.len(), "{rejected:?}");
    for (row, (line, why)) in rejected.iter().zip(bad) {
        assert_eq!(row.cells[0], line);
        assert!(row.cells[2].contains(why), "{row:?}");
        assert!(!row.cells[3].is_empty(), "each with its cure");
    }
    assert_eq!(page(&mut installation)[&email.0].0, "paired");

    // One fault a file: the two sides of an exclusive pair, and a lead.
    for (splynx, sage, part) in [
        (vat.0, equal.1, "is paired with Splynx customer"),
        (equal.0, number.1, "is paired with Sage customer"),
        (lead.id, number.1, "a lead"),
    ] {
        let text = format!("splynx_id;sage_id\n{splynx};{sage}\n");
        installation
            .run_with("import-pairing", &csv(&text))
            .expect("the file is read");
        let row = &installation.host().reports["rejected"][0];
        assert!(row.cells[2].contains(part), "{row:?}");
    }
    let failure = installation
        .run_with("import-pairing", &csv("a,b\n1,2"))
        .expect_err("no header");
    assert_eq!(failure.code, "no-header");

    // What the page shows is a file that changes nothing but the proposals, which a person has seen there.
    let shown = installation.rows("pairing", &[]);
    let mut text = "Splynx id,Sage id\n".to_owned();
    for row in &shown {
        text.push_str(&format!("{},{}\n", row[0], row[4]));
    }
    let outcome = installation
        .run_with("import-pairing", &csv(&text))
        .expect("the file is read");
    assert_eq!(outcome.why, None, "nothing is rejected");
    assert_eq!(page(&mut installation)[&name.0].0, "paired");
    installation.run_through("sync");
    assert!(open(&mut installation).is_empty());
}

/// A file of ids that nobody knows asks Splynx for none of them, and is bounded.
#[test]
fn a_long_file_of_unknown_ids_ends_soon_and_a_longer_one_is_refused() {
    let Taken {
        mut installation, ..
    } = taken();
    let file = |lines: i64| {
        let lines = (0..lines).map(|line| 900_000 + line * 7_919 % 999_983);
        let lines = lines.map(|id| format!("{id},{}\n", id + 1_000_000));
        csv(&format!("splynx_id,sage_id\n{}", lines.collect::<String>()))
    };
    let lines = 20_000;
    let began = installation.world().now;
    let outcome = installation
        .run_with("import-pairing", &file(lines))
        .expect("the file is read");
    assert_eq!(outcome.why.expect("it says so").code, "lines-rejected");
    let rejected = &installation.host().reports["rejected"];
    assert_eq!(rejected.len(), usize::try_from(lines).expect("it fits"));
    let took = installation.world().now - began;
    assert!(took.num_minutes() < 10, "it asked for each: {took}");
    let refused = installation
        .run_with("import-pairing", &file(300_000))
        .expect_err("too long");
    assert_eq!(refused.code, "too-many-lines");
    assert!(refused.message.contains("several parts"), "{refused:?}");
}

/// F67: an import of pairs that dies at any call and is repeated ends as one that did not.
#[test]
fn an_import_of_pairs_that_dies_at_any_call_can_be_repeated() {
    let build = || {
        let Taken {
            installation,
            email,
            vat,
            number,
            ..
        } = taken();
        let text = format!(
            "splynx_id,sage_id\n{},{}\n{},{}\n{},{}\n99999,1\n",
            email.0, email.1, vat.0, vat.1, number.0, number.1
        );
        (installation, text)
    };
    let (mut undisturbed, text) = build();
    undisturbed
        .run_with("import-pairing", &csv(&text))
        .expect("it is read");
    let calls = undisturbed.host().calls();
    let expected = page(&mut undisturbed);
    assert_eq!(expected.len(), 3, "nobody else was looked at yet");
    assert!(expected.values().all(|row| row.0 == "paired"));
    for point in (1..=calls)
        .flat_map(|call| [Side::Before, Side::After].map(|side| DeathPoint { call, side }))
    {
        let (mut installation, text) = build();
        assert!(
            installation.run_with_and_die("import-pairing", &csv(&text), point),
            "{point:?} is within the run"
        );
        installation
            .run_with("import-pairing", &csv(&text))
            .expect("it is read");
        assert_eq!(
            installation.host().reports["rejected"].len(),
            1,
            "{point:?}"
        );
        assert_eq!(page(&mut installation), expected, "{point:?}");
        assert_eq!(writes(&mut installation), 0);
    }
}
