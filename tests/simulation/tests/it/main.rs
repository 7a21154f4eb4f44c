//! Syncs of whole providers, judged by what the two services hold afterwards.

mod cures;
mod customers;
mod doubts;
mod imports;
mod judge;
mod mapping;
mod money;
mod pairing;
mod pairing_file;
mod same_number;
mod whole;
