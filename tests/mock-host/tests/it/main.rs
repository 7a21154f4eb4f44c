//! The mock host as testers meet it: its storage, its scripts, and components that run in it.

#[cfg(feature = "component")]
mod component;
mod deaths;
#[cfg(feature = "component")]
mod examples;
mod scripts;
mod storage;
#[cfg(feature = "component")]
mod template;
