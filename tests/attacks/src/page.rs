//! A page, taken apart as a browser does it. What may be in one is a list of what its templates use; everything else was made by
//! somebody's text.

use scraper::node::Element;
use scraper::{Html, Node};

/// Elements of the templates, and those that a browser adds.
const ELEMENTS: &str = "html head meta title link script noscript body header nav main section article form fieldset legend label input \
    select option datalist textarea button a p div span strong pre time progress meter details summary h1 h2 h3 ul ol li dl dt dd \
    table thead tbody tr th td figure figcaption svg line rect text img";

/// Attributes whose values come from the program alone.
const FIXED: &str = "accept alt aria-current aria-hidden aria-invalid autocapitalize autocomplete autofocus charset checked content \
    data-all data-file data-live defer enctype height hidden http-equiv inputmode lang max method min multiple open \
    rel required role rows scope selected size spellcheck src step text-anchor type viewbox width x x1 x2 y y1 y2 maxlength colspan";

/// Attributes that may hold a text. A class chooses among the looks that there are, and does no more.
const WITH_TEXT: &str = "action class aria-describedby aria-label aria-labelledby data-into data-label datetime for href id list name placeholder \
    title value";

/// An answer, as a browser sees it.
pub struct Page {
    tree: Html,
}

impl Page {
    /// A whole page.
    pub fn parse(html: &str) -> Self {
        Self {
            tree: Html::parse_document(html),
        }
    }

    /// A part that a script puts into a page.
    pub fn parse_part(html: &str) -> Self {
        Self {
            tree: Html::parse_fragment(html),
        }
    }

    pub fn tree(&self) -> &Html {
        &self.tree
    }

    /// What is in the page that none of its templates made. Empty: all is well.
    pub fn made_by_texts(&self) -> Vec<String> {
        let mut found = Vec::new();
        for node in self.tree.tree.nodes() {
            match node.value() {
                Node::Comment(comment) => found.push(format!("a comment: {}", &**comment)),
                Node::ProcessingInstruction(_) => found.push("an instruction".to_owned()),
                Node::Element(element) => {
                    let within = node.children().filter_map(|child| child.value().as_text());
                    let text: String = within.map(|text| &**text).collect();
                    found.extend(wrong_with(element, &text));
                }
                Node::Document | Node::Fragment | Node::Doctype(_) | Node::Text(_) => {}
            }
        }
        found
    }

    /// All that a reader or a script can read: texts, and values of attributes.
    pub fn readable(&self) -> String {
        let mut all = String::new();
        for node in self.tree.tree.nodes() {
            match node.value() {
                Node::Text(text) => all.push_str(text),
                Node::Element(element) => element.attrs().for_each(|(_, value)| {
                    all.push_str(value);
                    all.push('\n');
                }),
                _ => {}
            }
            all.push('\n');
        }
        all
    }
}

fn wrong_with(element: &Element, text: &str) -> Vec<String> {
    let tag = element.name();
    let mut found = Vec::new();
    if !listed(ELEMENTS, tag) {
        found.push(format!("an element <{tag}>"));
    }
    for (name, value) in element.attrs() {
        let is_known = listed(FIXED, name) || listed(WITH_TEXT, name);
        if !is_known || name.starts_with("on") {
            found.push(format!("an attribute {name} of <{tag}>"));
        }
        let is_said = !crate::marks(value).is_empty();
        if is_said && listed(FIXED, name) {
            found.push(format!("{name}={value:?} of <{tag}>"));
        }
        let is_address = ["href", "src", "action", "data-live"].contains(&name);
        if is_address && !stays_here(value) {
            found.push(format!("{name}={value:?} of <{tag}> leads away"));
        }
    }
    let is_asset = |name| {
        element
            .attr(name)
            .is_some_and(|address| address.contains("/assets/"))
    };
    match tag {
        "script" if !text.is_empty() || !is_asset("src") => {
            found.push(format!("a script: {text}"));
        }
        "img" if !is_asset("src") => found.push("a picture".to_owned()),
        "link" if !is_asset("href") => found.push("a link to a style".to_owned()),
        // The one that looks again at a run has no address.
        "meta" if element.attr("http-equiv").is_some() && element.attr("content") != Some("3") => {
            found.push("a refresh that leads away".to_owned());
        }
        _ => {}
    }
    found
}

/// On this host whatever the page's own address is: no scheme, no other host.
fn stays_here(address: &str) -> bool {
    let rest = match address.strip_prefix('/') {
        Some(rest) => rest,
        None => return address.starts_with(['#', '?']),
    };
    // Browsers take a backslash for a slash, and pass over tabs and line ends.
    !rest.starts_with(['/', '\\']) && !address.contains(char::is_control)
}

fn listed(list: &str, name: &str) -> bool {
    list.split_ascii_whitespace()
        .any(|one| one.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Field, KINDS};

    fn found(html: &str) -> Vec<String> {
        Page::parse(html).made_by_texts()
    }

    #[test]
    fn what_texts_make_is_seen_and_what_templates_make_is_not() {
        let own = "<!doctype html><html lang=en><head><title>x</title><script defer src=/assets/live-1.js></script></head>\
            <body><a href=\"/x?y=%3Cevil%3E\">&#60;evil&#62;</a><p class=\"badge held\">\" onclick=x</p></body></html>";
        assert_eq!(found(own), Vec::<String>::new());
        for bad in [
            "<evil>",
            "<script>x</script>",
            "<script src=//x></script>",
            "<img src=x>",
            "<svg onload=x>",
            "<p style=x>",
            "<p onclick=x>",
            "<a href=javascript:x>",
            "<a href=//x>",
            "<a href='/\\x'>",
            "<form action=https://x/>",
            "<button formaction=/x>",
            "<meta http-equiv=refresh content='0;url=//x'>",
            "<base href=/x>",
            "<!-- x -->",
            "<input type='zq1z'>",
        ] {
            assert!(!found(bad).is_empty(), "{bad}");
        }
    }

    /// Whoever forgets to escape is found out, wherever the text stands and whatever kind it is of.
    #[test]
    fn texts_that_are_not_escaped_are_seen_where_they_do_harm() {
        let places = [
            ("a text", "<p>", "</p>"),
            ("a title", "<title>", "</title>"),
            ("a field", "<textarea>", "</textarea>"),
            ("a value", "<input value=\"", "\">"),
            ("a single-quoted value", "<input value='", "'>"),
            ("an address", "<a href=\"", "\">x</a>"),
            ("a script", "<script src=\"/assets/x.js\">", "</script>"),
        ];
        for (place, before, behind) in places {
            let seen = (0..KINDS).filter(|kind| {
                let text = Field(7).poison_as(*kind, "Ann");
                !found(&format!("{before}{text}{behind}")).is_empty()
            });
            assert!(seen.count() > 0, "nothing was seen in {place}");
            let escaped = (0..KINDS).map(|kind| {
                let text = Field(7).poison_as(kind, "Ann");
                let text = text
                    .replace('&', "&#38;")
                    .replace('<', "&#60;")
                    .replace('"', "&#34;")
                    .replace('\'', "&#39;");
                format!("<p title=\"{text}\">{text}</p><textarea>{text}</textarea>")
            });
            for page in escaped {
                assert_eq!(found(&page), Vec::<String>::new());
            }
        }
    }
}
