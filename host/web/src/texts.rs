//! Every word of the pages, page by page: whoever corrects or translates them reads this file, and the compiler finds what is missing or
//! not used any more.
//!
//! A text is a constant; one with values in it is a function, which also knows the words for none, one and several. A sentence around a
//! link or a time stands here as what is before it and what is behind it. These are plain texts: templates escape them.
//!
//! Not here: words of add-ons (their manifests and answers); names that programs know as well, such as states, roles and severities;
//! errors of the layers below and of the command line, which pages pass on; HTTP's own names of refusals; answers to programs (web hooks,
//! health); letters of alerts. A test finds words that stand elsewhere.

/// The language of all of this, as browsers name it.
pub const LANGUAGE: &str = "en";

/// What several pages say.
pub mod common {
    use std::fmt::Display;

    pub const BACK: &str = "Back";
    pub const SAVE: &str = "Save";
    pub const SEARCH: &str = "Search";
    pub const SHOW: &str = "Show";
    pub const CLEAR: &str = "Clear";
    /// Of a filter that does not narrow.
    pub const ANY: &str = "any";
    pub const NOTHING_FITS: &str = "Nothing fits.";
    pub const NOTHING_HERE: &str = "There is nothing here.";
    pub const DOWNLOAD_CSV: &str = "Download CSV";
    pub const DOWNLOAD_XLSX: &str = "Download for a spreadsheet";

    /// The links below a table.
    pub const PAGES: &str = "Pages";
    pub const FIRST_PAGE: &str = "Back to the first page";
    pub const NEXT_PAGE: &str = "Next page";

    pub fn times_in(zone: &str) -> String {
        format!("Times are in {zone}.")
    }

    pub fn seconds(seconds: impl Display) -> String {
        format!("{seconds} s")
    }

    pub fn minutes(minutes: impl Display, seconds: impl Display) -> String {
        format!("{minutes} min {seconds} s")
    }

    pub fn hours(hours: impl Display, minutes: impl Display) -> String {
        format!("{hours} h {minutes} min")
    }
}

/// Around every page.
pub mod layout {
    pub const HOST: &str = "Add-on host";
    pub const SKIP: &str = "Skip to the content";
    pub const LOG_OUT: &str = "Log out";

    pub fn installation(name: &str) -> String {
        format!("Installation {name}")
    }
}

/// Refusals.
pub mod failure {
    use std::fmt::Display;

    /// Where HTTP has no name for it.
    pub const UNNAMED: &str = "Error";
    pub const TO_INSTALLATIONS: &str = "To the installations";

    pub const TROUBLE: &str = "The host is in trouble; its log says why.";
    pub const FOREIGN: &str = "The request came from another site, and was refused.";
    pub const TOO_LARGE: &str = "What was sent is too large.";
    pub const UNREADABLE: &str = "The address or the form cannot be read.";

    pub const NO_ACCOUNT: &str = "There is no such account.";
    pub const NO_ACT: &str = "There is no such act.";
    pub const NO_CHANNEL: &str = "There is no such channel.";
    pub const NO_FORMAT: &str = "There is no such format.";
    pub const NO_JOB: &str = "There is no such job.";
    pub const NO_KIND_OF_CHANNEL: &str = "There is no such kind of channel.";
    pub const NO_PAGE: &str = "There is no such page.";
    pub const NO_RECORDING: &str = "There is no recording of this run.";
    pub const NO_REPORT: &str = "There is no such report.";
    pub const NO_SESSION: &str = "There is no such session.";
    pub const NO_STEP: &str = "There is no such step.";

    pub fn forbidden(needed: impl Display, account: &str, role: impl Display) -> String {
        format!(
            "This needs the role “{needed}”, and {account} has “{role}”. Somebody who administers can change that."
        )
    }
}

pub mod login {
    use std::fmt::Display;

    pub const TITLE: &str = "Log in";
    pub const NAME: &str = "Name";
    pub const PASSWORD: &str = "Password";
    pub const CODE: &str = "Code";
    pub const BY_SERVICE: &str =
        "Administrators of a service: your login there, @, and the name of the installation.";

    pub const CODE_WANTED: &str = "Type the password and the code of your second factor.";
    pub const CODE_HELP: &str = "The six digits that your app shows now.";
    pub const WRONG_CODE: &str =
        "This is not the code, or it was used before: wait for the next one.";
    pub const WRONG: &str = "The name or the password is wrong.";
    pub const UNANSWERED: &str = "The service cannot be asked now; the host's log says why.";

    pub fn too_many(seconds: impl Display) -> String {
        format!("Too many attempts. Try again in {seconds} s.")
    }
}

pub mod installations {
    pub const TITLE: &str = "Installations";
    pub const NONE: &str =
        "There are none yet. An installation is one add-on with one configuration.";
    /// Then the link to the add-ons.
    pub const FIRST: &str = "First, install";
    pub const AN_ADDON: &str = "an add-on";
    pub const UNSIGNED: &str = "unsigned package";

    pub const WHY: &str = "Why";

    pub const NEW: &str = "A new installation";
    pub const NAME: &str = "Name";
    pub const NAME_HELP: &str = "Lower-case letters, digits and dashes, a letter first. It cannot be changed: it is in addresses and commands.";
    pub const ADDON: &str = "Add-on";
    pub const MAKE: &str = "Make it, and set it up";

    /// Before the time.
    pub fn stuck(channel: &str) -> String {
        format!("Alerts through {channel} cannot be delivered since")
    }
}

/// What an installation is connected to, and what it does by itself.
pub mod subject {
    pub const NOT_CONNECTED: &str = "not connected";

    pub const RESTS: &str = "automatic runs are switched off";
    pub const RESUMES: &str = "goes on after a pause";
    pub const WHEN_FREE: &str = "as soon as the installation is free";

    pub fn next(job: &str) -> String {
        format!("Next: {job}")
    }
}

/// How the connections stand with their limits.
pub mod traffic {
    use std::fmt::Display;

    pub const TITLE: &str = "Requests and limits";
    pub const STOPPED: &str = "stopped";
    pub const REFUSED: &str = "The credentials were refused. Nothing is sent until they are entered anew in the settings.";
    pub const OF_THE_DAY: &str = "Requests of the day";
    pub const BLOCKED: &str = "blocked";
    /// Before the time.
    pub const UNTIL: &str = "until";

    pub fn last_minute(sent: impl Display, most: impl Display) -> String {
        format!("{sent} of {most} requests in the last minute")
    }

    pub fn last_day(sent: impl Display) -> String {
        format!("{sent} in the last day")
    }

    pub fn last_day_of(sent: impl Display, most: impl Display) -> String {
        format!("{sent} of {most} in the last day")
    }

    pub fn kept(reserve: impl Display) -> String {
        format!("{reserve} of them kept for people")
    }

    pub fn waiting(count: impl Display, who: &str) -> String {
        format!("{count} waiting: {who}")
    }
}

/// Records that wait.
pub mod waiting {
    pub const TITLE: &str = "Held and waiting";
    pub const NONE: &str = "none";
    pub const MORE: &str = "and more";
}

/// Tabs that have no page of their own.
pub mod tabs {
    pub const RECORDS: &str = "Records";
    pub const COMPARE: &str = "Compare";
}

pub mod overview {
    pub const TITLE: &str = "Home";
    pub const STATE: &str = "State";
    pub const WORKING: &str = "Working";
    pub const ALL_RUNS: &str = "All runs";
}

/// Is all well?
pub mod verdict {
    pub const TITLE: &str = "Is all well?";
    pub const NOT_SET_UP: &str = "Not set up yet";
    pub const IN_THE_WAY: &str = "Something is in the way of the next run";
    /// Before the time.
    pub const IN_STEP: &str = "In step since";
    pub const NEVER_RUN: &str = "Ready. Nothing has run yet.";

    pub fn stopped(connection: &str) -> String {
        format!("Stopped: {connection}")
    }

    /// Before the time.
    pub fn failed(job: &str) -> String {
        format!("The last run failed: {job},")
    }

    pub fn working(job: &str) -> String {
        format!("At work: {job}")
    }

    pub fn needs(count: usize) -> String {
        match count {
            1 => "1 thing needs you".to_owned(),
            count => format!("{count} things need you"),
        }
    }
}

/// What people have to do.
pub mod todo {
    pub const TITLE: &str = "To do";
    /// The page that has all of it, beside those of the add-on.
    pub const ALL: &str = "Everything";
    pub const NOTHING: &str = "Nothing needs you.";
    pub const FOR_EXAMPLE: &str = "For example:";
    /// To the field that cures it.
    pub const GO_THERE: &str = "Go there";
    pub const MORE: &str = "There are more than were counted here.";

    pub fn records(count: &usize) -> String {
        match count {
            1 => "1 record".to_owned(),
            count => format!("{count} records"),
        }
    }

    pub fn following(count: &usize) -> String {
        match count {
            1 => "1 more waits for one of these, and follows by itself.".to_owned(),
            count => format!("{count} more wait for these, and follow by themselves."),
        }
    }

    pub fn unknown(page: &str) -> String {
        format!("{page} did not answer: what waits there is not known.")
    }
}

/// All that can be run.
pub mod jobs {
    pub const TITLE: &str = "Jobs";
}

/// The last check of what is in place.
pub mod check {
    /// Around the time.
    pub const BEGUN: &str = "A check was begun at";
    pub const UNDER_WAY: &str = "and is still under way.";
    pub const NEVER: &str = "It was never checked.";
    /// Before the time.
    pub const CHECKED: &str = "Checked";
    pub const READY: &str = "ready";
    pub const NOT_READY: &str = "not ready";
    pub const FOUND: &str = "What was found";
    pub const NOW: &str = "Check now";

    pub fn wanting(errors: usize, warnings: usize) -> String {
        match (errors, warnings) {
            (0, 0) => "Everything is in place.".to_owned(),
            (0, warnings) => format!("{warnings} to be looked at."),
            (errors, 0) => format!("{errors} in the way."),
            (errors, warnings) => format!("{errors} in the way, {warnings} to be looked at."),
        }
    }
}

pub mod readiness {
    pub const TITLE: &str = "Readiness";
    pub const CHECK: &str = "Check";
    pub const RELOAD: &str = "Reload this page to see what it found.";
    pub const FAILED: &str = "The check itself did not work.";
    pub const CLEAR: &str = "Nothing is in the way.";
    pub const NOT_CLEAR: &str = "Jobs will not work before this is put right.";

    /// The parts, by severity.
    pub const ERRORS: &str = "In the way";
    pub const WARNINGS: &str = "To be looked at";
    pub const IN_ORDER: &str = "In order";
}

pub mod setup {
    use std::fmt::Display;

    pub const TITLE: &str = "Set-up";
    pub const STEPS: &str = "Steps";
    pub const STEPS_DONE: &str = "Steps that are done";

    /// How far a step is.
    pub const DONE: &str = "done";
    pub const TO_DO: &str = "to do";
    pub const LOOK_HERE: &str = "look here";

    pub const CHECK_UNDER_WAY: &str = "The check is still under way.";
    pub const SAVE: &str = "Save and check";
    pub const GO_ON: &str = "Save and go on";
    pub const NOT_YOURS: &str = "Settings are changed by those who administer this host.";
    pub const ALL_MAPPED: &str = "Every row is mapped.";
    pub const NOT_CHECKED: &str = "It was not checked yet what is missing.";
    pub const OPEN_MAPPINGS: &str = "Open the mappings";
    /// Before the last run.
    pub const LAST: &str = "Last:";
    pub const NEXT_STEP: &str = "Next step";

    pub const CANNOT_TELL: &str = "What waits there cannot be told now.";

    pub fn done(done: impl Display, all: impl Display) -> String {
        format!("{done} of {all} done")
    }

    /// What other pages say of it.
    pub fn far(done: impl Display, all: impl Display, next: &str) -> String {
        format!("{done} of {all} steps are done. Next: {next}.")
    }

    pub fn run(id: impl Display) -> String {
        format!("run {id}")
    }

    pub fn waiting(rows: &usize) -> String {
        match rows {
            0 => "Nothing waits there.".to_owned(),
            1 => "1 waits there.".to_owned(),
            rows => format!("{rows} wait there."),
        }
    }

    pub fn open(page: &str) -> String {
        format!("Open: {page}")
    }
}

pub mod settings {
    pub const TITLE: &str = "Settings";
    pub const LOOK_AT: &str = "Nothing was saved yet. Look at:";
    pub const CHANGES: &str = "Who changed what";
    pub const SAVE: &str = "Save settings";
    pub const CHECK_UNDER_WAY: &str = "The check of the new settings is still under way.";
    pub const HOOK_ON: &str = "on";
    pub const HOOK_OFF: &str = "off";

    pub fn hook(secret: &str) -> String {
        format!(
            "The service sends its messages to this path below the name of these pages, signed with the secret that stands above as \u{201c}{secret}\u{201d}; without one it is off."
        )
    }

    pub fn saved(count: &usize) -> String {
        match count {
            0 => "Nothing was changed.".to_owned(),
            1 => "One setting was saved.".to_owned(),
            count => format!("{count} settings were saved."),
        }
    }
}

/// A field of a form.
pub mod fields {
    pub const REQUIRED: &str = "required";
    pub const NO_CHOICE: &str = "There is nothing to choose from.";
    pub const FROM_FILE: &str = "Or take it from a file";
    pub const SET: &str = "set";
    pub const NOT_SET: &str = "not set";
    pub const REPLACE: &str = "Type a new one to replace it";
    pub const REMOVE: &str = "Remove it";
    pub const LOST: &str = "Not saved yet: type it again.";
    pub const NOT_ASKED: &str = "The list was not asked for.";

    /// A value that is not offered any more.
    pub fn gone(value: &str) -> String {
        format!("{value} (not in the list)")
    }

    pub fn type_id(why: &str) -> String {
        format!("{why} Until then its id can be typed.")
    }

    pub fn type_ids(why: &str) -> String {
        format!("{why} Until then ids can be typed, with commas between.")
    }
}

/// Lists of an add-on.
pub mod choices {
    use std::fmt::Display;

    pub const FAILED: &str = "The add-on could not be asked.";
    pub const NOT_SENT: &str =
        "The services are asked for this list when somebody opens the page who may run jobs.";

    pub fn slow(seconds: impl Display) -> String {
        format!("The add-on did not answer within {seconds} s.")
    }
}

pub mod host_changes {
    pub const TITLE: &str = "Changes";
    pub const ABOUT: &str = "Of people, add-ons, installations, terms of connections, limits, alerts and trusted keys. Those of settings are with their installation.";
    pub const WHAT: &str = "What";

    /// A kind of thing, and which.
    pub fn what(kind: &str, name: &str) -> String {
        format!("{kind}: {name}")
    }
}

pub mod changes {
    pub const TITLE: &str = "Changes of settings";
    pub const NONE: &str = "Nobody has changed anything yet.";
    pub const WHEN: &str = "When";
    pub const WHO: &str = "Who";
    pub const SETTING: &str = "Setting";
    pub const BEFORE: &str = "Before";
    pub const AFTER: &str = "After";
    pub const NOT_SET: &str = "not set";
    pub const SECRET: &str = "a secret";
    pub const SECRET_ANEW: &str = "a secret, entered anew";
}

pub mod mappings {
    use std::fmt::Display;

    pub const TITLE: &str = "Mappings";
    pub const NOTHING: &str = "There is nothing to map.";
    pub const STALE: &str = "stale";
    pub const SAVE: &str = "Save mappings";
    /// At a row that was filled in.
    pub const PROPOSED: &str = "proposed, not saved";

    pub fn proposed(rows: usize) -> String {
        match rows {
            1 => "One row is filled in with what fits. Look at it, and save it.".to_owned(),
            rows => {
                format!("{rows} rows are filled in with what fits. Look at them, and save them.")
            }
        }
    }

    pub fn stale(value: &str) -> String {
        format!("{value} is not in the list any more: choose another.")
    }

    pub fn not_saved(problem: impl Display) -> String {
        format!("Nothing was saved: {problem}.")
    }
}

/// Starting a job.
pub mod job {
    pub const RUN: &str = "Run";
    /// A form comes first.
    pub const RUN_WITH: &str = "Run…";
    pub const PREVIEW: &str = "Preview";

    pub fn run(job: &str) -> String {
        format!("Run: {job}")
    }

    pub fn preview(job: &str) -> String {
        format!("Preview: {job}")
    }
}

/// Lists of runs, and a run as one line.
pub mod runs {
    use std::fmt::Display;

    pub const TITLE: &str = "Runs";
    pub const LAST: &str = "Last runs";
    pub const NONE: &str = "No job has run yet.";
    pub const NONE_HERE: &str = "none yet";
    /// Behind the job of a run that is one.
    pub const PREVIEW: &str = "preview";

    pub const RUN: &str = "Run";
    pub const JOB: &str = "Job";
    pub const STATE: &str = "State";
    pub const STARTED: &str = "Started";
    pub const TOOK: &str = "Took";
    pub const BY: &str = "By";
    pub const RESULT: &str = "Result";

    /// Who started it.
    pub const SCHEDULE: &str = "schedule";
    pub const EVENT: &str = "event";
    pub const RESUMED: &str = "resumed after a pause";

    pub fn progress(stage: &str, done: impl Display) -> String {
        format!("{stage}: {done}")
    }

    pub fn progress_of(stage: &str, done: impl Display, total: impl Display) -> String {
        format!("{stage}: {done} of {total}")
    }
}

pub mod run {
    use std::fmt::Display;

    pub const STATE: &str = "State";
    pub const STARTED: &str = "Started";
    pub const ENDED: &str = "Ended";
    pub const GOES_ON: &str = "Goes on";
    /// Of a preview, before its counts.
    pub const WOULD: &str = "The run would do this";
    pub const NOTHING_WRITTEN: &str = "Nothing was written.";
    pub const DO_IT: &str = "Do it now";
    /// Before the time.
    pub const NOT_BEFORE: &str = "Not before";
    pub const ACTIVITY: &str = "What happened to each record";
    pub const NEXT_ROWS: &str = "Next rows";

    pub const LOG: &str = "Log";
    pub const NO_LINES: &str = "The run wrote no lines.";
    pub const NO_LINES_YET: &str = "The run wrote no lines yet.";
    pub const NEXT_LINES: &str = "Next lines";

    pub const PROGRESS: &str = "Progress";
    pub const CONNECTIONS: &str = "Connections";
    pub const STOP: &str = "Stop";
    pub const STOP_HELP: &str = "What is in flight is finished first.";
    pub const CANCEL: &str = "Do not go on";
    pub const CANCEL_HELP: &str =
        "The job stays where it paused, until somebody or its schedule starts it.";

    pub fn title(id: impl Display) -> String {
        format!("Run {id}")
    }

    pub fn by(who: &str) -> String {
        format!("by {who}")
    }
}

/// What helps where something goes wrong.
pub mod support {
    pub const TITLE: &str = "When something goes wrong";
    pub const HELP: &str = "A recording is what a run says to the services and hears from them, without secrets, and with made-up \
        words and numbers for people's. Whoever mends the add-on can do the run again with it.";
    pub const RECORD: &str = "Record the next run";
    pub const WANTED: &str = "The next run will be recorded.";
    pub const DO_NOT: &str = "Do not record it";
    pub const DOWNLOAD: &str = "Download the recording";

    pub const BUNDLE: &str = "Support bundle";
    pub const BUNDLE_HELP: &str = "A file for whoever helps, also a stranger: how the installation stands, without secrets, and with \
        made-up words and numbers for people's. This is what would be in it.";
    pub const SEE: &str = "Make a support bundle";
    pub const PART: &str = "Part";
    pub const BYTES: &str = "Bytes";
    pub const WHAT: &str = "What it is";
    pub const FILE: &str = "Download it";
}

/// A page of what the runs of a job reported.
pub mod reports {
    pub const NEVER: &str = "It has not run yet.";
    pub const ANOTHER_RUN: &str = "Another run";
    pub const REPORTS: &str = "Reports";

    pub fn took(time: &str, by: &str) -> String {
        format!("took {time}, by {by}.")
    }
}

/// A page of an add-on's rows.
pub mod rows {
    pub const NOTHING_SO_FAR: &str =
        "Nothing fits so far. There is more to look through: go on with the next page.";
    pub const ALL: &str = "All rows of this page";
    /// The heading of the links.
    pub const MORE: &str = "More";

    pub fn choose(row: &str) -> String {
        format!("Choose {row}")
    }
}

/// An act on rows.
pub mod act {
    use std::fmt::Display;

    pub fn and_more(rows: &str, count: impl Display) -> String {
        format!("{rows} and {count} more")
    }
}

pub mod activity {
    pub const TITLE: &str = "Activity";

    pub const KINDS: &str = "Kinds of record";
    pub const ALL: &str = "All";
    pub const CUSTOMERS: &str = "Customers";
    pub const INVOICES: &str = "Invoices";
    pub const CREDIT_NOTES: &str = "Credit notes";
    pub const PAYMENTS: &str = "Payments";

    pub const ANYTHING: &str = "anything";
    pub const REASON: &str = "Reason";
    pub const REASON_EXAMPLE: &str = "mapping-missing";
    pub const CUSTOMER_ID: &str = "Customer id";
    pub const FROM: &str = "From";
    pub const UNTIL: &str = "Until";
    pub const NONE: &str = "Nothing has happened yet.";

    pub const TIME: &str = "Time";
    pub const RECORD: &str = "Record";
    pub const HAPPENED: &str = "What happened";
    pub const HERE: &str = "Here";
    pub const THERE: &str = "There";
    pub const CUSTOMER: &str = "Customer";
    pub const AMOUNT: &str = "Amount";
    pub const TOLD: &str = "Told";
    pub const RUN: &str = "Run";

    /// Which are shown.
    pub const COLUMNS: &str = "Columns";

    pub const DOWNLOAD_JSON: &str = "Download JSON";
    pub const DOWNLOAD_HELP: &str = "all that fits, on all pages, with all columns";

    pub fn no_day(text: impl std::fmt::Display) -> String {
        format!("{text} is no day: write it as 2026-11-30. Nothing is left out for it.")
    }

    pub fn no_run(text: impl std::fmt::Display) -> String {
        format!("{text} is no number of a run. Nothing is left out for it.")
    }
}

pub mod addons {
    pub const TITLE: &str = "Add-ons";
    pub const NONE: &str = "No add-on is installed.";
    /// Before the installations.
    pub const USED_BY: &str = "used by";

    pub const VERSION: &str = "Version";
    pub const STATE: &str = "State";
    pub const SIGNED_BY: &str = "Signed by";
    pub const INSTALLED: &str = "Installed";
    pub const BY: &str = "By";
    pub const IN_USE: &str = "in use";
    pub const NOBODY: &str = "nobody";

    pub const GO_BACK_HELP: &str = "What is stored stays as it is: each version reads what the next one wrote. Runs that are at work finish with the version that they began with.";

    pub const INSTALL: &str = "Install or update";
    pub const PACKAGE: &str = "Package file";
    pub const PACKAGE_HELP: &str =
        "As its makers signed it. What it asks for is shown before anything is changed.";
    pub const EXAMINE: &str = "Look at it";

    pub const BROKEN_OFF: &str = "The package did not arrive whole; send it again.";
    pub const NO_FILE: &str =
        "Choose a package file first, as its makers sent it: it ends in .addon.";
    pub const GONE: &str = "The package is not here any more; send it again.";

    pub fn go_back(version: &str) -> String {
        format!("Go back to {version}")
    }

    pub fn not_trusted(key: &str) -> String {
        format!("{key}, which is not trusted any more")
    }

    pub fn installed(addon: &str) -> String {
        format!("{addon} is installed.")
    }

    pub fn back(addon: &str) -> String {
        format!("{addon} is in use again; what runs finishes with the version that it began with.")
    }

    pub fn did_not_work(addon: &str, version: &str, why: &str) -> String {
        format!(
            "{addon} {version} did not work, and the host went back to the version before. {why}"
        )
    }
}

/// A package that is signed with a key that nobody has trusted yet.
pub mod unknown_key {
    pub const TITLE: &str = "An unknown key";
    pub const WHAT: &str = "Whoever you trust here may install code that uses this host's passwords at the services. So enter the key as its makers publish it: from their website, a letter or a call, and not from where the package came from. It is compared with the package's signature; nothing is installed by it.";
    pub const KEY: &str = "Their key, the whole of it";
    pub const KEY_HELP: &str = "56 characters that begin with RW.";
    pub const NAME: &str = "Whose it is";
    pub const NO_NAME: &str = "Say whose key it is, in at most 100 characters.";
    pub const TRUST: &str = "Trust it, and look at the package";
    pub const LEAVE: &str = "Do nothing";

    pub fn signed_with(key: &str) -> String {
        format!("The package says that it is signed with the key {key}, which is not trusted here.")
    }
}

/// A package that waits for a person's agreement.
pub mod offer {
    pub const TITLE: &str = "A package";
    pub const PACKAGE: &str = "The package";
    pub const IN_USE: &str = "In use now";
    pub const NOT_INSTALLED: &str = "not installed";
    pub const SIGNED_BY: &str = "Signed by";
    pub const NOBODY: &str = "nobody who is trusted here";
    pub const SHA256: &str = "SHA-256";
    pub const ASKS_FOR: &str = "It asks for:";
    pub const ASKS_FOR_MORE: &str = "It asks for more than the version in use:";
    pub const NOTHING_MORE: &str = "It asks for nothing more than the version in use.";
    pub const BESIDES: &str = "Besides:";
    pub const INSTALL: &str = "Agree and install";
    pub const UPDATE: &str = "Agree and update";
    pub const LEAVE: &str = "Do nothing";
}

pub mod alerts {
    pub const TITLE: &str = "Alerts";
    pub const ABOUT_WHAT: &str = "Told are: the first failure of a job, at most every six hours what lasts, and when it is over; a job that is due and does not start; a day without any work done; once a day, records that need a person.";
    pub const NOBODY: &str = "Nobody is told anything yet: make a channel below.";
    pub const KEY_MADE: &str =
        "The channel is saved. The receiver checks messages with this key. It is shown once.";

    pub const SAVED: &str = "The channel is saved. Send a test through it.";
    pub const REMOVED: &str = "The channel is removed.";
    pub const TEST_SENT: &str = "The test was delivered.";
    pub const TEST_WAITS: &str = "The test was not delivered yet; below stands why.";
    pub const NOT_SAVED: &str = "Nothing was saved: look at what stands at the fields.";

    /// The channels.
    pub const CHANNEL: &str = "Channel";
    pub const BY: &str = "By";
    pub const TO: &str = "To";
    pub const ABOUT: &str = "About";
    pub const CHANGES: &str = "Change";
    pub const EVERYTHING: &str = "everything";
    pub const SEND_TEST: &str = "Send a test";
    pub const CHANGE: &str = "Change";
    pub const REMOVE: &str = "Remove";

    /// The messages.
    pub const LATELY: &str = "Lately";
    pub const WHEN: &str = "When";
    pub const MESSAGE: &str = "Message";
    pub const STATE: &str = "State";
    pub const TRIED_AGAIN: &str = "A message that cannot be delivered is tried again for three days; where the login is refused, not before the channel is saved anew.";

    /// The forms.
    pub const MAIL: &str = "Mail";
    pub const WEB_HOOK: &str = "Web hook";
    pub const NAME: &str = "Name";
    pub const NAME_HELP: &str =
        "Of your choice, in small letters. The name of a channel that is there changes that one.";
    pub const ABOUT_HELP: &str = "Nothing chosen: every installation.";
    pub const TO_HELP: &str = "One address, or several with commas between them.";
    pub const FROM: &str = "From";
    pub const FROM_HELP: &str = "The address that the mail server may send as.";
    pub const SERVER: &str = "Mail server";
    pub const SERVER_HELP: &str = "Its name, as in smtp.example.com; its port may stand behind it.";
    pub const PROTECTION: &str = "Protection";
    pub const STARTTLS: &str = "STARTTLS (port 587)";
    pub const TLS: &str = "TLS (port 465)";
    pub const UNPROTECTED: &str = "None: a server on this machine";
    pub const CHOOSE_ONE: &str = "Choose one";
    pub const PORT: &str = "Port";
    pub const PORT_HELP: &str = "Empty: the usual one.";
    /// Behind the field's title, and what cures it.
    pub const NO_PORT: &str = "is no port";
    pub const NO_PORT_CURE: &str = "A number up to 65535";
    pub const LOGIN: &str = "Login";
    pub const LOGIN_HELP: &str = "Empty: the server asks for none.";
    pub const PASSWORD: &str = "Password";
    pub const PASSWORD_HELP: &str = "Empty: the one that is set stays.";
    pub const ADDRESS: &str = "Address";
    pub const ADDRESS_HELP: &str = "Where the message is posted. Whoever knows it can post there, so it is kept like a password. Empty: the one that is set stays.";
    pub const PRIVATE: &str = "The address is in a private network";
    pub const PRIVATE_HELP: &str =
        "Only then may it be one of this machine or of a network of your own.";
    pub const KEY: &str = "Signing key";
    pub const KEY_HELP: &str = "As in Standard Webhooks: whsec_ and base64. Empty: the one that is set stays; where there is none, one is made and shown once.";

    pub fn send_test(channel: &str) -> String {
        format!("Send a test through {channel}")
    }

    pub fn change(channel: &str) -> String {
        format!("Change {channel}")
    }

    pub fn remove(channel: &str) -> String {
        format!("Remove {channel}")
    }
}

pub mod people {
    pub const TITLE: &str = "People";
    pub const YOU: &str = "(you)";

    pub const NAME: &str = "Name";
    pub const MAY: &str = "May";
    pub const SINCE: &str = "Since";
    pub const CHANGES: &str = "Change";
    pub const CHANGE: &str = "Change";
    pub const NEW_PASSWORD: &str = "New password";
    pub const REMOVE: &str = "Remove";

    pub const NEW: &str = "Somebody new";
    pub const MAY_HELP: &str = "View: sees everything but what is secret. Operate: runs and stops jobs, decides about records, maps. Administer: changes settings, add-ons and people.";
    pub const MAKE: &str = "Make the account";

    pub const ONLY_THESE: &str = "Only these people may log in.";
    pub const WHO_ADMITS: &str =
        "Who of Splynx is admitted is decided on the command line: addon-host user admit.";
    pub const SESSIONS: &str = "Who is logged in";

    pub fn of(installation: &str) -> String {
        format!("of {installation}")
    }

    pub fn made(name: &str) -> String {
        format!(
            "{name} logs in with this password. It is shown once; who is logged in with another is logged out."
        )
    }

    pub fn may(name: &str) -> String {
        format!("What {name} may do")
    }

    pub fn change_role(name: &str) -> String {
        format!("Change what {name} may do")
    }

    pub fn new_password(name: &str) -> String {
        format!("New password for {name}")
    }

    pub fn remove(name: &str) -> String {
        format!("Remove {name}")
    }

    pub fn admitted(installations: &[String]) -> String {
        let installations = installations.join(", ");
        format!("Administrators of Splynx may log in for {installations}.")
    }

    pub fn taken(name: &str) -> String {
        format!("There is an account {name} already.")
    }
}

pub mod second_factor {
    pub const TITLE: &str = "Second factor";
    pub const WHAT: &str = "With a second factor the log-in also asks for six digits that an app on your phone shows, so your password alone lets nobody in. Apps for it: Aegis, Google Authenticator, Microsoft Authenticator, password managers.";
    pub const ON: &str = "It is on: the log-in asks for a code after your password.";
    pub const OFF: &str = "It is off: your password alone lets you in.";
    pub const THEIRS: &str =
        "The service that vouches for you asks for a second factor, where you have one there.";
    pub const PASSWORD: &str = "Your password";
    pub const WRONG_PASSWORD: &str = "This is not your password.";
    pub const TURN_ON: &str = "Turn it on";
    pub const TURN_OFF: &str = "Turn it off";
    pub const BEGIN_AGAIN: &str = "Begin again";
    pub const OFFERED: &str = "Add this to your app, then type the first code. It is shown once; nothing changes before the code has come.";
    pub const WAITS: &str = "What you added to your app waits for its first code. Begin again where you did not add it: it is not shown a second time.";
    pub const OPEN: &str = "Open it in an app on this device";
    pub const TYPE: &str = "or type it into your app:";
    pub const FIRST_CODE: &str = "The first code";
    pub const PROVE: &str = "That is it";
    pub const CODE: &str = "Code";
    pub const LOST: &str = "Whoever has lost the phone asks whoever administers this host: addon-host user set NAME --no-second-factor takes it off.";
    pub const HAS: &str = "second factor";
    pub const CANNOT: &str = "It is on already, or your password is not kept here.";
}

pub mod sessions {
    pub const TITLE: &str = "Sessions";
    pub const EVERYBODY: &str = "Everybody who is logged in.";
    pub const YOURS: &str = "Where you are logged in.";

    pub const ACCOUNT: &str = "Account";
    pub const ROLE: &str = "Role";
    pub const BROWSER: &str = "Browser";
    pub const SINCE: &str = "Since";
    pub const LAST_USED: &str = "Last used";
    pub const END: &str = "End";
    pub const THIS_ONE: &str = "(this one)";
}
