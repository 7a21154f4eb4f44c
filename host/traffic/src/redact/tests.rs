use proptest::prelude::*;
use proptest::sample::select;

use super::*;

#[test]
fn secrets_are_replaced_in_every_encoding_and_ordinary_words_are_not() {
    let secrets = [
        Secret::new("pa\"ss wörd&1"),
        Secret::new("{ABCDEF01-2345}"),
        Secret::new("1234"),
        Secret::new("ABCDEF01-2345"),
        Secret::new("s/ec+ret="),
        Secret::new(" pasted-key\n"),
    ];
    let redactor = Redactor::new(&secrets);
    for (text, expected) in [
        ("key: pasted-key.", "key: [redacted]."),
        ("nothing here", "nothing here"),
        (
            "50 % of &amp; and \\ is \\u0041",
            "50 % of &amp; and \\ is \\u0041",
        ),
        ("is pa\"ss wörd&1!", "is [redacted]!"),
        (r#"{"echo":"pa\"ss wörd&1"}"#, r#"{"echo":"[redacted]"}"#),
        (
            r#"{"echo":"pa\u0022ss w\u00f6rd\u00261"}"#,
            r#"{"echo":"[redacted]"}"#,
        ),
        ("?p=pa%22ss%20w%C3%B6rd%261&x", "?p=[redacted]&x"),
        // A form's encoding, and one that leaves some characters as they are.
        ("p=pa%22ss+w%c3%b6rd%261&x", "p=[redacted]&x"),
        ("p=pa\"ss%20wörd&1&x", "p=[redacted]&x"),
        ("<p>pa&quot;ss w&ouml;rd&amp;1</p>", "<p>[redacted]</p>"),
        ("pa&#34;ss&#x20;w&#246;rd&#X26;1", "[redacted]"),
        ("?k=%7BABCDEF01%2D2345%7D", "?k=[redacted]"),
        ("?k=%7bABCDEF01-2345%7d", "?k=[redacted]"),
        ("{abcdef01-2345} abcdef01-2345", "[redacted] [redacted]"),
        // PHP and .NET; then either within a page, and within an address.
        (r#""s\/ec+ret=""#, r#""[redacted]""#),
        (
            r#""s/ec\u002Bret\u003D" "s/ec\u002bret\u003d""#,
            r#""[redacted]" "[redacted]""#,
        ),
        (r"s\/ec\u002Bret=&quot;", r"[redacted]&quot;"),
        ("s%5C%2Fec%5Cu002Bret%3D", "[redacted]"),
        ("s%252Fec%252Bret%253D", "[redacted]"),
        ("invoice 1234", "invoice 1234"),
        (
            "7B41424344454630312D323334357D 41424344454630312d32333435",
            "[redacted] [redacted]",
        ),
    ] {
        assert_eq!(redactor.clean(text), expected);
    }
    // Wherever it stands in a text that was encoded as a whole, in either alphabet.
    for before in ["", "a", "ab", "ann:"] {
        for after in ["", "x", ">>>???"] {
            let text = format!("{before}pa\"ss wörd&1{after}");
            for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                let cleaned = redactor.clean(encoded.as_str());
                assert!(
                    cleaned.contains(INSTEAD) && cleaned.len() < 10 + 4 + 12,
                    "{text}: {cleaned}"
                );
            }
        }
    }
    assert_eq!(
        redactor
            .and(&[Secret::new("temporary")])
            .clean("a temporary {ABCDEF01-2345}"),
        "a [redacted] [redacted]"
    );
    assert!(!format!("{redactor:?}").contains("ABCDEF"));
}

/// One character, in one of the ways in which servers write it: who escapes anything escapes what begins an escape.
fn written(character: char, way: usize) -> String {
    let way = match character {
        '%' | '&' if way == 0 || way == 6 => 1,
        '\\' if way == 0 => 1,
        _ => way,
    };
    let bytes = |form: fn(u8) -> String| {
        let mut room = [0; 4];
        character
            .encode_utf8(&mut room)
            .bytes()
            .map(form)
            .collect::<String>()
    };
    match way {
        1 => bytes(|byte| format!("%{byte:02X}")),
        2 => bytes(|byte| format!("%{byte:02x}")),
        3 => {
            let mut room = [0; 2];
            let units = character.encode_utf16(&mut room).iter();
            units.map(|unit| format!("\\u{unit:04X}")).collect()
        }
        4 => format!("&#{};", u32::from(character)),
        5 => format!("&#x{:x};", u32::from(character)),
        6 if "\\/\"'".contains(character) => format!("\\{character}"),
        _ => character.to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever mixture of escapes a server writes a secret in, once or twice over, and wherever it stands.
    #[test]
    fn no_mixture_of_escapes_hides_a_secret(
        secret in prop::collection::vec(select("aZ09 +/=%&\\\"'<>{};#üß日😀".chars().collect::<Vec<_>>()), 8..24),
        ways in prop::collection::vec((0..7_usize, 0..6_usize), 24),
        before in "[ a-z%&\\\\]{0,70}",
        after in "[ a-z;%]{0,70}",
        far in select(vec![0, 0, 0, 0, 0, 0, 0, 1]),
    ) {
        let text: String = secret.iter().collect();
        let redactor = Redactor::new(&[Secret::new(text.clone())]);
        let inner = secret.iter().zip(&ways).map(|(character, (way, _))| written(*character, *way));
        let once: String = inner.collect();
        let outer = once.chars().zip(ways.iter().cycle()).map(|(character, (_, way))| written(character, *way));
        let twice: String = outer.collect();
        // Enough of what could begin an escape that the secret stands across two windows, or nearly so.
        let far = "% ".repeat(far * (WINDOW / 2 - 40));
        for hidden in [text, once, twice] {
            // A mark between them, so that what stands before is no part of an escape.
            let whole = format!("{far}{before}|{hidden}|{after}");
            let cleaned = redactor.clean(whole.as_str());
            prop_assert_eq!(cleaned, format!("{far}{before}|{INSTEAD}|{after}"));
        }
    }
}
