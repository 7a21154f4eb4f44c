//! Addresses of people as people write them: with a name in front, several in one line, a server with its port.

use lettre::message::Mailbox;

/// `books@isp.example`, also with a name, quoted or not: `Books (Pty) Ltd <books@isp.example>`. `None`: it is no address.
pub fn mailbox(text: &str) -> Option<Mailbox> {
    let text = text.trim();
    let Some((name, address)) = text
        .strip_suffix('>')
        .and_then(|text| text.rsplit_once('<'))
    else {
        return Some(Mailbox::new(None, text.parse().ok()?));
    };
    let name = name.trim();
    let quoted = name
        .strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'));
    let name = quoted.map_or_else(|| name.to_owned(), unescaped);
    if name.contains(char::is_control) {
        return None;
    }
    let name = Some(name).filter(|name| !name.is_empty());
    Some(Mailbox::new(name, address.trim().parse().ok()?))
}

/// The text of a quoted one.
fn unescaped(quoted: &str) -> String {
    quoted.replace("\\\"", "\"").replace("\\\\", "\\")
}

/// The addresses in a list with commas, semicolons or lines between them; those in a quoted name part nothing.
pub fn addresses(text: &str) -> Vec<String> {
    let mut is_quoted = false;
    let parts = text.split(|character| {
        is_quoted ^= character == '"';
        character == '\n' || (!is_quoted && matches!(character, ',' | ';'))
    });
    let parts = parts.map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

/// A server, and the port behind its name where one is given: `smtp.example.com:587`, `[::1]:25`.
pub fn server_and_port(text: &str) -> (String, Option<u16>) {
    let text = text.trim();
    let parts = text
        .rsplit_once(':')
        .filter(|(server, _)| !server.contains(':') || server.ends_with(']'));
    match parts.and_then(|(server, port)| Some((server, port.parse().ok()?))) {
        Some((server, port)) => (bare(server), Some(port)),
        None => (bare(text), None),
    }
}

/// An IPv6 address without its brackets.
fn bare(server: &str) -> String {
    let inner = server
        .strip_prefix('[')
        .and_then(|server| server.strip_suffix(']'));
    inner.unwrap_or(server).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, name, address) in [
            ("books@isp.example", None, "books@isp.example"),
            ("<books@isp.example>", None, "books@isp.example"),
            (
                "Books (Pty) Ltd <books@isp.example>",
                Some("Books (Pty) Ltd"),
                "books@isp.example",
            ),
            (
                "\"Smith, Ann\" <ann@isp.example>",
                Some("Smith, Ann"),
                "ann@isp.example",
            ),
            (
                "Ann a. b@c <ann@isp.example>",
                Some("Ann a. b@c"),
                "ann@isp.example",
            ),
        ] {
            let read = mailbox(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((read.name.as_deref(), read.email.as_ref()), (name, address));
        }
        for text in [
            "",
            "books",
            "books@",
            "books@isp.example, ann@isp.example",
            "a\r\nBcc: <b@c.example>",
        ] {
            assert!(mailbox(text).is_none(), "{text}");
        }
        assert_eq!(
            addresses("\"Smith, Ann\" <ann@isp.example>, b@c.example;\n d@e.example"),
            [
                "\"Smith, Ann\" <ann@isp.example>",
                "b@c.example",
                "d@e.example"
            ]
        );
    }

    #[test]
    fn a_server_may_carry_its_port() {
        for (text, server, port) in [
            ("smtp.isp.example", "smtp.isp.example", None),
            ("smtp.isp.example:587", "smtp.isp.example", Some(587)),
            ("::1", "::1", None),
            ("[::1]:25", "::1", Some(25)),
            ("smtp.isp.example:mail", "smtp.isp.example:mail", None),
        ] {
            assert_eq!(server_and_port(text), (server.to_owned(), port));
        }
    }
}
