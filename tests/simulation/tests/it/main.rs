//! Syncs of whole providers, judged by what the two services hold afterwards.

mod allocations;
mod busy;
mod calibration;
mod component;
mod crashes;
mod cron;
mod cures;
mod customers;
mod desk;
mod documents;
mod doubts;
mod imports;
mod judge;
mod life;
mod manual;
mod mapping;
mod memory;
mod money;
mod pairing;
mod pairing_file;
mod payments;
mod picture;
mod planted;
mod previews;
mod same_number;
mod whole;
