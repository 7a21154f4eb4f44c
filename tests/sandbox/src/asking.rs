//! `sandbox verify`: asks the real services, prints what is to be said of each fact, and keeps the answers.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use chrono::Utc;
use clap::Args;

use sandbox::faults::Party;
use sandbox::verify::answers::Answers;
use sandbox::verify::asker::{Mode, SageAccess, SplynxAccess, title};
use sandbox::verify::findings::Verdict;
use sandbox::verify::over_http::OverHttp;
use sandbox::verify::{self, Accesses, Asked};

/// What `verify` may be told.
#[derive(Args)]
pub struct Verify {
    /// Asks the Splynx server at this address, such as https://splynx.example.com/.
    #[arg(long, value_name = "URL")]
    splynx: Option<String>,
    /// Asks Sage, at its own address where none is given.
    #[arg(
        long,
        value_name = "URL",
        num_args = 0..=1,
        default_missing_value = "https://accounting.sageone.co.za/api/2.0.0/"
    )]
    sage: Option<String>,
    /// Id of the Sage company; needed where the login sees several.
    #[arg(long, value_name = "ID")]
    sage_company: Option<i64>,
    /// File of KEY=VALUE lines: splynx_api_key, splynx_api_secret, sage_login, sage_password, sage_api_key. What is not in it is taken
    /// from environment variables of the same names in capitals.
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
    /// Also makes and removes objects, in a company and on a server that hold nothing else; refused elsewhere.
    #[arg(long)]
    trial_company: bool,
    /// Keeps the answers in a file, for `serve --as`. It holds nothing of customers.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Prints the answers as JSON.
    #[arg(long)]
    json: bool,
    /// Milliseconds between two requests to Sage, which allows 100 a minute; at least 650.
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    pause: u64,
}

/// Asks; exit code 0 where all that was told is as assumed, 1 where something is otherwise.
pub fn run(options: &Verify) -> anyhow::Result<ExitCode> {
    let mode = match options.trial_company {
        true => Mode::Trial,
        false => Mode::Reading,
    };
    let accesses = accesses(options)?;
    let pause = Duration::from_millis(options.pause);
    let mut transport = OverHttp::new(options.sage.as_deref(), options.splynx.as_deref(), pause)
        .map_err(anyhow::Error::msg)?;
    announce(&accesses, mode, pause);
    let shown = std::io::stderr().is_terminal();
    let mut progress = |service: &'static str, sent: u32| {
        if shown {
            eprint!("\r{service}: {sent} requests ");
        }
    };
    let (asked, stopped) = verify::verify(&mut transport, &accesses, mode, &mut progress);
    if shown {
        eprintln!();
    }
    let answers = Answers::of(&asked, mode, &Utc::now().date_naive().to_string());
    let json = serde_json::to_string_pretty(&answers)? + "\n";
    if let Some(path) = options.output.as_ref().filter(|_| !asked.is_empty()) {
        std::fs::write(path, &json).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut out = std::io::stdout().lock();
    if options.json {
        out.write_all(json.as_bytes())?;
    } else {
        for asked in &asked {
            print(&mut out, asked)?;
        }
    }
    stopped?;
    let differs = |asked: &Asked| {
        let verdicts = asked.findings.verdicts(asked.service);
        verdicts
            .iter()
            .any(|(_, verdict)| matches!(verdict, Verdict::Otherwise(_)))
    };
    Ok(match asked.iter().any(differs) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

/// Says what is about to be asked.
fn announce(accesses: &Accesses, mode: Mode, pause: Duration) {
    let services = [
        accesses.splynx.as_ref().map(|_| Party::Splynx),
        accesses.sage.as_ref().map(|_| Party::Sage),
    ];
    for service in services.into_iter().flatten() {
        let most = verify::estimate(service, mode);
        let each = match service {
            Party::Sage => pause,
            Party::Splynx => Duration::from_millis(200),
        };
        eprintln!(
            "{}: at most {most} requests, about {} seconds",
            title(service),
            (each * most).as_secs().max(1)
        );
    }
    eprintln!(
        "{}",
        match mode {
            Mode::Reading => "Nothing is stored, changed or deleted.",
            Mode::Trial =>
                "Objects named \"Sandbox verify\" are made, and removed as far as the services allow.",
        }
    );
}

fn accesses(options: &Verify) -> anyhow::Result<Accesses> {
    if options.sage.is_none() && options.splynx.is_none() {
        bail!("name whom to ask: --splynx URL, --sage, or both");
    }
    let file = options.secrets.as_deref().map(read).transpose()?;
    let secret = |key: &str| {
        let line = |line: &str| {
            let (name, value) = line.split_once('=')?;
            (name.trim() == key).then(|| value.trim().to_owned())
        };
        let in_file = file.iter().flat_map(|text| text.lines()).find_map(line);
        let variable = key.to_uppercase();
        in_file
            .or_else(|| std::env::var(&variable).ok())
            .filter(|value| !value.is_empty())
            .with_context(|| {
                format!("{key} is missing: set the environment variable {variable}, or write it into the file of --secrets")
            })
    };
    let splynx = |_: &String| -> anyhow::Result<SplynxAccess> {
        Ok(SplynxAccess {
            key: secret("splynx_api_key")?,
            secret: secret("splynx_api_secret")?,
        })
    };
    let sage = |_: &String| -> anyhow::Result<SageAccess> {
        Ok(SageAccess {
            login: secret("sage_login")?,
            password: secret("sage_password")?,
            api_key: secret("sage_api_key")?,
            company: options.sage_company,
        })
    };
    Ok(Accesses {
        splynx: options.splynx.as_ref().map(splynx).transpose()?,
        sage: options.sage.as_ref().map(sage).transpose()?,
    })
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// All facts of a service, those that are otherwise first.
fn print(out: &mut impl Write, asked: &Asked) -> std::io::Result<()> {
    let verdicts = asked.findings.verdicts(asked.service);
    let of = |rank: u8| {
        verdicts
            .iter()
            .filter(move |(_, verdict)| ranked(verdict) == rank)
    };
    writeln!(
        out,
        "{}: {} requests; {} facts otherwise, {} as assumed, {} not told",
        title(asked.service),
        asked.requests,
        of(0).count(),
        of(1).count(),
        of(2).count()
    )?;
    for (fact, verdict) in (0..3).flat_map(of) {
        let (said, answer) = match verdict {
            Verdict::Otherwise(answer) => ("otherwise", answer.as_str()),
            Verdict::AsAssumed => ("as assumed", ""),
            Verdict::NotTold(why) => ("not told", why.as_str()),
        };
        let answer = match answer {
            "" => String::new(),
            answer => format!(" [{answer}]"),
        };
        writeln!(out, "  {said:<10} {:<10} {}{answer}", fact.id, fact.text)?;
    }
    Ok(())
}

fn ranked(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Otherwise(_) => 0,
        Verdict::AsAssumed => 1,
        Verdict::NotTold(_) => 2,
    }
}
