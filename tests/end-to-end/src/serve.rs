//! `addon-host serve`, as a service manager would start it, ended with the test.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Stdio};

use crate::Stage;
use crate::http::{Answer, get, post_form};

pub struct Serve {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Serve {
    /// Starts it and waits for its admin pages.
    ///
    /// # Panics
    /// Where it does not come up.
    pub fn start(stage: &Stage) -> Self {
        let mut child = stage
            .host_command()
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the host serves");
        let out = child.stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(out).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.strip_prefix("admin page: ")?.trim().to_owned()))
            .expect("it says where its pages are");
        Self {
            child,
            lines,
            address,
        }
    }

    /// The password that a first start tells.
    ///
    /// # Panics
    /// Where this was not the first start.
    pub fn first_password(&mut self) -> String {
        self.lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let login = line.strip_prefix("first login: admin / ")?;
                Some(login.split(' ').next().unwrap_or_default().to_owned())
            })
            .expect("a first start tells a password")
    }

    /// The full address of a page.
    pub fn at(&self, path: &str) -> String {
        format!("{}{}", self.address, path.trim_start_matches('/'))
    }

    /// Tries to log in.
    pub fn log_in(&self, password: &str) -> Answer {
        let form = format!("account=admin&password={password}");
        post_form(&self.at("login"), "", &form)
    }

    pub fn page(&self, path: &str, cookie: &str) -> Answer {
        get(&self.at(path), cookie)
    }

    /// Presses the button of a job; the path of the run's page where it was started.
    pub fn press(&self, job: &str, cookie: &str) -> Option<String> {
        let path = format!("installations/isp/jobs/{job}");
        let answer = post_form(&self.at(&path), cookie, "");
        let started = (answer.status == 303).then(|| answer.header("location"))?;
        started.map(str::to_owned)
    }

    /// As `kill -9`.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        self.end();
    }
}
