//! What holds for every page.

use reqwest::{Method, StatusCode};

use super::site::{Page, Site};

#[tokio::test]
async fn requests_of_other_sites_change_nothing_and_every_page_guards_itself() {
    let site = Site::new("/x/y").await;
    let mut ann = site.ann().await;
    let form = [("name", "changed by another site")];
    let foreign: [&[(&str, &str)]; 4] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
    ];
    for headers in foreign {
        let answer = ann
            .send(Method::POST, "/installations/isp/settings", headers, &form)
            .await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{headers:?}");
    }
    assert!(site.store.settings("isp").await.unwrap().is_empty());

    let large = "x".repeat(2 << 20);
    let answer = ann
        .post("/installations/isp/settings", &[("name", &large)])
        .await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);

    for path in [
        "/installations",
        "/installations/isp/settings",
        "/login",
        "/health",
        "/nothing",
        "/assets/nothing",
    ] {
        let answer = ann.send(Method::GET, path, &[], &[]).await;
        let headers = answer.headers().clone();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'self'") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!policy.contains("unsafe"));
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "same-origin");
        assert_eq!(headers["cache-control"], "no-store");
        let text = answer.text().await.unwrap();
        assert!(
            !text.contains("<script>") && !text.contains(" style=") && !text.contains(" onclick"),
            "{path}"
        );
        // Under a base path no link leads out of it.
        for address in text.split(['"']).filter(|part| part.starts_with('/')) {
            assert!(address.starts_with("/x/y/"), "{address} on {path}");
        }
    }
    let page = ann.get("/installations").await;
    for name in page
        .text
        .split('"')
        .filter_map(|part| part.strip_prefix("/x/y"))
        .filter(|path| path.starts_with("/assets/"))
    {
        let asset = ann.send(Method::GET, name, &[], &[]).await;
        assert_eq!(asset.status(), StatusCode::OK, "{name}");
        assert!(
            asset.headers()["cache-control"]
                .to_str()
                .unwrap()
                .contains("immutable")
        );
    }
    // Nothing is to be had by reading only: these addresses take a form.
    for path in [
        "/installations/isp/check",
        "/installations/isp/jobs/finish",
        "/runs/1/stop",
        "/logout",
    ] {
        assert_eq!(
            ann.get(path).await.status,
            StatusCode::METHOD_NOT_ALLOWED,
            "{path}"
        );
    }
    site.stop().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_in_the_words_of_the_pages() {
    let site = Site::new("/x").await;
    let mut ann = site.ann().await;
    let large = "x".repeat(2 << 20);
    let settings = "/installations/isp/settings";
    for (page, status, says) in [
        (
            ann.get("/runs/%3Cb%3E").await,
            StatusCode::BAD_REQUEST,
            "cannot be read",
        ),
        (
            ann.get("/installations/isp/setup?step=x").await,
            StatusCode::BAD_REQUEST,
            "cannot be read",
        ),
        (
            ann.post("/people", &[]).await,
            StatusCode::UNPROCESSABLE_ENTITY,
            "cannot be read",
        ),
        (
            ann.post(settings, &[("name", &large)]).await,
            StatusCode::PAYLOAD_TOO_LARGE,
            "is too large",
        ),
    ] {
        assert_eq!(page.status, status);
        page.shows(&["<!doctype html>", "href=\"/x/assets/", says]);
        assert!(
            !page.has("i64") && !page.has("deserialize"),
            "{}",
            page.text
        );
    }
    let request = site.client.post(format!("{}{settings}", site.address));
    let request = request
        .header("cookie", ann.cookie.clone().unwrap())
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/json");
    let page = Page::of(request.body("{}").send().await.unwrap()).await;
    assert_eq!(page.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    page.shows(&["cannot be read"]);
    site.stop().await;
}
