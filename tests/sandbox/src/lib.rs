//! Local stand-ins for the Splynx and Sage APIs, and seeded internet providers to fill them with.
//!
//! Both services are pure state machines ([`http::Service`]): request and time in, answer out. So a test can run a provider's
//! year in seconds and in process; [`server`] puts the same machines behind real HTTP for everybody else.

pub mod compare;
pub mod facts;
pub mod faults;
pub mod http;
pub mod isp;
pub mod journal;
pub mod sage;
pub mod server;
pub mod splynx;
pub mod verify;
