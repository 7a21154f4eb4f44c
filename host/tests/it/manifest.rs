use addon_host::manifest::{ActRows, AuthSpec, ChoiceSource, InputKind, Manifest, SettingKind};

use crate::fixtures::{MANIFEST, manifest};
use crate::web::tables;

/// One edit of the good manifest, and the complaint that must follow: line, key, and parts of message and cure.
struct Case {
    edit: (&'static str, &'static str),
    line: usize,
    key: &'static str,
    says: &'static str,
    cure: &'static str,
}

#[test]
fn every_mistake_is_told_with_its_line_its_key_and_a_cure() {
    let case = |edit, line, key, says, cure| Case {
        edit,
        line,
        key,
        says,
        cure,
    };
    let cases = [
        case(("id = \"example\"", "id = "), 2, "", "", "TOML"),
        case(
            ("title = \"Example\"", "titel = \"Example\""),
            4,
            "addon.titel",
            "unknown key `titel`",
            "`title`",
        ),
        case(
            ("title = \"Example\"\n", ""),
            1,
            "addon.title",
            "`title` is missing",
            "Add title",
        ),
        case(
            ("title = \"Example\"", "title = 5"),
            4,
            "addon.title",
            "is an integer, not a text",
            "title = \"…\"",
        ),
        case(
            ("title = \"Example\"", "title = \"\""),
            4,
            "addon.title",
            "is empty",
            "leave the line out",
        ),
        case(
            ("id = \"example\"", "id = \"Ex ample\""),
            2,
            "addon.id",
            "is no name",
            "Lower-case",
        ),
        case(
            ("value = \"{{{api_key}}}\"", "value = \"api_key\""),
            14,
            "connections.books.auth[2].value",
            "names no setting",
            "\"{api_key}\"",
        ),
        case(
            (
                "type = \"query-key\", name = \"apikey\"",
                "type = \"header\", name = \"Host\"",
            ),
            14,
            "connections.books.auth[2].name",
            "`host` is no header for a credential",
            "X-Api-Key",
        ),
        case(
            ("\"1.2.3\"", "\"1.2\""),
            3,
            "addon.version",
            "`1.2` is no version",
            "three numbers",
        ),
        case(
            ("addon@1.0.0", "addon@2.0.0"),
            5,
            "addon.interface",
            "not an interface of this host",
            "addon@1.0.0",
        ),
        case(
            ("addon@1.0.0", "addon@1.1.0"),
            5,
            "addon.interface",
            "not an interface of this host",
            "addon@1.0.0",
        ),
        case(
            ("splynx:addon@", "other:addon@"),
            5,
            "addon.interface",
            "no interface that is known",
            "addon@1.0.0",
        ),
        case(
            ("\"example.wasm\"", "\"../example.wasm\""),
            6,
            "addon.component",
            "file name",
            "beside addon.toml",
        ),
        case(
            ("state = 3", "state = 0"),
            7,
            "addon.state",
            "0 is out of range",
            "Between 1",
        ),
        case(
            ("{books_url}api/", "{book_url}api/"),
            10,
            "connections.books.base_url",
            "no setting `book_url`",
            "`books_url`",
        ),
        case(
            ("{books_url}api/", "{password}api/"),
            10,
            "connections.books.base_url",
            "of type secret",
            "no secret",
        ),
        case(
            ("{books_url}api/", "{company}api/"),
            10,
            "connections.books.base_url",
            "of type fetched",
            "people alone decide",
        ),
        case(
            ("\"books.example\", \"{books_url}\"", "\"{partners}\""),
            11,
            "connections.books.hosts",
            "of type choices",
            "people alone decide",
        ),
        case(
            ("{{{api_key}}}", "{company}"),
            14,
            "connections.books.auth[2].value",
            "of type fetched",
            "people alone decide",
        ),
        case(
            ("counted_by", "reads = [\"/items\"]\ncounted_by"),
            16,
            "connections.books.reads",
            "`/items` is no path",
            "as it is sent",
        ),
        case(
            ("title = \"Example\"", "title = \"Exa\\u001Bmple\""),
            4,
            "addon.title",
            "U+001B",
            "plain text",
        ),
        case(
            ("title = \"Address\"", "title = \"\\u202Esserdda\""),
            22,
            "settings[1].title",
            "U+202E",
            "plain text",
        ),
        case(
            ("component = ", "description = \"a\\rb\"\ncomponent = "),
            6,
            "addon.description",
            "U+000D",
            "plain text",
        ),
        case(
            ("{books_url}api/", "{books_url"),
            10,
            "connections.books.base_url",
            "without a closing",
            "{{ and }}",
        ),
        case(
            ("\"basic\"", "\"basics\""),
            13,
            "connections.books.auth[1].type",
            "no authentication `basics`",
            "splynx-signature",
        ),
        case(
            ("user = \"login\", ", ""),
            13,
            "connections.books.auth[1].user",
            "is missing",
            "Add user",
        ),
        case(
            ("user = \"login\"", "user = \"every\""),
            13,
            "connections.books.auth[1].user",
            "of type number",
            "a secret or a text",
        ),
        case(
            ("name = \"apikey\"", "nam = \"apikey\""),
            14,
            "connections.books.auth[2].nam",
            "unknown key",
            "`name`",
        ),
        case(
            ("per_minute = 90", "per_minute = 0"),
            17,
            "connections.books.per_minute",
            "out of range",
            "Between 1",
        ),
        case(
            ("per_minute = 90\n", ""),
            9,
            "connections.books.per_minute",
            "is missing",
            "Add per_minute",
        ),
        case(
            ("per_day = 4500", "per_day = 4500\nparallel = 2.5"),
            19,
            "connections.books.parallel",
            "a float, not a whole number",
            "parallel = ",
        ),
        case(
            ("per_day = 4500", "settle_seconds = 60"),
            18,
            "connections.books.settle_seconds",
            "in flight",
            "More than",
        ),
        case(
            (
                "type = \"basic\", user = \"login\", password = \"password\"",
                "type = \"splynx-signature\", key = \"login\", secret = \"password\" }]\nparallel = 3\nunused = [{ a = 1",
            ),
            14,
            "connections.books.parallel",
            "order of their nonces",
            "parallel = 1",
        ),
        case(
            ("type = \"url\"", "type = \"uri\""),
            23,
            "settings[1].type",
            "no type `uri`",
            "fetched",
        ),
        case(
            ("key = \"login\"", "key = \"books_url\""),
            27,
            "settings[2].key",
            "a second time",
            "its own",
        ),
        case(
            ("key = \"company\"", "key = \"a.b\""),
            44,
            "settings[5].key",
            "is no key",
            "underscores",
        ),
        case(
            ("max = 1440", "max = 4"),
            53,
            "settings[6].min",
            "above max",
            "Exchange",
        ),
        case(
            ("default = \"15\"", "default = \"3\""),
            55,
            "settings[6].default",
            "3 is out of range",
            "Between 5 and 1440",
        ),
        case(
            ("default = \"off\"", "default = \"of\""),
            67,
            "settings[8].default",
            "neither on nor off",
            "on or off",
        ),
        case(
            (
                "type = \"secret\"\nrequired",
                "type = \"secret\"\ndefault = \"x\"\nrequired",
            ),
            36,
            "settings[3].default",
            "has no default",
            "Leave the line out",
        ),
        case(
            ("default = \"month\"", "default = \"year\""),
            79,
            "settings[10].default",
            "`year` is not offered",
            "month, day",
        ),
        case(
            ("choices = \"partners\"\n", ""),
            84,
            "settings[11].type",
            "something to choose from",
            "options",
        ),
        case(
            ("key = \"item\"", "key = \"login\""),
            88,
            "mappings[1].key",
            "a second time",
            "its own",
        ),
        case(
            ("job = \"sync\"", "job = \"synch\""),
            99,
            "schedules[1].job",
            "no job `synch`",
            "`sync`",
        ),
        case(
            ("every_minutes = \"every\"", "every_minutes = \"zone\""),
            100,
            "schedules[1].every_minutes",
            "of type text",
            "a number",
        ),
        case(
            ("[\"automatic\"]", "[\"automatik\"]"),
            102,
            "schedules[1].when_any",
            "no setting `automatik`",
            "`automatic`",
        ),
        case(
            ("[\"automatic\"]", "\"automatic\""),
            102,
            "schedules[1].when_any",
            "is a string, not a list",
            "[ … ]",
        ),
        case(
            ("[\"Kind\", \"Reason\"]", "[]"),
            107,
            "pages[1].columns",
            "names nothing",
            "columns =",
        ),
        case(
            ("[[reports]]", "[[report]]"),
            109,
            "report",
            "unknown key `report`",
            "`reports`",
        ),
    ];
    for Case {
        edit: (from, to),
        line,
        key,
        says,
        cure,
    } in cases
    {
        assert!(MANIFEST.contains(from), "the case edits nothing: {from}");
        let error = Manifest::parse(&MANIFEST.replacen(from, to, 1)).expect_err(to);
        let found = error.problems.iter().any(|problem| {
            problem.line == line
                && problem.key == key
                && problem.message.contains(says)
                && problem.cure.contains(cure)
        });
        assert!(
            found,
            "{to:?} should complain in line {line} of {key} that {says:?}, with the cure {cure:?}\n{error}"
        );
    }
}

#[test]
fn several_mistakes_are_told_at_once_in_the_order_of_lines() {
    let text = MANIFEST
        .replace("per_minute = 90", "per_minut = 90")
        .replace("job = \"sync\"", "jobb = \"sync\"");
    let error = Manifest::parse(&text).unwrap_err();
    let lines: Vec<usize> = error.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [9, 17, 98, 99], "{error}");
    assert!(error.to_string().contains(
        "line 17, connections.books.per_minut: unknown key `per_minut`. Did you mean `per_minute`?"
    ));
}

#[test]
fn a_good_manifest_is_read_whole_with_its_usual_values() {
    let manifest = manifest();
    let books = &manifest.connections["books"];
    assert_eq!(manifest.addon.state, 3);
    assert_eq!(
        (
            books.burst,
            books.parallel,
            books.timeout_seconds,
            books.settle_seconds
        ),
        (10, 1, 60, 300)
    );
    assert_eq!(
        (books.per_minute, books.per_day, books.private_addresses),
        (90, Some(4500), false)
    );
    assert_eq!(
        books.auth[0],
        AuthSpec::Basic {
            user: "login".into(),
            password: "password".into()
        }
    );
    assert!(
        matches!(&books.auth[1], AuthSpec::QueryKey { value, .. } if value.render(|_| Some("k")) == Ok("{k}".into()))
    );
    assert_eq!(
        manifest.setting("every").unwrap().kind,
        SettingKind::Number {
            min: Some(5),
            max: Some(1440)
        }
    );
    assert_eq!(
        manifest.setting("partners").unwrap().kind,
        SettingKind::Choices(ChoiceSource::Guest("partners".into()))
    );
    assert!(manifest.job("sync").unwrap().preview && manifest.job("other").is_none());
}

#[test]
fn the_plugin_of_this_repository_has_a_good_manifest() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugin/addon.toml"))
            .unwrap();
    let manifest = Manifest::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(manifest.addon.id, "splynx-sageone");
}

#[test]
fn options_filters_acts_and_rules_of_texts_are_checked_like_everything_else() {
    let manifest = Manifest::parse(tables::MANIFEST).unwrap_or_else(|error| panic!("{error}"));
    let pair = manifest.job("pair").unwrap();
    let kinds = pair.options.iter().map(|option| option.kind.clone());
    assert_eq!(
        kinds.collect::<Vec<_>>(),
        [
            InputKind::LongText,
            InputKind::Date,
            InputKind::Number,
            InputKind::Toggle,
            InputKind::Text
        ]
    );
    assert!(pair.options[0].required && manifest.job("finish").unwrap().options.is_empty());
    let page = manifest.page("records").unwrap();
    assert!(page.search && !manifest.page("plain").unwrap().search);
    assert_eq!(page.filters[0].options[1].value, "payment");
    assert_eq!(page.act("link").unwrap().rows, ActRows::One);
    assert_eq!(page.act("load").unwrap().rows, ActRows::None);
    assert!(page.act("exclude").unwrap().confirm.is_some());
    let invoices = &page.act("settle").unwrap().values[0];
    assert_eq!(invoices.source(Some("r1")).as_deref(), Some("own/r1"));
    for (from, to, key, says) in [
        (
            r#"key = "csv", title = "List", type = "long-text", required"#,
            r#"key = "csv", title = "List", type = "csv", required"#,
            "jobs[3].options[1].type",
            "there is no type `csv`",
        ),
        (
            r#"type = "choices", choices = "own""#,
            r#"type = "choices""#,
            "pages[1].acts[6].values[1].type",
            "a choice needs something to choose from",
        ),
        (
            r#"options = [{ value = "cash""#,
            r#"of_row = true, options = [{ value = "cash""#,
            "pages[1].acts[6].values[2].of_row",
            "only a list of the add-on's",
        ),
        (
            r#"key = "from", title"#,
            r#"key = "csv", title"#,
            "jobs[3].options[2].key",
            "a second time",
        ),
        (
            r#"key = "from", title"#,
            r#"key = "From", title"#,
            "jobs[3].options[2].key",
            "is no name",
        ),
        (
            r#"type = "date" }"#,
            r#"type = "date", min = 1 }"#,
            "jobs[3].options[2].min",
            "unknown key",
        ),
        (
            "job = \"finish\"",
            "job = \"pair\"",
            "schedules[1].job",
            "needs its option `csv`",
        ),
        (
            r#"rows = "none""#,
            r#"rows = "all""#,
            "pages[1].acts[5].rows",
            "is no number of rows",
        ),
        (
            r#", rows = "none""#,
            "",
            "pages[1].acts[5].rows",
            "is missing",
        ),
        (
            r#"id = "load""#,
            r#"id = "retry""#,
            "pages[1].acts[5].id",
            "a second time",
        ),
        (
            r#", options = [{ value = "held", title = "Held" }]"#,
            "",
            "pages[1].filters[2].options",
            "something to choose from",
        ),
        (
            "search = true",
            "search = 1",
            "pages[1].search",
            "not true or false",
        ),
        (
            r#"variables = ["id", "name"]"#,
            r#"variables = ["{id}"]"#,
            "settings[2].variables",
            "is no name",
        ),
        (
            "max_length = 20",
            "max_length = 0",
            "settings[2].max_length",
            "out of range",
        ),
        (
            "type = \"days\"",
            "type = \"days\"\ndefault = \"0\"",
            "settings[4].default",
            "no day of the month",
        ),
        (
            "type = \"days\"",
            "type = \"days\"\nmax_length = 3",
            "settings[4].max_length",
            "unknown key",
        ),
    ] {
        assert!(
            tables::MANIFEST.contains(from),
            "the case edits nothing: {from}"
        );
        let error = Manifest::parse(&tables::MANIFEST.replacen(from, to, 1)).expect_err(to);
        let found = error
            .problems
            .iter()
            .any(|problem| problem.key == key && problem.message.contains(says));
        assert!(
            found,
            "{to:?} should complain about {key} that {says:?}\n{error}"
        );
    }
}

/// Titles end in lists and on terminals; what has several sentences may have several lines.
#[test]
fn texts_of_a_manifest_are_bounded_and_nothing_of_them_reaches_a_terminal_raw() {
    let with = |from: &str, to: String| Manifest::parse(&MANIFEST.replacen(from, &to, 1));
    let titled = |title: String| with("title = \"Example\"", format!("title = \"{title}\""));
    titled("x".repeat(500)).unwrap();
    let long = titled("x".repeat(501)).unwrap_err();
    assert!(long.to_string().contains("has 501 characters"), "{long}");
    let described = |text: String| {
        with(
            "component = ",
            format!("description = \"{text}\"\ncomponent = "),
        )
    };
    described("x".repeat(4000)).unwrap();
    described("one\\ntwo".to_owned()).unwrap();
    described("x".repeat(4001)).unwrap_err();
    // What is wrong is quoted, and the quotation is plain.
    for manifest in [
        titled("\\u001B[2J".to_owned()),
        with("title = ", "\"ti\\u0007\\ntle\" = ".to_owned()),
        with("id = \"example\"", "id = \"\\u001B]0;x\"".to_owned()),
        with(
            "[connections.books]",
            "[connections.\"b\\u001Bc\"]".to_owned(),
        ),
    ] {
        let told = manifest.unwrap_err();
        for problem in &told.problems {
            let line = problem.to_string();
            assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
        }
    }
}
