//! The program itself with its log at the finest level, its server, and somebody at its pages. All that they say is kept.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread::JoinHandle;

use reqwest::{Client, Method, StatusCode};

/// The program with its log at the finest level. What it says, and whether it worked.
pub struct Program<'a> {
    pub data: &'a Path,
    pub url: &'a str,
    pub outputs: Mutex<Vec<(String, Vec<u8>)>>,
}

impl Program<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_addon-host"));
        command
            .arg("--data")
            .arg(self.data)
            .args(["--database", self.url])
            .args(arguments)
            .env_remove("ADDON_HOST_MASTER_KEY_FILE")
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn run(&self, arguments: &[&str], input: &str) -> bool {
        let mut child = self.command(arguments).spawn().unwrap();
        // Some end without reading it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let command = arguments[..arguments.len().min(3)].join(" ");
        self.keep(format!("output of {command}"), output.stdout);
        self.keep(format!("log of {command}"), output.stderr);
        output.status.success()
    }

    fn keep(&self, name: String, output: Vec<u8>) {
        self.outputs.lock().unwrap().push((name, output));
    }
}
/// `serve`, with what it logs.
pub struct Server<'a> {
    program: &'a Program<'a>,
    child: Child,
    pub address: String,
    log: Option<JoinHandle<Vec<u8>>>,
}

pub fn serve<'a>(program: &'a Program<'a>) -> Server<'a> {
    let mut child = program
        .command(&["serve", "--listen", "127.0.0.1:0"])
        .spawn()
        .unwrap();
    let mut log = child.stderr.take().unwrap();
    // Read at once, or the pipe would be full.
    let log = std::thread::spawn(move || {
        let mut text = Vec::new();
        log.read_to_end(&mut text).unwrap();
        text
    });
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("admin page: ").unwrap();
    Server {
        program,
        child,
        address: address.trim_end_matches('/').to_owned(),
        log: Some(log),
    }
}

impl Server<'_> {
    pub fn stop(mut self) {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(self.child.wait().unwrap().success());
        let log = self.log.take().unwrap().join().unwrap();
        assert!(log.len() > 10_000, "the log is at its finest level");
        self.program.keep("log of the server".to_owned(), log);
    }
}

/// A person at the admin pages. Everything that comes back is kept, but for the cookie.
pub struct Browser<'a> {
    pub program: &'a Program<'a>,
    pub client: Client,
    pub address: String,
    pub cookie: String,
}

impl Browser<'_> {
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        header: (&str, &str),
        body: String,
    ) -> StatusCode {
        let request = self
            .client
            .request(method.clone(), format!("{}{path}", self.address))
            .header("cookie", &self.cookie)
            .header(header.0, header.1);
        let answer = request.body(body).send().await.unwrap();
        let status = answer.status();
        let mut kept = String::new();
        for (name, value) in answer.headers() {
            let value = value.to_str().unwrap();
            if name == "set-cookie" {
                let cookie = value.split(';').next().unwrap();
                // The other one says that this browser was here before.
                if cookie.starts_with("addon_host_session=") {
                    self.cookie = cookie.to_owned();
                }
            } else {
                kept.push_str(&format!("{name}: {value}\n"));
            }
        }
        kept.push_str(&answer.text().await.unwrap());
        self.program
            .keep(format!("{status} {method} {path}"), kept.into_bytes());
        status
    }

    pub async fn get(&mut self, path: &str) -> StatusCode {
        self.send(Method::GET, path, ("accept", "text/html"), String::new())
            .await
    }

    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> StatusCode {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        let kind = ("content-type", "application/x-www-form-urlencoded");
        self.send(Method::POST, path, kind, body.finish()).await
    }
}
