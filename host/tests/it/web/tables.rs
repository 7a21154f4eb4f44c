//! Pages of the manifest with their filters and acts, jobs with options, and tables as files.

use addon_host::store::{Outcome, ReportRow, RunState};
use reqwest::{Method, StatusCode};

use super::site::Site;
use crate::fixtures::at;
use crate::guest::table_guest;

/// The guest of `table.wat`.
pub const MANIFEST: &str = r#"[addon]
id = "guest"
version = "1.0.0"
title = "Tables"
interface = "splynx:addon@1.0.0"
component = "guest.wasm"
state = 1

[[settings]]
key = "zone"
title = "Time zone"
type = "text"
default = "Africa/Johannesburg"

[[settings]]
key = "pattern"
title = "Pattern"
type = "text"
variables = ["id", "name"]
max_length = 20

[[settings]]
key = "domain"
title = "Domain"
type = "url"

[[settings]]
key = "month_days"
title = "Days"
type = "days"

[[settings]]
key = "method"
title = "Method"
type = "choice"
choices = "items"

[[settings]]
key = "methods"
title = "Methods"
type = "choices"
choices = "items"

[[settings]]
key = "elsewhere"
title = "Elsewhere"
type = "choice"
choices = "nowhere"

[[mappings]]
key = "item"
title = "Items"
rows = "categories"
choices = "items"

[[jobs]]
id = "finish"
title = "Finish"

[[jobs]]
id = "import-mapping"
title = "Import mapping settings"

[[jobs]]
id = "pair"
title = "Pair from a file"
preview = true
options = [
  { key = "csv", title = "List", type = "long-text", required = true, help = "Two <b>columns</b>." },
  { key = "from", title = "From", type = "date" },
  { key = "amount", title = "Amount", type = "number" },
  { key = "dry", title = "Only look", type = "toggle" },
  { key = "note", title = "Note", type = "text" },
]

[[jobs]]
id = "nap"
title = "Nap"
options = [{ key = "csv", title = "List", type = "long-text" }, { key = "note", title = "Note", type = "text" }]

[[schedules]]
job = "finish"
every_minutes = "minutes"
time_zone = "zone"
when_any = ["automatic"]

[[settings]]
key = "minutes"
title = "Minutes"
type = "number"
default = "60"

[[settings]]
key = "automatic"
title = "Automatic"
type = "toggle"

[[pages]]
id = "records"
title = "Records"
columns = ["Name", "Amount"]
search = true
filters = [
  { key = "kind", title = "Kind", options = [{ value = "invoice", title = "Invoices" }, { value = "payment", title = "Payments" }] },
  { key = "state", title = "State", options = [{ value = "held", title = "Held" }] },
]
acts = [
  { id = "retry", title = "Retry", rows = "some" },
  { id = "no", title = "Say no", rows = "some" },
  { id = "exclude", title = "Never send", rows = "some", confirm = "Is it <really> so?" },
  { id = "link", title = "Link", rows = "one", values = [{ key = "remote-id", title = "Id there", type = "text", required = true }] },
  { id = "load", title = "Load all", rows = "none" },
  { id = "settle", title = "Settle", rows = "one", values = [
    { key = "invoices", title = "Invoices", type = "choices", choices = "own", of_row = true, required = true },
    { key = "how", title = "How", type = "choice", options = [{ value = "cash", title = "Cash" }] },
  ] },
]

[[pages]]
id = "plain"
title = "Plain"
columns = ["Name"]

[[reports]]
id = "rejected"
title = "Rejected"
columns = ["id", "name", "why"]
"#;

const PAGE: &str = "/installations/isp/pages/records";
const ACT: &str = "/installations/isp/pages/records/act";

async fn site() -> Site {
    Site::with("", MANIFEST, table_guest()).await
}

#[tokio::test]
async fn a_page_shows_its_rows_filters_search_and_acts_and_goes_out_as_csv() {
    let site = site().await;
    let mut ann = site.ann().await;
    let page = ann.get(PAGE).await;
    page.shows(&[
        r#"<option value="invoice">Invoices</option>"#,
        r#"name="filter.state""#,
        r#"type="search""#,
        r#"name="row" value="r1""#,
        "=1+1",
        "&#60;b&#62;held&#60;/b&#62;",
        "/installations/isp/activity?customer=88",
        r#"name="act" value="retry""#,
        "records?after=p2",
    ]);
    assert!(!page.has("r3"));
    let page = ann
        .get(&format!("{PAGE}?after=p2&filter.kind=payment"))
        .await;
    page.shows(&[
        r#"value="r3""#,
        r#"<option value="payment" selected>"#,
        // An act comes back to the same place.
        r#"<input type="hidden" name="after" value="p2">"#,
        r#"<input type="hidden" name="filter.kind" value="payment">"#,
        "/pages/records?filter.kind=payment\"",
    ]);
    // The guest says what it was asked for.
    let page = ann
        .get(&format!(
            "{PAGE}?search=ann&filter.kind=invoice&filter.state="
        ))
        .await;
    page.shows(&["ann kind=invoice<", "Clear"]);
    assert!(!page.has("state="));
    for (query, says) in [
        (
            "filter.kind=refund",
            "`refund` is not offered. One of invoice, payment",
        ),
        ("filter.sort=x", "The filter `sort` is none of this add-on"),
    ] {
        let page = ann.get(&format!("{PAGE}?{query}")).await;
        assert!(page.status.is_client_error(), "{query}: {}", page.status);
        page.shows(&[says]);
    }
    let plain = ann.get("/installations/isp/pages/plain").await;
    for part in [
        "type=\"checkbox\"",
        "<select",
        "type=\"search\"",
        "name=\"act\"",
    ] {
        assert!(!plain.has(part), "{part}");
    }

    // All pages of it, and nothing in it is a formula.
    let file = ann.get(&format!("{PAGE}/csv?filter.state=held")).await;
    assert_eq!(
        file.text,
        "\u{feff}Name,Amount\r\n'=1+1,<b>held</b>\r\n\"Zoë, \"\"Z\"\"\",-12.50\r\n<b>held</b>,'=1+1\r\n"
    );
    let page = ann.get(&format!("{PAGE}/csv?filter.state=lost")).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);

    // A report is a file too: exactly its columns, to be put right and imported again.
    let run = site.run("pair", false).await;
    let row = |number: usize| ReportRow {
        id: number.to_string(),
        cells: vec![number.to_string(), "=cmd()".into(), "not, paired".into()],
        more: vec![("x".into(), "y".into())],
    };
    let rows: Vec<ReportRow> = (1..=2500).map(row).collect();
    site.store
        .append_report(run, "rejected", &rows)
        .await
        .unwrap();
    ann.get(&format!("/runs/{run}"))
        .await
        .shows(&[&format!("/runs/{run}/reports/rejected/csv")]);
    let file = ann.get(&format!("/runs/{run}/reports/rejected/csv")).await;
    let lines: Vec<&str> = file.text.split("\r\n").collect();
    assert_eq!(lines.len(), 2502);
    assert_eq!(
        (lines[0], lines[2500]),
        ("\u{feff}id,name,why", "2500,'=cmd(),\"not, paired\"")
    );
    assert_eq!(
        ann.get(&format!("/runs/{run}/reports/plan/csv"))
            .await
            .status,
        StatusCode::NOT_FOUND
    );
    site.stop().await;
}

/// What is posted, the answer's status, what its page shows, and what the guest was told (empty: it was not asked).
struct Case {
    form: &'static [(&'static str, &'static str)],
    status: StatusCode,
    shows: &'static str,
    told: &'static str,
}

#[tokio::test]
async fn an_act_reaches_the_add_on_after_its_confirmation_only_and_with_what_it_declares() {
    let site = site().await;
    let mut ann = site.ann().await;
    let (asked, refused, done) = (
        StatusCode::OK,
        StatusCode::UNPROCESSABLE_ENTITY,
        StatusCode::SEE_OTHER,
    );
    let case = |form, status, shows, told| Case {
        form,
        status,
        shows,
        told,
    };
    for Case {
        form,
        status,
        shows,
        told,
    } in [
        case(
            &[("act", "retry"), ("row", "r1"), ("row", "r 2")],
            done,
            "",
            "records/retry r1 r 2",
        ),
        case(
            &[("act", "retry")],
            refused,
            "Retry: is for at least one row, and 0 were chosen",
            "",
        ),
        case(&[("act", "load")], done, "", "records/load"),
        case(
            &[("act", "load"), ("row", "r1")],
            refused,
            "Load: is for no row",
            "",
        ),
        case(&[("act", "no"), ("row", "r1")], refused, "Not today.", ""),
        // A confirmation, and nothing before it.
        case(
            &[("act", "exclude"), ("row", "r1")],
            asked,
            "Is it &#60;really&#62; so?",
            "",
        ),
        case(
            &[("act", "exclude"), ("confirmed", "1")],
            refused,
            "Exclude: is for at least one row",
            "",
        ),
        case(
            &[("act", "exclude"), ("row", "r1"), ("confirmed", "1")],
            done,
            "",
            "records/exclude r1",
        ),
        // Values.
        case(
            &[("act", "link"), ("row", "r1")],
            asked,
            r#"name="value.remote-id""#,
            "",
        ),
        case(
            &[("act", "link"), ("row", "r1"), ("row", "r2")],
            refused,
            "Link: is for exactly one row, and 2",
            "",
        ),
        case(
            &[
                ("act", "link"),
                ("row", "r1"),
                ("confirmed", "1"),
                ("value.remote-id", " "),
            ],
            refused,
            "Id there is missing",
            "",
        ),
        case(
            &[
                ("act", "link"),
                ("row", "r1"),
                ("confirmed", "1"),
                ("value.remote-id", "7"),
                ("value.x", "1"),
            ],
            refused,
            "x: is not known here. Known: remote-id",
            "",
        ),
        case(
            &[
                ("act", "link"),
                ("row", "r1"),
                ("confirmed", "1"),
                ("value.remote-id", " 41 "),
            ],
            done,
            "",
            "records/link r1 remote-id=41",
        ),
        // Choices of the row's own.
        case(
            &[("act", "settle"), ("row", "r1")],
            asked,
            r#"<input type="checkbox" name="value.invoices" value="1002"> Voice"#,
            "",
        ),
        case(
            &[("act", "settle"), ("row", "r10")],
            asked,
            "Not today. Until then ids can be typed, with commas between.",
            "",
        ),
        case(
            &[
                ("act", "settle"),
                ("row", "r1"),
                ("confirmed", "1"),
                ("value.invoices", ""),
            ],
            refused,
            "Invoices is missing",
            "",
        ),
        case(
            &[
                ("act", "settle"),
                ("row", "r1"),
                ("confirmed", "1"),
                ("value.invoices", "1001"),
                ("value.how", "card"),
            ],
            refused,
            "`card` is not offered. One of cash",
            "",
        ),
        case(
            &[
                ("act", "settle"),
                ("row", "r1"),
                ("confirmed", "1"),
                ("value.invoices", ""),
                ("value.invoices", "1001"),
                ("value.invoices", "1002"),
                ("value.how", "cash"),
            ],
            done,
            "",
            "records/settle r1 invoices=1001,1002 how=cash",
        ),
        case(
            &[("act", "drop"), ("row", "r1")],
            StatusCode::NOT_FOUND,
            "There is no such act",
            "",
        ),
    ] {
        let runs = site.store.runs("isp", None, 100).await.unwrap().len();
        let page = ann.post(ACT, form).await;
        assert_eq!(page.status, status, "{form:?}: {}", page.text);
        page.shows(&[shows]);
        let runs = site.store.runs("isp", None, 100).await.unwrap().len() - runs;
        let reached = status == done || shows == "Not today.";
        assert_eq!(runs, usize::from(reached), "{form:?}");
        if status == done {
            ann.get(&page.location)
                .await
                .shows(&[&format!(r#"<p class="notice ok" role="status">{told}</p>"#)]);
        }
    }

    // The person comes back to where they were, and the run tells what was chosen.
    let form = [
        ("act", "link"),
        ("row", "r1"),
        ("confirmed", "1"),
        ("value.remote-id", "41"),
        ("search", "a b"),
        ("filter.kind", "payment"),
    ];
    let page = ann.post(ACT, &form).await;
    let last = site.store.runs("isp", None, 1).await.unwrap().remove(0);
    assert_eq!(
        page.location,
        format!("{PAGE}?search=a+b&filter.kind=payment&done={}", last.id)
    );
    let told =
        [("rows", "r1"), ("remote-id", "41")].map(|(name, value)| (name.into(), value.into()));
    assert_eq!(
        (last.actor.as_str(), last.options.as_slice()),
        ("ann", told.as_slice())
    );

    // An address cannot put words into the add-on's mouth.
    let other = site.run("elsewhere/retry", false).await;
    let outcome = Outcome {
        state: RunState::Finished,
        resume_at: None,
        why: None,
        counts: Vec::new(),
        more: vec![("answer".into(), "Words of another page".into())],
    };
    site.store.finish_run(other, &outcome, at(1)).await.unwrap();
    for done in [format!("{other}"), "99".into(), "words".into()] {
        let page = ann.get(&format!("{PAGE}?done={done}")).await;
        assert!(
            page.status == StatusCode::OK && !page.has("role=\"status\""),
            "{done}"
        );
    }

    // Other sites and strangers change nothing.
    let runs = site.store.runs("isp", None, 100).await.unwrap().len();
    let form = [("act", "retry"), ("row", "r1")];
    for headers in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
    ] {
        for path in [ACT, "/installations/isp/jobs/pair"] {
            let answer = ann.send(Method::POST, path, &[headers], &form).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
        }
    }
    assert_eq!(ann.get(ACT).await.status, StatusCode::METHOD_NOT_ALLOWED);
    let mut stranger = site.visitor();
    assert_eq!(stranger.post(ACT, &form).await.location, "/login");
    for path in [
        &format!("{PAGE}/csv"),
        "/installations/isp/activity/csv",
        "/installations/isp/jobs/pair/form",
        "/runs/1/reports/rejected/csv",
    ] {
        assert!(
            stranger
                .get(path)
                .await
                .location
                .starts_with("/login?next="),
            "{path}"
        );
    }
    assert_eq!(site.store.runs("isp", None, 100).await.unwrap().len(), runs);
    site.stop().await;
}

#[tokio::test]
async fn a_job_asks_for_its_options_and_the_add_on_gets_them_in_their_normal_form() {
    let site = site().await;
    let mut ann = site.ann().await;
    let (form, start) = (
        "/installations/isp/jobs/pair/form",
        "/installations/isp/jobs/pair",
    );
    ann.get("/installations/isp/jobs")
        .await
        .shows(&[&format!(r#"href="{form}""#)]);
    ann.get(form).await.shows(&[
        r#"<textarea id="f-value.csv" name="value.csv""#,
        r#"type="file" data-into="f-value.csv""#,
        r#"name="value.from" type="date" value="""#,
        r#"type="checkbox" name="value.dry""#,
        "Two &#60;b&#62;columns&#60;/b&#62;.",
        r#"name="preview" value="1""#,
    ]);
    for (form, says) in [
        (vec![], "List is missing. List is needed."),
        (
            vec![("value.csv", "\n"), ("value.note", "kept")],
            r#"value="kept""#,
        ),
        (
            vec![("value.csv", "a"), ("value.from", "31.01.2026")],
            "`31.01.2026` is not a date",
        ),
        (
            vec![("value.csv", "<a>"), ("value.amount", "1,5")],
            "`1,5` is not a number",
        ),
        (
            vec![("value.csv", "<a>"), ("value.amount", "1,5")],
            "&#60;a&#62;</textarea>",
        ),
        (
            vec![("value.csv", "a"), ("value.cvs", "b")],
            "cvs: is not known here. Known: csv, from",
        ),
    ] {
        let page = ann.post(start, &form).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{form:?}");
        page.shows(&[says]);
    }
    assert!(site.store.runs("isp", None, 1).await.unwrap().is_empty());

    let log = async |run: i64| {
        // A run writes what it logged before it is over.
        while site.store.run(run).await.unwrap().outcome.is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        site.store
            .log_lines(run, 0, 10)
            .await
            .unwrap()
            .remove(0)
            .line
            .message
    };
    let typed = [
        ("value.csv", "\u{feff}id;name\r\n1;=1+1\r\n"),
        ("value.from", "2026-1-5"),
        ("value.amount", "+1250.50"),
        ("value.dry", "off"),
        ("value.dry", "on"),
        ("value.note", ""),
    ];
    let page = ann.post(start, &typed).await;
    assert_eq!(page.location, "/runs/1");
    assert_eq!(
        log(1).await,
        " csv=id;name\n1;=1+1\n from=2026-01-05 amount=1250.50 dry=on"
    );
    ann.get("/runs/1")
        .await
        .shows(&["<dt>amount</dt><dd>1250.50</dd>"]);

    // Megabytes pass, and are not kept with the run; more is refused before it is read.
    let long = "&,=é\n".repeat(400_000);
    let page = ann.post(start, &[("value.csv", &long)]).await;
    assert_eq!(page.location, "/runs/2");
    assert!(log(2).await.starts_with(" csv=&,=é\n&,=é\n"));
    let counts = site.store.run(2).await.unwrap().outcome.unwrap().counts;
    assert_eq!(counts, [("bytes".to_owned(), 5 + long.len() as u64)]);
    let kept = &site.store.run(2).await.unwrap().options[0].1;
    assert_eq!(
        *kept,
        format!("{}… ({} bytes in all)", "&,=é\n".repeat(40), long.len())
    );
    let page = ann
        .post(start, &[("value.csv", &"x".repeat((4 << 20) + 1))])
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    page.shows(&["is too long. At most 4 MB"]);
    let page = ann
        .post(start, &[("value.csv", &"=".repeat(5 << 20))])
        .await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    site.stop().await;
}
