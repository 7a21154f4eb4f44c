//! Death at every point of a run: what has happened stays, what has not does not, and the next run goes on.

use mock_host::contract::{Answer, Change, Request, Response};
use mock_host::trace::Call;
use mock_host::{Death, DeathPoint, MockHost, OrDeath, Rights, Side, World};

use crate::scripts::request;

/// A service that counts what reached it.
#[derive(Default)]
struct Ledger(Vec<String>);

impl World for Ledger {
    fn send(&mut self, requests: Vec<Request>) -> Vec<Answer> {
        self.0
            .extend(requests.iter().map(|request| request.path.clone()));
        requests
            .iter()
            .map(|_| {
                Ok(Response {
                    status: 200,
                    headers: vec![],
                    body: String::new(),
                })
            })
            .collect()
    }

    fn now(&mut self) -> u64 {
        1
    }
}

/// Intent, batch, result: three calls. The second request of the batch is one that no host sends.
fn job(host: &mut MockHost<Ledger>) -> OrDeath<()> {
    host.begin(Rights::Write);
    let state = |value: &str| Change {
        table: "t".to_owned(),
        key: "state".to_owned(),
        value: Some(value.to_owned()),
    };
    host.commit(vec![], vec![state("sending")], vec![])?
        .unwrap();
    host.send(
        ["a", "/refused", "b", "c"]
            .map(|path| request("POST", "sage", path))
            .to_vec(),
    )?;
    host.commit(vec![], vec![state("synced")], vec![])?.unwrap();
    Ok(())
}

#[test]
fn a_death_leaves_exactly_what_had_happened() {
    let mut undisturbed = MockHost::new(Ledger::default());
    job(&mut undisturbed).unwrap();
    assert_eq!(undisturbed.calls(), 3);
    let within = |sent| DeathPoint {
        call: 2,
        side: Side::Within(sent),
    };
    let at = |call, side| DeathPoint { call, side };
    for (point, state, sent) in [
        (at(1, Side::Before), None, 0),
        (at(1, Side::After), Some("sending"), 0),
        (at(2, Side::Before), Some("sending"), 0),
        (within(0), Some("sending"), 0),
        (within(1), Some("sending"), 1),
        (within(2), Some("sending"), 2),
        (within(3), Some("sending"), 3),
        (within(9), Some("sending"), 3),
        (at(2, Side::After), Some("sending"), 3),
        (at(3, Side::Before), Some("sending"), 3),
        (at(3, Side::Within(0)), Some("synced"), 3),
        (at(3, Side::After), Some("synced"), 3),
    ] {
        let mut host = MockHost::new(Ledger::default());
        host.die_at(point);
        assert_eq!(job(&mut host), Err(Death(point)));
        assert_eq!(host.calls(), point.call, "{point:?}");
        assert_eq!(host.storage.value("t", "state"), state, "{point:?}");
        assert_eq!(host.world.0, ["a", "b", "c"][..sent], "{point:?}");
        let told = host.trace().len() as u64;
        assert_eq!(
            told,
            if point.side == Side::Before {
                point.call - 1
            } else {
                point.call
            },
            "{point:?}"
        );
        job(&mut host)
            .unwrap_or_else(|death| panic!("{point:?}: a run dies once, and {death} again"));
        assert_eq!(host.storage, undisturbed.storage, "{point:?}");
    }
}

#[test]
fn a_point_that_a_run_never_reaches_kills_nobody() {
    let mut host = MockHost::new(Ledger::default()).without_trace();
    host.die_at(DeathPoint {
        call: 4,
        side: Side::Before,
    });
    job(&mut host).unwrap();
    assert!(host.trace().is_empty());
    let Err(death) = host.log("info", "one call more") else {
        panic!("the fourth call was to die")
    };
    assert_eq!(death.to_string(), "died before capability call 4");
}

#[test]
fn a_trace_tells_what_was_sent_and_what_was_refused() {
    let mut host = MockHost::new(Ledger::default());
    job(&mut host).unwrap();
    let Call::Send { exchanges } = &host.trace()[1].call else {
        panic!("the second call sends")
    };
    let told: Vec<_> = exchanges
        .iter()
        .map(|e| (e.request.path.as_str(), e.sent, e.answer.is_ok()))
        .collect();
    assert_eq!(
        told,
        [
            ("a", true, true),
            ("/refused", false, false),
            ("b", true, true),
            ("c", true, true)
        ]
    );
}
