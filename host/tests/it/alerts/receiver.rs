//! A receiver of web hooks on this machine, which keeps what it is given.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use tokio::net::TcpListener;

pub struct Receiver {
    /// Ends with a slash.
    pub address: String,
    got: Arc<Mutex<Vec<(HeaderMap, String)>>>,
}

impl Receiver {
    /// `/taken` takes everything, `/moved` sends everybody there, all else is refused.
    pub async fn open() -> Self {
        let got: Arc<Mutex<Vec<(HeaderMap, String)>>> = Arc::default();
        let take =
            async |State(got): State<Arc<Mutex<Vec<_>>>>, headers: HeaderMap, body: Bytes| {
                let body = String::from_utf8(body.to_vec()).unwrap();
                got.lock().unwrap().push((headers, body));
            };
        let moved = async || {
            (
                StatusCode::TEMPORARY_REDIRECT,
                [(header::LOCATION, "/taken")],
            )
                .into_response()
        };
        let router = Router::new()
            .route("/taken", axum::routing::post(take))
            .route("/moved", axum::routing::post(moved))
            .with_state(got.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, got }
    }

    /// What came since it was asked last.
    pub fn collect(&self) -> Vec<(HeaderMap, String)> {
        std::mem::take(&mut self.got.lock().unwrap())
    }
}
