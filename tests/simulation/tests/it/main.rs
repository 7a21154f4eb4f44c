//! Syncs of whole providers, judged by what the two services hold afterwards.

mod allocations;
mod calibration;
mod cron;
mod cures;
mod customers;
mod desk;
mod documents;
mod doubts;
mod histories;
mod imports;
mod judge;
mod life;
mod manual;
mod mapping;
mod money;
mod pairing;
mod pairing_file;
mod payments;
mod previews;
mod same_number;
mod whole;
