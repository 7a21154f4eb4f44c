//! Every place at which a run can die, one after the other: before, after, and in the middle of every capability call. What
//! starts again afterwards must come to the same end as if nothing had happened.

use addon_manifest::Manifest;
use chrono::TimeDelta;
use mock_host::trace::{Call, Exchange, Step};
use mock_host::{DeathPoint, Side};
use sandbox::isp::{Isp, Size};
use serde_json::json;
use simulation::installation::Installation;
use simulation::world::MANIFEST;
use splynx_sageone::capability::Pair;

use crate::busy::{busy, options};
use crate::component::component;
use crate::picture::{differences, picture};

/// A world before a job, and the job. Clones go ways of their own.
#[derive(Clone)]
struct Scene {
    job: String,
    options: Vec<Pair>,
    installation: Installation,
}

impl Scene {
    /// The first sync of a provider.
    fn first_sync(isp: &Isp) -> Self {
        Self::of_sync(Installation::new(isp, false))
    }

    fn of_sync(mut installation: Installation) -> Self {
        // What was made just before a death is not in Sage's lists when the next run begins.
        let lag =
            json!({"entity": "behaviour", "act": "update", "fields": {"list_lag_seconds": 90}});
        installation.in_sage(&lag);
        Self {
            job: "sync".to_owned(),
            options: Vec::new(),
            installation,
        }
    }

    /// A job, a day after the last sync, when everything has happened in both services.
    fn busy_day(job: &str) -> Self {
        let mut desk = busy();
        Self {
            job: job.to_owned(),
            options: options(&mut desk, job),
            installation: desk.installation,
        }
    }

    /// Runs the job and notes the places at which it could have died.
    fn survey(&mut self) -> Vec<DeathPoint> {
        self.installation.host().keep_trace();
        let ended = self.installation.run_with(&self.job, &self.options);
        ended.unwrap_or_else(|why| panic!("{}: {why:?}", self.job));
        places(self.installation.host().trace())
    }

    /// What a death leaves behind.
    fn survivor(&self, point: DeathPoint) -> Self {
        let mut survivor = self.clone();
        let died = survivor
            .installation
            .run_with_and_die(&self.job, &self.options, point);
        assert!(died, "{}: {point:?} is within the run", self.job);
        survivor
    }

    fn compare(self, expected: &[String], case: &str) {
        let found = differences(expected, &self.settled());
        assert!(found.is_empty(), "{case}: {found:#?}");
    }

    /// What it comes to after a few more runs, as the scheduler would start them.
    fn settled(mut self) -> Vec<String> {
        let again = (self.job.as_str(), self.options.as_slice());
        let sync = ("sync", &[][..]);
        for (minutes, (job, options)) in [(0, again), (6, again), (6, sync), (6, sync)] {
            self.installation.advance(TimeDelta::minutes(minutes));
            let ended = self.installation.run_with(job, options);
            ended.unwrap_or_else(|why| panic!("{job} after {}: {why:?}", self.job));
        }
        picture(&mut self.installation)
    }
}

/// The places within a run at which a death leaves something else behind: before the first call, and after every part of a call that
/// changes the world or the storage. A death at any other place leaves what a death at the last of these before it leaves.
fn places(trace: &[Step]) -> Vec<DeathPoint> {
    let mut points = vec![DeathPoint {
        call: 1,
        side: Side::Before,
    }];
    for step in trace {
        let changes = match &step.call {
            Call::Send { exchanges } => {
                let writes =
                    |exchange: &Exchange| exchange.sent && exchange.request.effect == "write";
                exchanges.iter().filter(|exchange| writes(exchange)).count()
            }
            Call::Commit { failure: None, .. } | Call::SetFetched { failure: None, .. } => 1,
            _ => 0,
        };
        let sides = (1..changes)
            .map(Side::Within)
            // Several at once: any of them may have got out.
            .chain(
                (changes > 1)
                    .then(|| Side::Among(0x5bd1_e995_9d1b_58a3_u64.rotate_left(changes as u32))),
            )
            .chain((changes > 0).then_some(Side::After));
        points.extend(sides.map(|side| DeathPoint {
            call: step.number,
            side,
        }));
    }
    points
}

/// Every single place of a scene.
fn every_place(scene: &Scene) {
    let mut undisturbed = scene.clone();
    let points = undisturbed.survey();
    let expected = undisturbed.settled();
    println!("{}: {} places", scene.job, points.len());
    for point in points {
        let survivor = scene.survivor(point);
        survivor.compare(&expected, &format!("{} dies at {point:?}", scene.job));
    }
}

/// About so many pairs of a scene are lived through; `EVERY_PAIR=1` lives through all, which takes a quarter of an hour.
const MOST_PAIRS: usize = 3_000;

/// Every two places: the run that goes on after the first death dies as well.
fn every_two_places(scene: &Scene) {
    let mut undisturbed = scene.clone();
    let points = undisturbed.survey();
    let expected = undisturbed.settled();
    let every = match std::env::var_os("EVERY_PAIR") {
        Some(_) => 1,
        None => points.len().pow(2).div_ceil(MOST_PAIRS),
    };
    let mut pairs = 0;
    for (turn, first) in points.into_iter().enumerate() {
        let survivor = scene.survivor(first);
        let seconds = survivor.clone().survey().into_iter().enumerate();
        // Another share of the places for each first one, so that each place is a second one somewhere.
        for (_, second) in seconds.filter(|(place, _)| (place + turn) % every == 0) {
            pairs += 1;
            let case = format!("{} dies at {first:?} and {second:?}", scene.job);
            survivor.survivor(second).compare(&expected, &case);
        }
    }
    println!("{}: {pairs} pairs", scene.job);
}

/// The first sync of a tiny provider, a few objects of each kind.
pub fn a_tiny_sync_can_die_at_any_place() {
    let isp = Isp::seeded(Size::Tiny, 3);
    every_place(&Scene::first_sync(&isp));
}

/// The first sync of a small provider, which makes about 1,150 objects in Sage.
#[test]
fn a_first_sync_can_die_at_any_place() {
    let isp = Isp::seeded(Size::Small, 3);
    every_place(&Scene::first_sync(&isp));
}

/// Every job that writes, with work of all kinds to do.
#[test]
fn every_job_can_die_at_any_place() {
    let manifest = Manifest::parse(MANIFEST).expect("the add-on's manifest is valid");
    for job in &manifest.jobs {
        every_place(&Scene::busy_day(&job.id));
    }
}

/// The real component, before and after each single capability call of a tiny provider's first sync and within its batches.
#[test]
fn the_component_can_die_at_any_call() {
    let Some(plugin) = component() else {
        return;
    };
    let isp = Isp::seeded(Size::Tiny, 3);
    let scene = Scene::of_sync(Installation::with_component(&isp, false, plugin));
    let mut undisturbed = scene.clone();
    let within = undisturbed.survey();
    let within = within
        .iter()
        .filter(|point| !matches!(point.side, Side::Before | Side::After));
    let calls = undisturbed.installation.host().calls();
    let sides = [Side::Before, Side::After];
    let points = (1..=calls).flat_map(|call| sides.map(|side| DeathPoint { call, side }));
    let points: Vec<DeathPoint> = points.chain(within.copied()).collect();
    let expected = undisturbed.settled();
    println!("{} places", points.len());
    for point in points {
        let survivor = scene.survivor(point);
        survivor.compare(&expected, &format!("dies at {point:?}"));
    }
}

#[test]
fn a_first_sync_can_die_at_any_two_places() {
    let isp = Isp::seeded(Size::Tiny, 3);
    every_two_places(&Scene::first_sync(&isp));
}

#[test]
fn every_job_can_die_at_any_two_places() {
    let manifest = Manifest::parse(MANIFEST).expect("the add-on's manifest is valid");
    for job in &manifest.jobs {
        every_two_places(&Scene::busy_day(&job.id));
    }
}
