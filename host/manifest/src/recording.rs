//! The section `[recording]`, and what connections add to it: what a recording of a run keeps as it is. Everything else that is
//! text is replaced.

use super::RecordingSpec;
use super::marks::Marks;
use super::reader::Table;

pub(super) fn recording(root: &Table<'_>) -> RecordingSpec {
    let Some(table) = root.maybe_table("recording") else {
        return RecordingSpec::default();
    };
    let marks = table.texts("marks");
    let spec = RecordingSpec {
        stored: table.texts("stored").into_iter().collect(),
        plain: table.texts("plain").into_iter().collect(),
        settings: table.texts("entered").into_iter().collect(),
        messages: table.texts("messages").into_iter().collect(),
        words: table.texts("words"),
        marks: Marks::new(&marks).unwrap_or_else(|why| {
            table.problem("marks", why, "Write regular expressions");
            Marks::default()
        }),
    };
    table.done();
    spec
}
