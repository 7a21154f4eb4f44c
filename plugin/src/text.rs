//! Texts as Sage measures them: .NET counts UTF-16 units, of which most emoji are two.

/// How long it is to Sage.
pub fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// As much of the beginning as fits, in whole characters.
pub fn first(text: &str, most: usize) -> &str {
    let mut units = 0;
    let end = text.char_indices().find(|(_, character)| {
        units += character.len_utf16();
        units > most
    });
    end.map_or(text, |(end, _)| &text[..end])
}

/// The same, without outer blanks.
pub fn cut(text: &str, most: usize) -> String {
    first(text.trim(), most).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_at_what_sage_counts() {
        for (text, most, kept) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "abc"),
            ("ab😀", 4, "ab😀"),
            ("ab😀", 3, "ab"),
            ("é😀x", 3, "é😀"),
            ("", 3, ""),
        ] {
            assert_eq!(first(text, most), kept);
            assert!(length(kept) <= most);
        }
        assert_eq!(cut("  ab cd ", 3), "ab");
    }
}
