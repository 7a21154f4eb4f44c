//! The services behind real HTTP: one address each, a clock and a fault plan that they share.
//!
//! Below `/_sandbox/` each address takes orders (`control`); everything else goes to the service, through the fault plan. The server
//! adds nothing to an answer but what HTTP needs, so that in-process tests and clients on the network see the same service.

mod clock;
mod control;
mod exchange;
mod hooks;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

pub use clock::Clock;
pub use hooks::send_web_hooks;

use crate::faults::{self, Delivery, FaultPlan, Party};
use crate::http::{Request, Response, Service};
use exchange::{ConnectionLost, Outgoing};

/// What both services of a sandbox share.
#[derive(Debug)]
pub struct World {
    pub clock: Clock,
    faults: Mutex<FaultPlan>,
}

impl World {
    pub fn new(clock: Clock, faults: FaultPlan) -> Arc<Self> {
        Arc::new(Self {
            clock,
            faults: Mutex::new(faults),
        })
    }

    fn faults(&self) -> MutexGuard<'_, FaultPlan> {
        unpoisoned(&self.faults)
    }
}

/// Makes a service anew, as it was at the start; the error is for whoever ordered the reset.
type Maker<S> = Box<dyn Fn() -> Result<S, String> + Send + Sync>;

/// A service that is being served.
pub struct Seat<S> {
    party: Party,
    world: Arc<World>,
    service: Mutex<S>,
    again: Maker<S>,
}

impl<S: Service + Send + 'static> Seat<S> {
    /// `again` makes the service anew, as it was at the start, for a reset; its error is shown to who ordered it.
    pub fn new(
        party: Party,
        world: Arc<World>,
        service: S,
        again: impl Fn() -> Result<S, String> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            party,
            world,
            service: Mutex::new(service),
            again: Box::new(again),
        })
    }

    fn service(&self) -> MutexGuard<'_, S> {
        unpoisoned(&self.service)
    }

    /// What comes of a request, waiting included.
    async fn deliver(&self, request: Request) -> Result<Outgoing, ConnectionLost> {
        if let Some(order) = request.path.strip_prefix("/_sandbox/") {
            return Ok(Outgoing::whole(self.control(order, &request)));
        }
        // The guards must be gone before anybody waits.
        let delivery = {
            let mut service = self.service();
            let mut plan = self.world.faults();
            let now = self.world.clock.now();
            faults::apply(&mut *service, self.party, &request, now, &mut plan)
        };
        match delivery {
            Delivery::Answer(response) => Ok(Outgoing::whole(response)),
            Delivery::Dropped { .. } => Err(ConnectionLost),
            Delivery::Truncated { response, bytes } => Ok(Outgoing::cut(response, bytes)),
            Delivery::Delayed { response, ms } => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Ok(Outgoing::whole(response))
            }
            Delivery::Late { ms } => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Ok(Outgoing::whole(self.handle(&request)))
            }
        }
    }

    fn handle(&self, request: &Request) -> Response {
        self.service().handle(request, self.world.clock.now())
    }
}

/// A service with its address: bound, and not yet answering.
pub struct Server<S> {
    listener: TcpListener,
    address: SocketAddr,
    seat: Arc<Seat<S>>,
}

impl<S: Service + Send + 'static> Server<S> {
    /// Takes the address; port 0 is any free one.
    pub async fn bind(seat: Arc<Seat<S>>, address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            address,
            seat,
        })
    }

    /// The address with its real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until it is dropped.
    pub async fn run(self) -> Infallible {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    tokio::spawn(converse(Arc::clone(&self.seat), stream, peer.ip()));
                }
                // Of one connection, or too many open files: either passes.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

/// Answers the requests of one connection.
async fn converse<S: Service + Send + 'static>(
    seat: Arc<Seat<S>>,
    stream: TcpStream,
    peer: IpAddr,
) {
    let answer = service_fn(|incoming| {
        let seat = Arc::clone(&seat);
        async move {
            let request = match exchange::read(incoming, peer).await {
                Ok(request) => request,
                Err(refusal) => return Ok(Outgoing::whole(refusal).into_http()),
            };
            // In a task of its own: a client that goes away must not take back what it sent.
            let delivery = tokio::spawn(async move { seat.deliver(request).await }).await;
            delivery
                .unwrap_or(Err(ConnectionLost))
                .map(Outgoing::into_http)
        }
    });
    // Both sides may end a connection at any moment, and plans make it happen: no error worth a word.
    let _ended = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

/// A panic in a service is a defect that a test has seen by then; the other requests may go on.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
