//! Syncs of whole providers, judged by what the two services hold afterwards.

mod cures;
mod doubts;
mod imports;
mod judge;
mod whole;
