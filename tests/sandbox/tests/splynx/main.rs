//! The Splynx stand-in, seen from outside: requests in, answers and state out.

mod auth;
mod client;
mod config;
mod documents;
mod hooks;
mod ledger;
mod provider;
mod search;
mod writes;
