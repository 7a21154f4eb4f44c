//! What a run is asked to do.

/// What a run does.
#[derive(Debug, Clone)]
pub enum Task {
    Job {
        job: String,
        preview: bool,
        options: Vec<(String, String)>,
    },
    /// The answer is in the outcome, under [`ANSWER`].
    Act {
        page: String,
        act: String,
        rows: Vec<String>,
        values: Vec<(String, String)>,
    },
    /// Brings the stored state to the version that the add-on needs, and nothing else.
    Migrate,
}

/// Name of an act's answer in its outcome.
pub const ANSWER: &str = "answer";

impl Task {
    /// As the list of runs names it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Job { job, .. } => job.clone(),
            Self::Act { page, act, .. } => format!("{page}/{act}"),
            Self::Migrate => "migrate".to_owned(),
        }
    }

    pub(super) fn is_preview(&self) -> bool {
        matches!(self, Self::Job { preview: true, .. })
    }

    /// The job to go on with after a pause, and its options.
    pub(super) fn resumable(&self) -> Option<(&str, &[(String, String)])> {
        match self {
            Self::Job {
                job,
                preview: false,
                options,
            } => Some((job, options)),
            _ => None,
        }
    }

    /// What a person gave, as the list of runs keeps it: enough to know what was asked for, not a second copy of a file.
    pub(super) fn told(&self) -> Vec<(String, String)> {
        match self {
            Self::Job { options, .. } => options.iter().map(cut).collect(),
            Self::Act { rows, values, .. } => {
                let rows = (ROWS.to_owned(), rows.join(", "));
                std::iter::once(&rows)
                    .filter(|(_, rows)| !rows.is_empty())
                    .chain(values)
                    .map(cut)
                    .collect()
            }
            Self::Migrate => Vec::new(),
        }
    }
}

/// Longest value that is kept with a run, in characters.
const LONGEST_TOLD: usize = 200;

/// Name under which the rows of an act are kept with its run.
const ROWS: &str = "rows";

fn cut((name, value): &(String, String)) -> (String, String) {
    let told = match value.char_indices().nth(LONGEST_TOLD) {
        None => value.clone(),
        Some((end, _)) => format!("{}… ({} bytes in all)", &value[..end], value.len()),
    };
    (name.clone(), told)
}
