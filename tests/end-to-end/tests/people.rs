//! A Splynx administrator at the host's door, with the stand-in for Splynx behind it.

use end_to_end::{Serve, Stage, component, post_form};
use sandbox::isp::{Isp, Size};

#[test]
fn an_administrator_of_splynx_logs_in_with_the_password_there_once_the_operator_admits_them() {
    let Some(path) = component() else { return };
    let stage = Stage::new("tiny");
    stage.set_up(&std::fs::read(path).expect("the component"));
    // The provider of the stage.
    let splynx = Isp::seeded(Size::Tiny, 1).splynx;
    let (login, password) = (splynx.admin_login, splynx.admin_password);
    let serve = Serve::start(&stage);
    let log_in = |password: &str| {
        let form = format!("account={login}@isp&password={password}");
        post_form(&serve.at("login"), "", &form)
    };
    assert_eq!(log_in(&password).status, 401, "off unless it is said");
    let role = "super-administrator=operate";
    stage.host(&["user", "admit", "isp", "--role", role]).ok();
    assert_eq!(log_in("wrong").status, 401);
    let entered = log_in(&password);
    assert_eq!(entered.status, 303, "{entered:?}");
    let cookie = entered.header("set-cookie").expect("a session");
    let cookie = cookie.split(';').next().unwrap_or_default();
    assert_eq!(serve.page("installations/isp", cookie).status, 200);
    let refused = post_form(&serve.at("installations/isp/settings"), cookie, "");
    assert_eq!(refused.status, 403, "{refused:?}");
    stage.host(&["user", "admit", "isp"]).ok();
    assert_eq!(
        serve.page("installations/isp", cookie).status,
        303,
        "out at once"
    );
    assert_eq!(log_in(&password).status, 401);
}
