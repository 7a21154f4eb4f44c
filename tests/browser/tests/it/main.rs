//! Whole stories, as the people would tell them who use the admin pages. Each has a provider, a host and a browser of its own.

mod doors;
mod hostile;
mod keyboard;
mod office;
mod pages;
mod repair;
mod runs;
mod set_up;
mod update;
