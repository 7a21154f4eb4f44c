//! `sandbox`: serves the two stand-ins for a seeded provider, or prints the provider.

mod asking;

use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::Context;
use chrono::NaiveTime;
use clap::{Args, Parser, Subcommand, ValueEnum};

use sandbox::compare::Comparison;
use sandbox::faults::{FaultPlan, Party, Plan};
use sandbox::isp::{Isp, Size};
use sandbox::sage::{self, Sage};
use sandbox::server::{Clock, Seat, Server, World, send_web_hooks};
use sandbox::splynx::{self, Splynx};
use sandbox::verify::answers::Answers;

/// Local stand-ins for the Splynx and Sage APIs, and seeded internet providers.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves both services until Ctrl-C.
    Serve(Serve),
    /// Prints a provider as JSON, or how the add-on is set up for it.
    Isp(Print),
    /// Asks a real Splynx and a real Sage whether they are as the stand-ins assume: exit code 1 where something is otherwise.
    Verify(asking::Verify),
    /// Says what a synchronisation has brought about: exit code 1 where something is doubled or has two totals.
    Compare(Compare),
}

#[derive(Args)]
struct Compare {
    /// Address of the Splynx stand-in, as `serve` prints it.
    #[arg(long, value_name = "URL")]
    splynx: String,
    /// Address of the Sage stand-in, as `serve` prints it.
    #[arg(long, value_name = "URL")]
    sage: String,
}

#[derive(Args)]
struct Serve {
    /// Address of the Splynx stand-in; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8001")]
    splynx: SocketAddr,
    /// Address of the Sage stand-in; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8002")]
    sage: SocketAddr,
    /// The provider: tiny, small, medium, large, or a JSON file as `sandbox isp` prints it.
    #[arg(long, value_name = "SIZE|FILE", default_value = "small")]
    isp: Source,
    /// What a provider is made from: same size and seed, same provider.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// A fault plan to start with.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Sage's limits on requests per minute and per day.
    #[arg(long, value_enum, default_value = "on")]
    limits: Switch,
    /// virtual: time stands still but for orders to /_sandbox/clock.
    #[arg(long, value_enum, default_value = "real")]
    clock: ClockKind,
    /// Sage already holds what Splynx holds, as another add-on would have left it.
    #[arg(long)]
    in_step: bool,
    /// The stand-ins behave as the real services do by a file of answers that `verify -o` wrote.
    #[arg(long = "as", value_name = "FILE")]
    answers: Option<PathBuf>,
}

#[derive(Args)]
struct Print {
    /// tiny, small, medium, large, or a JSON file.
    #[arg(
        long,
        visible_alias = "isp",
        value_name = "SIZE|FILE",
        default_value = "small"
    )]
    size: Source,
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Instead: the add-on's settings and mappings for it, as KEY=VALUE lines, without addresses and secrets.
    #[arg(long, conflicts_with = "secrets")]
    setup: bool,
    /// Instead: the add-on's secrets for it, as KEY=VALUE lines.
    #[arg(long)]
    secrets: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ClockKind {
    Real,
    Virtual,
}

/// Where a provider comes from.
#[derive(Clone)]
enum Source {
    Seeded(Size),
    File(PathBuf),
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(size) => Ok(Self::Seeded(size)),
            Err(_) if text.ends_with(".json") => Ok(Self::File(PathBuf::from(text))),
            Err(no_size) => Err(format!("{no_size}, or a file that ends in .json")),
        }
    }
}

impl Source {
    fn isp(&self, seed: u64) -> anyhow::Result<Isp> {
        match self {
            Self::Seeded(size) => Ok(Isp::seeded(*size, seed)),
            Self::File(path) => {
                let file =
                    File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
                serde_json::from_reader(BufReader::new(file))
                    .with_context(|| format!("{} is no provider", path.display()))
            }
        }
    }
}

fn main() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Serve(options) => serve(options)?,
        Command::Isp(options) => print(&options)?,
        Command::Verify(options) => return asking::run(&options),
        Command::Compare(options) => return compare(&options),
    }
    Ok(ExitCode::SUCCESS)
}

fn compare(options: &Compare) -> anyhow::Result<ExitCode> {
    let comparison = Comparison::of(&state(&options.splynx)?, &state(&options.sage)?);
    print!("{comparison}");
    Ok(if comparison.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What a stand-in holds. HTTP/1.0, because the connection's end is then the body's.
fn state(url: &str) -> anyhow::Result<serde_json::Value> {
    let host = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split('/').next())
        .with_context(|| format!("{url} is no address as `sandbox serve` prints it"))?;
    let mut stream =
        TcpStream::connect(host).with_context(|| format!("nothing answers at {host}"))?;
    write!(
        stream,
        "GET /_sandbox/state HTTP/1.0\r\nHost: {host}\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).with_context(|| format!("{host} is no stand-in"))
}

fn print(options: &Print) -> anyhow::Result<()> {
    let isp = options.size.isp(options.seed)?;
    let out = BufWriter::new(std::io::stdout().lock());
    match write_isp(&isp, options, out) {
        // The reader had enough, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

fn write_isp(isp: &Isp, options: &Print, mut out: impl Write) -> std::io::Result<()> {
    let pairs = match (options.setup, options.secrets) {
        (true, _) => isp.setup(),
        (_, true) => isp.secrets(),
        _ => {
            serde_json::to_writer_pretty(&mut out, isp)?;
            writeln!(out)?;
            return out.flush();
        }
    };
    for (key, value) in pairs {
        writeln!(out, "{key}={value}")?;
    }
    out.flush()
}

#[tokio::main]
async fn serve(options: Serve) -> anyhow::Result<()> {
    let plan = options
        .faults
        .as_ref()
        .map(read_plan)
        .transpose()?
        .unwrap_or_default();
    let (splynx_behaves, sage_behaves) = match &options.answers {
        Some(path) => behaviours(path)?,
        None => Default::default(),
    };
    let Serve {
        isp: source,
        seed,
        limits,
        in_step,
        ..
    } = options;
    let isp = source.isp(seed)?;
    let clock = match options.clock {
        ClockKind::Real => Clock::real(),
        // The morning after the provider's history.
        ClockKind::Virtual => {
            let morning = NaiveTime::from_hms_opt(6, 0, 0).expect("six o'clock is a time");
            Clock::still(
                (isp.today + chrono::Days::new(1))
                    .and_time(morning)
                    .and_utc(),
            )
        }
    };
    let world = World::new(clock, FaultPlan::new(plan));

    // A provider can be large: it is made when it is needed, by a reset too, and not kept.
    let again = source.clone();
    let server = move |isp: &Isp| {
        let mut splynx = Splynx::from_isp(isp);
        splynx.set_behaviour(splynx_behaves.clone());
        splynx
    };
    let splynx = Seat::new(Party::Splynx, world.clone(), server(&isp), move || {
        let isp = again.isp(seed).map_err(|error| format!("{error:#}"))?;
        Ok(server(&isp))
    });
    let company = move |isp: &Isp| {
        let mut sage = Sage::from_isp(isp, in_step);
        *sage.behaviour_mut() = sage_behaves.clone();
        sage.set_limits(limits == Switch::On);
        sage
    };
    let sage = Seat::new(Party::Sage, world, company(&isp), move || {
        let isp = source.isp(seed).map_err(|error| format!("{error:#}"))?;
        Ok(company(&isp))
    });
    drop(isp);

    let courier = send_web_hooks(splynx.clone());
    let splynx = Server::bind(splynx, options.splynx)
        .await
        .with_context(|| format!("cannot serve Splynx on {}", options.splynx))?;
    let sage = Server::bind(sage, options.sage)
        .await
        .with_context(|| format!("cannot serve Sage on {}", options.sage))?;
    println!("splynx http://{}/", splynx.address());
    println!("sage http://{}/api/2.0.0/", sage.address());
    println!("ready");
    tokio::select! {
        never = splynx.run() => match never {},
        never = sage.run() => match never {},
        never = courier => match never {},
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

/// How both services behave by a file of answers.
fn behaviours(path: &Path) -> anyhow::Result<(splynx::Behaviour, sage::Behaviour)> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let behaviours = || {
        let answers = Answers::parse(&text)?;
        Ok((answers.splynx()?, answers.sage()?))
    };
    behaviours()
        .map_err(|why: String| anyhow::anyhow!("{} is no file of answers: {why}", path.display()))
}

fn read_plan(path: &PathBuf) -> anyhow::Result<Plan> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let plan =
        serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))?;
    Plan::from_json(&plan).with_context(|| path.display().to_string())
}
