//! Tables that people read, and what they can do with their rows.

pub mod outbox;
pub mod statements;
