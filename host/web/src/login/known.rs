//! Passwords that everybody knows: whoever guesses tries these first, with a year behind them or a digit for a letter, and the length
//! that is asked for keeps none of them away.
//!
//! Not a list of all that ever leaked, but of what people come up with when they are asked for ten characters.

/// Words that passwords are made of, without digits and signs, in small letters.
const WORDS: [&str; 48] = [
    "abc",
    "abcd",
    "admin",
    "administrator",
    "addonhost",
    "asdf",
    "asdfghjkl",
    "azerty",
    "baseball",
    "change",
    "changeme",
    "computer",
    "default",
    "dragon",
    "football",
    "guest",
    "hello",
    "iloveyou",
    "internet",
    "letmein",
    "login",
    "manager",
    "master",
    "monkey",
    "my",
    "operator",
    "pass",
    "passw",
    "passwd",
    "passwort",
    "password",
    "princess",
    "qazwsx",
    "qwerty",
    "qwertyuiop",
    "qwertz",
    "root",
    "sage",
    "secret",
    "splynx",
    "sunshine",
    "superman",
    "test",
    "trustno",
    "user",
    "welcome",
    "whatever",
    "winter",
];

/// Ways over a keyboard, and through the alphabet.
const WAYS: [&str; 8] = [
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "qazwsxedcrfvtgbyhnujm",
    "zaq12wsxcde34rfvbgt5",
    "abcdefghijklmnopqrstuvwxyz",
    "zyxwvutsrqponmlkjihgfedcba",
];

/// Fewest different characters of a password.
const FEWEST: usize = 5;

/// Whether a password is one that is tried first.
pub fn is_known(password: &str) -> bool {
    let small = password.to_lowercase();
    let mut characters: Vec<char> = small.chars().collect();
    characters.sort_unstable();
    characters.dedup();
    let is_way = WAYS.iter().any(|way| way.contains(small.as_str()));
    characters.len() < FEWEST
        || small.chars().all(|c| !c.is_alphabetic())
        || is_way
        || of_words(&small)
}

/// Whether all of its letters make one or two of the words, also where digits stand for some.
fn of_words(small: &str) -> bool {
    let letters = |text: String| {
        text.chars()
            .filter(|c| c.is_alphabetic())
            .collect::<String>()
    };
    let plain = letters(small.to_owned());
    // A year behind it stands for no letters.
    let small = small.trim_matches(|c: char| !c.is_alphabetic());
    let meant = letters(small.chars().map(letter).collect());
    [plain, meant].iter().any(|text| {
        let mut rest = WORDS.iter().filter_map(|word| text.strip_prefix(word));
        rest.any(|rest| rest.is_empty() || WORDS.contains(&rest))
    })
}

/// The letter that a digit or a sign is written for.
fn letter(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_tries_first_is_known_and_other_passwords_are_not() {
        for known in [
            "1234567890",
            "password123",
            "Password2026!",
            "P@ssw0rd2026",
            "passwordpassword",
            "qwertyuiop",
            "Qwerty123456",
            "1q2w3e4r5t",
            "1qaz2wsx3edc",
            "aaaaaaaaaaaa",
            "abababababab",
            "Welcome2026!",
            "admin-admin-1",
            "mypassword1",
            "splynx-sage-2026",
            "2026-11-30-12",
            "iloveyou12",
            "abcdefghijkl",
        ] {
            assert!(is_known(known), "{known}");
        }
        for good in [
            "correct horse",
            "a long enough password",
            "another password",
            "passing the salt",
            "kxm4p7qz2vdw8n3t",
            "qwerty is no poem",
            "drei kleine Wörter",
        ] {
            assert!(!is_known(good), "{good}");
        }
    }
}
