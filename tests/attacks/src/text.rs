//! Texts that want to be more than text. Each tries one way out of where a page or a file would put it.

use std::collections::BTreeSet;

/// How many ways there are.
pub const KINDS: usize = WAYS.len();

/// In front of a field's number in a mark, and behind it.
const MARK: (&str, &str) = ("zq", "z");

/// What stands before the text, and behind it. Short, because services cut and refuse long texts. A script that runs sets
/// `hacked`.
const WAYS: [(&str, &str); 20] = [
    ("", "<script>hacked=1</script>"),
    ("", "\"><img src=x onerror=hacked=2>"),
    ("", "'><svg/onload=hacked=3>"),
    ("", "</title></textarea></select><evil>"),
    ("", "\" autofocus onfocus=\"hacked=4"),
    ("", "' onmouseover='hacked=5"),
    ("", "` onclick=`hacked=6"),
    ("javascript:hacked=7//", ""),
    ("", "--><evil><!--"),
    ("", "</script></style><iframe src=//x>"),
    ("", "{{7*7}}${7*7}<%=7*7%>{%x%}"),
    // Becomes an element where a text is taken for escaped already.
    ("", "&lt;evil&gt;&#60;evil&#62;"),
    // Turns around what follows it, ends a text in C and in one database, and colours a terminal.
    ("", "\u{202e}\0\u{1}\u{1b}[31m\u{7f}<evil>"),
    ("", "\"; x=y\r\nSet-Cookie: evil=1"),
    ("=HYPERLINK(\"//x\")", ""),
    ("+1+", "|' /C calc'!A0"),
    ("-1-", ";=1+1"),
    ("@SUM(A1)", ""),
    ("\t=1+", ""),
    ("\r\n=1+", ",\"=1\n=2"),
];

/// One field of somebody's answers, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field(pub usize);

impl Field {
    /// The text in a hostile form, always the same one. Different texts of a field are hostile in different ways.
    pub fn poison(self, text: &str) -> String {
        let kind = text.bytes().fold(self.0, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(byte.into())
        });
        self.poison_as(kind, text)
    }

    /// The text in a hostile form of that kind; kinds beyond the last begin again.
    pub fn poison_as(self, kind: usize, text: &str) -> String {
        let (before, behind) = WAYS[kind % KINDS];
        format!("{before}{text} {}{}{}{behind}", MARK.0, self.0, MARK.1)
    }
}

/// The fields whose texts can be read in this one.
pub fn marks(text: &str) -> BTreeSet<Field> {
    let found = text.split(MARK.0).skip(1).filter_map(|rest| {
        let (number, _) = rest.split_once(MARK.1)?;
        Some(Field(number.parse().ok()?))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_in_every_kind_of_hostile_text() {
        for kind in 0..KINDS {
            let text = Field(kind).poison_as(kind, "Ann");
            assert!(text.contains("Ann"), "{text}");
            assert_eq!(marks(&text), BTreeSet::from([Field(kind)]), "{text}");
        }
        assert!(marks("zq zqz zqxz and nothing else").is_empty());
    }
}
