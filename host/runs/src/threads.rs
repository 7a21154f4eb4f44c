//! Guests compute on threads of their own. The threads of the executor, which everybody's pages, requests and leases live on, are a
//! handful: a guest that takes its time, or a large text that passes between it and the host, would keep them all waiting. So it is the
//! operating system that shares the machine out between guests, and between them and the host.
//!
//! Beware: dropping the future that waits has to end the guest, as it would if both were one task.

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use addon_store::Failure;

/// By how much guests stand back where the machine is busy.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

/// Computes on a new thread. A failure means that the guest's thread could not be made or broke down.
pub async fn on_own_thread<T: Send + 'static>(
    call: impl Future<Output = T> + Send + 'static,
) -> Result<T, Failure> {
    let runtime = Handle::current();
    let (mut answer, answered) = oneshot::channel();
    let work = move || {
        stand_back();
        runtime.block_on(async move {
            let called = tokio::select! {
                biased;
                // Nobody waits any more.
                () = answer.closed() => return,
                called = call => called,
            };
            // Whoever waited may have gone at this very moment.
            let _ = answer.send(called);
        });
    };
    let thread = std::thread::Builder::new().name("guest".to_owned());
    if let Err(error) = thread.spawn(work) {
        tracing::error!(%error, "no thread for a guest");
        return Err(broken());
    }
    answered.await.map_err(|_| broken())
}

#[cfg(target_os = "linux")]
fn stand_back() {
    // On Linux it is a thread's own. Where it is not permitted, guests are as quick as their host.
    let _ = rustix::process::nice(NICE);
}

#[cfg(not(target_os = "linux"))]
fn stand_back() {}

fn broken() -> Failure {
    Failure::new(
        "internal",
        "The host failed while it ran this; see the host's log.",
    )
}
