//! The pages: one file each. A file reads what its page shows into a plain struct and gives it to its template; the
//! templates hold no logic but loops and conditions, and no words: those are in `texts`.

pub mod act;
pub mod activity;
pub mod addons;
pub mod alerts;
mod cells;
pub mod changes;
mod chart;
mod charts;
mod check_part;
mod fields;
mod form;
mod glance;
pub mod host_changes;
mod inputs;
mod installation_page;
pub mod installations;
pub mod job;
pub mod jobs;
pub mod mappings;
pub mod overview;
pub mod people;
pub mod readiness;
mod reports;
pub mod rows;
pub mod run;
mod run_line;
pub mod runs;
pub mod settings;
pub mod setup;
pub mod support;
pub mod todo;
mod traffic;
mod verdict;
mod waiting;
