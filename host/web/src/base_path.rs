//! The path under which the pages live, where a proxy shares one address among several services.

use std::str::FromStr;

use thiserror::Error;

/// Empty, or with a slash in front and none behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BasePath(String);

#[derive(Debug, Error)]
#[error(
    "`{0}` is no base path: write it as /addons, of letters, digits, `-`, `_`, `.` and slashes"
)]
pub struct BasePathError(String);

impl BasePath {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a cookie for all pages is bound to.
    pub fn cookie_path(&self) -> &str {
        if self.0.is_empty() { "/" } else { &self.0 }
    }
}

impl FromStr for BasePath {
    type Err = BasePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = text.trim_end_matches('/');
        // It becomes part of every link, of the cookie and of the router's patterns.
        let plain = |part: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !part.is_empty() && part != "." && part != ".." && part.chars().all(known)
        };
        let whole = match path.strip_prefix('/') {
            Some(parts) => parts.split('/').all(plain),
            None => path.is_empty(),
        };
        if whole {
            Ok(Self(path.to_owned()))
        } else {
            Err(BasePathError(text.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_is_made_of_plain_parts() {
        for (text, path, cookie) in [
            ("", "", "/"),
            ("/", "", "/"),
            ("/x", "/x", "/x"),
            ("/a.b/c-d_1/", "/a.b/c-d_1", "/a.b/c-d_1"),
        ] {
            let base: BasePath = text.parse().unwrap();
            assert_eq!((base.as_str(), base.cookie_path()), (path, cookie));
        }
        for text in [
            "x",
            "/a b",
            "/a//b",
            "//x",
            "/..",
            "/a/./b",
            "/{x}",
            "/x;Secure",
            "/ä",
        ] {
            assert!(text.parse::<BasePath>().is_err(), "{text}");
        }
    }
}
