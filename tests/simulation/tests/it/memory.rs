//! The component's memory depends on the size of a page, not on how many records there are.

use chrono::TimeDelta;
use mock_host::component::Limits;
use sandbox::isp::{Isp, Size};
use simulation::installation::Installation;

use crate::component::component;

/// A little more than what 1,100 records need.
const ENOUGH: usize = 4 << 20;

#[test]
fn ten_thousand_records_go_through_the_memory_of_a_thousand() {
    let Some(plugin) = component() else {
        return;
    };
    for (size, days) in [(Size::Small, 1), (Size::Medium, 3)] {
        let limits = Limits {
            memory_bytes: ENOUGH,
            ..Limits::default()
        };
        let plugin = plugin.clone().with_limits(limits);
        let isp = Isp::seeded(size, 1);
        let mut installation = Installation::with_component(&isp, false, plugin);
        let mut done = 0;
        for _ in 0..days {
            let outcome = installation.run("sync").expect("nothing goes wrong");
            done += outcome.counts.iter().map(|(_, count)| count).sum::<u64>();
            // Sage's limit ends a day's work.
            installation.advance(TimeDelta::days(1));
        }
        // The books are compared in it as well.
        installation.run_through("reconcile");
        println!("{size:?}: {done} records in {ENOUGH} bytes");
        assert!(done >= if size == Size::Small { 1_000 } else { 10_000 });
    }
}
