//! The pages behind a reverse proxy that shares one address among several services.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Response, header};
use reqwest::{Client, Method, StatusCode, redirect};
use tokio::net::TcpListener;

use super::site::{PASSWORD, Site};

/// A small real proxy: everything under `/addons` goes to the host, as it came; the rest is another service.
async fn proxy(upstream: &str) -> String {
    let upstream = upstream.strip_suffix("/addons").unwrap().to_owned();
    let client = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .build()
        .unwrap();
    let forward = move |request: Request| {
        let (client, upstream) = (client.clone(), upstream.clone());
        async move {
            let (head, body) = request.into_parts();
            if !head.uri.path().starts_with("/addons") {
                return Response::new(Body::from("another service"));
            }
            let body = to_bytes(body, 1 << 20).await.unwrap();
            let mut headers = head.headers;
            // As proxies do where nobody configured them otherwise: the host's name is the upstream's.
            headers.remove(header::HOST);
            headers.insert("x-forwarded-proto", "https".parse().unwrap());
            let answer = client
                .request(head.method, format!("{upstream}{}", head.uri))
                .headers(headers)
                .body(body)
                .send()
                .await
                .unwrap();
            let mut response = Response::builder().status(answer.status());
            response
                .headers_mut()
                .unwrap()
                .extend(answer.headers().clone());
            response
                .headers_mut()
                .unwrap()
                .remove(header::TRANSFER_ENCODING);
            response
                .body(Body::from(answer.bytes().await.unwrap()))
                .unwrap()
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(forward)).await });
    address
}

#[tokio::test]
async fn everything_works_under_a_path_behind_a_proxy() {
    let site = Site::new("/addons").await;
    let public = proxy(&site.address).await;
    let send = async |method: Method, path: &str, cookie: &str, form: &str| {
        let request = site
            .client
            .request(method, format!("{public}{path}"))
            .header("cookie", cookie)
            .header("sec-fetch-site", "same-origin")
            .header("origin", "https://isp.example")
            .header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(form.to_owned()).send().await.unwrap();
        let head = |name: &str| {
            let value = answer.headers().get(name);
            value.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
        };
        let (status, location, cookie) = (answer.status(), head("location"), head("set-cookie"));
        (status, location, cookie, answer.text().await.unwrap())
    };
    let page = async |path: &str, cookie: &str| send(Method::GET, path, cookie, "").await;
    assert_eq!(page("/", "").await.3, "another service");
    // From the bare path to the log-in and in.
    assert_eq!(page("/addons/", "").await.1, "/addons/installations");
    let (status, login, ..) = page("/addons/installations/isp/settings", "").await;
    assert_eq!(
        (status, login.as_str()),
        (
            StatusCode::SEE_OTHER,
            "/addons/login?next=%2Finstallations%2Fisp%2Fsettings"
        )
    );
    let form = format!(
        "account=ann&password={}&next=/installations/isp/settings",
        PASSWORD.replace(' ', "+")
    );
    let (status, to, set, _) = send(Method::POST, "/addons/login", "", &form).await;
    assert_eq!(
        (status, to.as_str()),
        (StatusCode::SEE_OTHER, "/addons/installations/isp/settings")
    );
    assert!(
        set.contains("; Path=/addons;") && set.contains("; Secure"),
        "{set}"
    );
    let cookie = set.split(';').next().unwrap();
    // Wherever the links lead: every page is there, and none leads out of the path.
    let mut ahead = vec![
        "/addons/installations".to_owned(),
        "/addons/sessions".to_owned(),
    ];
    let mut seen = Vec::new();
    while let Some(path) = ahead.pop() {
        let (status, _, _, text) = page(&path, cookie).await;
        assert!(
            status.is_success() || status == StatusCode::BAD_GATEWAY,
            "{path}: {status}"
        );
        seen.push(path);
        let addresses = ["href=\"", "action=\"", "src=\""];
        let found = addresses.iter().flat_map(|name| text.split(*name).skip(1));
        for address in found.filter_map(|rest| rest.split('"').next()) {
            assert!(
                address.starts_with("/addons/") || address.starts_with(['#', '?']),
                "{address}"
            );
        }
        for link in text
            .split("href=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            let link = link.replace("&amp;", "&").replace("&#38;", "&");
            let link = link.split('#').next().unwrap().to_owned();
            if link.starts_with("/addons/")
                && !seen.contains(&link)
                && !ahead.contains(&link)
                && seen.len() < 60
            {
                ahead.push(link);
            }
        }
    }
    assert!(seen.len() > 10, "{seen:?}");
    // Forms work, too.
    let saved = send(
        Method::POST,
        "/addons/installations/isp/settings",
        cookie,
        "name=behind+a+proxy",
    )
    .await;
    assert!(
        saved.0.is_success() || saved.0.is_redirection(),
        "{}",
        saved.0
    );
    let settings = site.store.settings("isp").await.unwrap();
    assert!(settings.iter().any(|setting| setting.key == "name"));
    let (status, to, ..) = send(Method::POST, "/addons/logout", cookie, "").await;
    assert_eq!(
        (status, to.as_str()),
        (StatusCode::SEE_OTHER, "/addons/login")
    );
    site.stop().await;
}
