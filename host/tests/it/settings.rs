use addon_host::manifest::{SettingKind, TextRules};
use addon_host::settings::{NewValue, Settings, ValidChange, validate, validate_fetched};
use addon_host::store::StoredValue;
use addon_host::vault::Vault;

use crate::fixtures::{at, install, manifest, store};

fn one(key: &str, value: &str) -> Result<Option<String>, String> {
    let requested = [(key.to_owned(), value.to_owned())];
    match validate(&manifest(), &requested) {
        Ok(changes) => Ok(match changes.into_iter().next().unwrap().value {
            Some(NewValue::Plain(text)) => Some(text),
            Some(NewValue::Secret(secret)) => Some(format!("secret {}", secret.expose())),
            None => None,
        }),
        Err(problems) => Err(problems[0].to_string()),
    }
}

#[test]
fn values_are_brought_to_their_normal_form() {
    for (key, typed, stored) in [
        ("books_url", "https://isp.example", "https://isp.example/"),
        (
            "books_url",
            " https://ISP.example/a/b ",
            "https://isp.example/a/b/",
        ),
        (
            "books_url",
            "http://127.0.0.1:8080",
            "http://127.0.0.1:8080/",
        ),
        ("books_url", "http://[::1]/", "http://[::1]/"),
        ("books_url", "http://localhost:1/", "http://localhost:1/"),
        ("login", " ann@isp.example ", "ann@isp.example"),
        ("password", " blank ", "secret  blank "),
        ("every", "0030", "30"),
        ("automatic", "Yes", "on"),
        ("automatic", "0", "off"),
        ("from", "2026-1-5", "2026-01-05"),
        ("grouping", "day", "day"),
        ("partners", " 3, 1,,3 ", "3,1"),
        ("company", "17", "17"),
        ("zone", "Europe/Prague", "Europe/Prague"),
        ("item.5", "1001", "1001"),
        ("item.4-a_b", "x", "x"),
    ] {
        assert_eq!(
            one(key, typed),
            Ok(Some(stored.to_owned())),
            "{key} = {typed}"
        );
    }
    for key in [
        "books_url",
        "password",
        "every",
        "automatic",
        "partners",
        "item.5",
    ] {
        assert_eq!(
            one(key, " "),
            Ok(None),
            "{key}: empty goes back to the default"
        );
    }
}

#[test]
fn a_value_that_cannot_be_is_refused_with_field_and_cure() {
    let long = "x".repeat(4001);
    for (key, typed, message) in [
        (
            "books_url",
            "isp.example",
            "books_url: `isp.example` is not an address. Write it as https://isp.example/",
        ),
        (
            "books_url",
            "http://isp.example/",
            "books_url: is not encrypted, and carries credentials. Write it as https",
        ),
        (
            "books_url",
            "http://localhost.evil.example/",
            "books_url: is not encrypted",
        ),
        (
            "books_url",
            "ftp://isp.example/",
            "books_url: `ftp` is not a scheme",
        ),
        (
            "books_url",
            "https://ann:pw@isp.example/",
            "books_url: holds more than host and path",
        ),
        (
            "books_url",
            "https://isp.example/?a=1",
            "books_url: holds more than host and path",
        ),
        ("login", "a\nb", "login: holds a control character"),
        (
            "login",
            &long,
            "login: is too long. At most 4000 characters",
        ),
        (
            "every",
            "ten",
            "every: `ten` is not a whole number. Write digits only",
        ),
        ("every", "4", "every: 4 is out of range. Between 5 and 1440"),
        ("every", "1.5", "every: `1.5` is not a whole number"),
        (
            "automatic",
            "maybe",
            "automatic: `maybe` is neither on nor off. Write on or off",
        ),
        (
            "from",
            "31.01.2026",
            "from: `31.01.2026` is not a date. Write it as 2026-01-31",
        ),
        ("from", "2026-02-30", "from: `2026-02-30` is not a date"),
        (
            "grouping",
            "year",
            "grouping: `year` is not offered. One of month, day",
        ),
        (
            "zone",
            "Johannesburg",
            "zone: `Johannesburg` is not a time zone. Write a name of the IANA database",
        ),
        (
            "logn",
            "x",
            "logn: is not a setting of this add-on. Did you mean `login`?",
        ),
        (
            "whatever",
            "x",
            "whatever: is not a setting of this add-on. The list of settings",
        ),
        (
            "items.5",
            "x",
            "items.5: is not a setting of this add-on. Did you mean `item`?",
        ),
        (
            "item",
            "x",
            "item: is a mapping, not a setting. Write item.ID",
        ),
        ("item.", "x", "item.: is not a setting"),
        ("item.a b", "x", "item.a b: is no row of a mapping"),
        (
            "password",
            "sec\tret",
            "password: holds a control character",
        ),
    ] {
        let problem = one(key, typed).expect_err(key);
        assert!(problem.starts_with(message), "{key} = {typed}: {problem}");
        assert!(!problem.contains("sec\tret"));
    }
    let twice = [
        ("login".to_owned(), "a".to_owned()),
        ("login".to_owned(), "b".to_owned()),
        ("x".to_owned(), String::new()),
    ];
    let problems = validate(&manifest(), &twice).unwrap_err();
    assert_eq!(
        problems
            .iter()
            .map(|p| p.field.as_str())
            .collect::<Vec<_>>(),
        ["login", "x"],
        "all are told"
    );
    assert!(validate_fetched(&manifest(), "company", "5").is_ok());
    assert!(validate_fetched(&manifest(), "login", "5").is_err());
}

#[tokio::test]
async fn stored_settings_come_back_resolved_and_secrets_stay_out_of_sight() {
    let (store, folder) = store().await;
    install(&store, "isp").await;
    let manifest = manifest();
    let vault = Vault::open(&folder.path().join("master.key")).unwrap();
    let save = async |changes: &[(&str, &str)]| {
        let requested: Vec<_> = changes
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        let valid = validate(&manifest, &requested).unwrap();
        let sealed: Vec<_> = valid
            .iter()
            .map(|change: &ValidChange| change.seal(&vault, "isp").unwrap())
            .collect();
        let before = Settings::load(&store, &vault, &manifest, "isp")
            .await
            .unwrap();
        store
            .save_settings("isp", &sealed, "ann", at(1))
            .await
            .unwrap();
        let after = Settings::load(&store, &vault, &manifest, "isp")
            .await
            .unwrap();
        let candidate = before.with_changes(&manifest, &valid);
        assert_eq!(
            candidate.for_guest(&manifest),
            after.for_guest(&manifest),
            "a candidate is what saving makes"
        );
        after
    };

    let empty = Settings::load(&store, &vault, &manifest, "isp")
        .await
        .unwrap();
    assert_eq!(
        (
            empty.get("every"),
            empty.get("login"),
            empty.is_on("automatic")
        ),
        ("15", "", false)
    );
    let missing: Vec<_> = empty
        .missing(&manifest)
        .iter()
        .map(|spec| spec.key.as_str())
        .collect();
    assert_eq!(missing, ["books_url", "login", "password"]);
    let base = &manifest.connections["books"].base_url;
    assert_eq!(empty.render(base).unwrap_err(), "books_url");

    let full = save(&[
        ("books_url", "https://isp.example"),
        ("login", "ann"),
        ("password", "hunter2"),
        ("api_key", "k-1"),
        ("every", "30"),
        ("automatic", "on"),
        ("item.5", "1001"),
    ])
    .await;
    assert_eq!(
        full.render(base).unwrap().expose(),
        "https://isp.example/api/"
    );
    assert_eq!(
        (
            full.get("every"),
            full.get("item.5"),
            full.is_on("automatic")
        ),
        ("30", "1001", true)
    );
    assert_eq!(
        (
            full.get("password"),
            full.secret("password").unwrap().expose()
        ),
        ("", "hunter2")
    );
    assert!(full.missing(&manifest).is_empty());
    assert!(!format!("{full:?}").contains("hunter2"));
    let guest = full.for_guest(&manifest);
    assert!(
        guest.contains(&("password".into(), "set".into()))
            && guest.contains(&("item.5".into(), "1001".into()))
    );
    assert!(!format!("{guest:?}").contains("hunter2"));
    let stored = store.settings("isp").await.unwrap();
    let password = stored
        .iter()
        .find(|setting| setting.key == "password")
        .unwrap();
    assert!(matches!(&password.value, StoredValue::Sealed(_)) && password.changed_by == "ann");

    // Whoever agrees in login and key shares a budget; a new password is new credentials and the same budget.
    let books = &manifest.connections["books"];
    let service = "books.example";
    let (budget, credentials) = (
        full.budget_key(&vault, service, "books", books),
        full.credentials_fingerprint(&vault, books),
    );
    let changed = save(&[("password", "hunter3"), ("every", ""), ("item.5", "")]).await;
    assert_eq!(
        (changed.get("every"), changed.get("item.5")),
        ("15", ""),
        "empty goes back to the default"
    );
    assert_eq!(changed.budget_key(&vault, service, "books", books), budget);
    // Another service counts by itself, whatever its connection is called and whatever is entered.
    for other in ["books.example:8443", "ledgers.example"] {
        assert_ne!(changed.budget_key(&vault, other, "books", books), budget);
    }
    assert_ne!(changed.credentials_fingerprint(&vault, books), credentials);
    let moved = save(&[("api_key", "k-2")]).await;
    assert_ne!(moved.budget_key(&vault, service, "books", books), budget);
}

/// F14, F24, F38, D4, D13: patterns, their length, days of the month, dates.
#[test]
fn patterns_days_and_dates_are_checked_as_texts() {
    let rules = |max_length| TextRules {
        variables: ["id", "login", "name", "email"].map(str::to_owned).to_vec(),
        max_length,
    };
    let pattern = SettingKind::Text(rules(Some(100)));
    let free = SettingKind::Text(TextRules::default());
    let known = "Known: {id}, {login}, {name}, {email}";
    let long = format!("{{name}}{}", "é".repeat(94));
    let longer = format!("{long}é");
    for (kind, typed, expected) in [
        (&pattern, "{name}", Ok("{name}")),
        (
            &pattern,
            " {name} ({id}) {login}{email} ",
            Ok("{name} ({id}) {login}{email}"),
        ),
        (&pattern, "no variable", Ok("no variable")),
        (&pattern, &long, Ok(&long)),
        (
            &pattern,
            &longer,
            Err("has 101 characters. At most 100 characters"),
        ),
        (
            &pattern,
            "{Name}",
            Err(&format!(
                "has `{{Name}}`, which stands for nothing. {known}"
            )),
        ),
        (
            &pattern,
            "{}",
            Err(&format!("has `{{}}`, which stands for nothing. {known}")),
        ),
        (
            &pattern,
            "{ name }",
            Err(&format!(
                "has `{{ name }}`, which stands for nothing. {known}"
            )),
        ),
        (
            &pattern,
            "{name",
            Err(&format!("has a `{{` without its `}}`. {known}")),
        ),
        (
            &pattern,
            "{name {id}",
            Err(&format!("has a `{{` without its `}}`. {known}")),
        ),
        (
            &pattern,
            "{{name}}",
            Err(&format!("has a `{{` without its `}}`. {known}")),
        ),
        (
            &pattern,
            "{name}}",
            Err(&format!("has a `}}` without its `{{`. {known}")),
        ),
        (&free, "{anything", Ok("{anything")),
        (&SettingKind::Days, "31, 1 15,,1", Ok("1,15,31")),
        (&SettingKind::Days, "05", Ok("5")),
        (
            &SettingKind::Days,
            "1,0",
            Err(
                "`0` is no day of the month. Write days from 1 to 31 with commas between, such as 1,15,31",
            ),
        ),
        (
            &SettingKind::Days,
            "1-5",
            Err(
                "`1-5` is no day of the month. Write days from 1 to 31 with commas between, such as 1,15,31",
            ),
        ),
        (&SettingKind::Date, "2021-3-31", Ok("2021-03-31")),
        (
            &SettingKind::Date,
            "21-03-31",
            Err("`21-03-31` is not a date. Write it as 2026-01-31"),
        ),
        (
            &SettingKind::Date,
            "20210-03-31",
            Err("`20210-03-31` is not a date. Write it as 2026-01-31"),
        ),
        (
            &SettingKind::Date,
            "2021-02-29",
            Err("`2021-02-29` is not a date. Write it as 2026-01-31"),
        ),
    ] {
        let found = kind.normalise(typed).map_err(|error| error.to_string());
        assert_eq!(
            found.as_ref().map(String::as_str).map_err(String::as_str),
            expected,
            "{typed}"
        );
    }
}
