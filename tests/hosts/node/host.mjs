// A host in Node.js: the component is transpiled by jco, and lent the contract's imports by a script of the mock host.
//
//   node host.mjs COMPONENT.wasm SCRIPT.json JOB [--preview]
//
// It prints the run as JSON, as `mock-host run` does; what both understand of a script is told in ../README.md.

import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { transpile } from "@bytecodealliance/jco-transpile";
import { WASIShim } from "@bytecodealliance/preview2-shim/instantiation";

const LONGEST_WAIT = 120n;

// --- The contract's records as the mock host writes them down ---------------------------------------------------------

const pairs = (list) => list.map(({ name, value }) => [name, value]);
const records = (list) => list.map(([name, value]) => ({ name, value }));
const number = (big) => (big === undefined || big === null ? null : Number(big));

const failure = ({ code, message, retryAt, more }) => ({
  code,
  message,
  ...(retryAt === undefined ? {} : { retry_at: Number(retryAt) }),
  ...(more.length === 0 ? {} : { more: pairs(more) }),
});
const request = (r) => ({
  connection: r.connection,
  effect: r.effect,
  method: r.method,
  path: r.path,
  query: pairs(r.query),
  headers: pairs(r.headers),
  body: r.body,
  options: pairs(r.options),
});
const answer = ({ tag, val }) =>
  tag === "ok"
    ? { status: val.status, headers: pairs(val.headers), body: val.body }
    : { maybe_sent: val.maybeSent, reason: failure(val.reason) };
const change = ({ table, key, value }) => ({ table, key, value: value ?? null });
const activity = (a) => ({
  entity: a.entity,
  action: a.action,
  local_id: a.localId,
  remote_id: a.remoteId,
  customer_id: a.customerId,
  label: a.label,
  code: a.code,
  message: a.message,
  more: pairs(a.more),
});
const row = ({ id, cells, more }) => ({ id, cells, ...(more.length === 0 ? {} : { more: pairs(more) }) });
const outcome = (o) => ({
  state: o.state,
  resume_at: number(o.resumeAt),
  why: o.why ? failure(o.why) : null,
  counts: o.counts.map(([name, count]) => [name, Number(count)]),
  more: pairs(o.more),
});

const fail = (code, message, rest = {}) => ({ code, message, retryAt: undefined, more: [], ...rest });
const unanswered = (code, message, rest = {}) => ({
  tag: "err",
  val: { maybeSent: false, reason: fail(code, message, rest) },
});

// --- The world of a script --------------------------------------------------------------------------------------------

/** `*` in the pattern stands for any text. */
const glob = (pattern, text) =>
  new RegExp(`^${pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join("[^]*")}$`).test(text);

const matches = (wanted, r) => {
  const query = r.query.map(({ name, value }) => `${name}=${value}`);
  const is = (a, b) => a === undefined || a === b;
  const place = wanted.exact
    ? is(wanted.path, r.path) && JSON.stringify(wanted.query ?? []) === JSON.stringify(query)
    : (wanted.path === undefined || glob(wanted.path, r.path)) &&
      (wanted.query ?? []).every((one) => query.some((found) => glob(one, found)));
  return (
    place &&
    is(wanted.connection, r.connection) &&
    is(wanted.method, r.method) &&
    is(wanted.body, r.body) &&
    (wanted.body_contains ?? []).every((text) => r.body.includes(text))
  );
};

const ready = ({ answer: spec }) => {
  if (spec.unanswered) {
    const { code, maybe_sent: maybeSent, message = "", retry_at: at } = spec.unanswered;
    return { tag: "err", val: { maybeSent, reason: fail(code, message, at === undefined ? {} : { retryAt: BigInt(at) }) } };
  }
  const headers = Object.entries(spec.headers ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const lower = headers.map(([name, value]) => [name.toLowerCase(), value]);
  return { tag: "ok", val: { status: spec.status, headers: records(lower), body: spec.text ?? "" } };
};

class World {
  constructor(script) {
    this.rules = script.http.map((rule) => ({ ...rule, left: rule.times ?? Infinity, ready: ready(rule) }));
    this.now = BigInt(Math.floor(Date.parse(script.now) / 1000));
    this.advance = BigInt(script.advance_per_send ?? 0);
    this.rest = BigInt(script.rest_after_429_seconds ?? 3600);
    this.progressLeft = script.stop_after_progress ?? Infinity;
    this.commitFailures = script.commit_failures ?? {};
    this.commits = 0;
    this.blocks = new Map();
  }

  send(requests) {
    for (const { connection } of requests) {
      const end = this.blocks.get(connection);
      if (typeof end === "bigint" && end <= this.now + LONGEST_WAIT) {
        if (end > this.now) this.now = end;
        this.blocks.delete(connection);
      }
    }
    const answers = requests.map((r) => this.answer(r));
    this.now += this.advance;
    return answers;
  }

  answer(r) {
    const block = this.blocks.get(r.connection);
    const rule = this.rules.find((one) => one.left > 0 && matches(one.request, r));
    if (block !== undefined) {
      const holds = rule && rule.ready.tag === "err" && !rule.ready.val.maybeSent;
      if (!holds && block === "denied") return unanswered("denied", `${r.connection} refused the credentials earlier`);
      if (!holds) return unanswered("paused", `${r.connection} is blocked by its limit`, { retryAt: block });
    } else if (!rule) {
      throw new Error(`the script has no answer to ${r.method} ${r.connection} ${r.path}`);
    }
    rule.left -= 1;
    const { tag, val } = rule.ready;
    if (tag === "ok" && val.status === 401) this.blocks.set(r.connection, "denied");
    if (tag === "ok" && val.status === 429) {
      const wait = val.headers.find(({ name }) => name === "retry-after");
      this.blocks.set(r.connection, this.now + (wait ? BigInt(wait.value) : this.rest));
    }
    return rule.ready;
  }
}

// --- The capabilities -------------------------------------------------------------------------------------------------

/** Texts by their bytes in UTF-8, which is the order of the contract. */
const byBytes = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));

class Host {
  constructor(script, preview) {
    this.world = new World(script);
    this.preview = preview;
    this.reads = script.reads ?? {};
    this.stopping = false;
    this.steps = [];
    this.activities = [];
    this.reports = {};
    this.settings = new Map(Object.entries(script.settings ?? {}));
    this.fetched = new Set(script.fetched_settings ?? []);
    const today = script.now.slice(0, 10);
    const usual = { run: "1", trigger: "person", today, "installed-on": today, "time-zone": "UTC", locale: "en" };
    this.context = { ...usual, ...script.context };
    this.tables = new Map();
    for (const [table, entries] of Object.entries(script.storage ?? {})) {
      for (const [key, value] of Object.entries(entries)) {
        this.table(table).set(key, typeof value === "string" ? value : JSON.stringify(value));
      }
    }
  }

  table(name) {
    if (!this.tables.has(name)) this.tables.set(name, new Map());
    return this.tables.get(name);
  }

  note(name, call) {
    this.steps.push({ number: this.steps.length + 1, call: { [name]: call } });
  }

  sorted(named) {
    return [...named].sort(([a], [b]) => byBytes(a, b));
  }

  // The add-on's word alone does not do: only what reads by its method, or is named by the manifest, reads.
  writes(r) {
    if (["GET", "HEAD", "OPTIONS"].includes(r.method)) return r.effect === "write";
    return r.effect === "write" || r.method !== "POST" || !(this.reads[r.connection] ?? []).includes(r.path);
  }

  refusal(r) {
    if (this.stopping) return unanswered("stopped", "a person asked the run to stop");
    if (this.writes(r) && this.preview) return unanswered("preview", "nothing is written now: this only looks");
    return null;
  }

  send(requests) {
    const refusals = requests.map((r) => this.refusal(r));
    const sent = requests.filter((_, place) => !refusals[place]);
    const answered = sent.length === 0 ? [] : this.world.send(sent);
    const answers = refusals.map((refused) => refused ?? answered.shift());
    const exchanges = requests.map((r, place) => ({
      request: request(r),
      sent: !refusals[place],
      answer: answer(answers[place]),
    }));
    this.note("send", { exchanges });
    return answers;
  }

  get(table, keys) {
    const entries = this.table(table);
    const found = keys.filter((key) => entries.has(key)).map((key) => ({ key, value: entries.get(key) }));
    this.note("get", { table, keys, found, failure: null });
    return found;
  }

  scan(table, prefix, after, limit) {
    const behind = this.sorted(this.table(table)).filter(([key]) => key.startsWith(prefix) && byBytes(key, after) > 0);
    const found = behind.slice(0, limit).map(([key, value]) => ({ key, value }));
    this.note("scan", { table, prefix, after, limit, found, failure: null });
    return found;
  }

  commit(expect, changes, activities) {
    const refused = this.commitTrouble(expect);
    this.note("commit", {
      expect: expect.map(change),
      changes: changes.map(change),
      activities: activities.map(activity),
      failure: refused ? failure(refused) : null,
    });
    if (refused) throw refused;
    for (const { table, key, value } of changes) {
      if (value === undefined) this.table(table).delete(key);
      else this.table(table).set(key, value);
    }
    this.activities.push(...activities.map(activity));
  }

  commitTrouble(expect) {
    if (this.preview) return fail("preview", "nothing is written now: this only looks");
    this.world.commits += 1;
    const code = this.world.commitFailures[this.world.commits];
    if (code) return fail(code, `the script lets commit ${this.world.commits} fail`);
    const wrong = expect.find(({ table, key, value }) => this.table(table).get(key) !== value);
    if (!wrong) return null;
    const { table, key } = wrong;
    const message = `another value stands in table \`${table}\` under \`${key}\`: read again and decide anew`;
    return fail("conflict", message, { more: records([["table", table], ["key", key]]) });
  }

  setFetched(key, value) {
    const refused = this.preview
      ? fail("preview", "nothing is written now: this only looks")
      : !this.fetched.has(key) && fail("invalid-settings", `\`${key}\` is no setting that an add-on fetches`);
    this.note("set-fetched", { key, value, failure: refused ? failure(refused) : null });
    if (refused) throw refused;
    this.settings.set(key, value);
  }

  imports() {
    const told = (name, list) => {
      this.note(name, { answer: list });
      return records(list);
    };
    return {
      "splynx:addon/http": { send: (requests) => this.send(requests) },
      "splynx:addon/storage": {
        get: (table, keys) => this.get(table, keys),
        scan: (table, prefix, after, limit) => this.scan(table, prefix, after, limit),
        commit: (expect, changes, activities) => this.commit(expect, changes, activities),
      },
      "splynx:addon/run": {
        settings: () => told("settings", this.sorted(this.settings)),
        setFetched: (key, value) => this.setFetched(key, value),
        context: () => told("context", this.sorted(Object.entries(this.context))),
        now: () => {
          this.note("now", { answer: Number(this.world.now) });
          return this.world.now;
        },
        log: (level, message) => this.note("log", { level, message }),
        progress: (stage, done, total) => {
          this.world.progressLeft -= 1;
          this.stopping ||= this.world.progressLeft < 0;
          this.note("progress", { stage, done: Number(done), total: Number(total), goes_on: !this.stopping });
          return !this.stopping;
        },
        report: (kind, rows) => {
          (this.reports[kind] ??= []).push(...rows.map(row));
          this.note("report", { kind, rows: rows.map(row) });
        },
      },
      "splynx:addon/types": {},
    };
  }
}

// --- A run ------------------------------------------------------------------------------------------------------------

async function load(component) {
  const { files } = await transpile(component, { name: "addon", instantiation: { tag: "sync" } });
  const folder = await mkdtemp(join(tmpdir(), "other-host-"));
  try {
    for (const [name, bytes] of Object.entries(files)) {
      if (!name.includes("/") && name.endsWith(".js")) await writeFile(join(folder, "addon.mjs"), bytes);
    }
    const { instantiate } = await import(pathToFileURL(join(folder, "addon.mjs")));
    const module = (name) => new WebAssembly.Module(files[name]);
    return (imports) => instantiate(module, imports);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const [component, file, job, flag] = process.argv.slice(2);
const script = JSON.parse(readFileSync(file, "utf8"));
const preview = flag === "--preview";
const host = new Host(script, preview);
const wasi = new WASIShim({ sandbox: { preopens: {}, env: {}, args: [], enableNetwork: false } });
const instantiate = await load(component);
const { addon } = instantiate({ ...wasi.getImportObject(), ...host.imports() });
let end;
try {
  end = { outcome: outcome(addon.runJob(job, preview, records(Object.entries(script.options ?? {})))) };
} catch (error) {
  if (!error?.payload) throw error;
  end = { failure: failure(error.payload) };
}
const storage = host.sorted(host.tables).filter(([, entries]) => entries.size > 0);
const record = {
  job,
  preview,
  end,
  steps: host.steps,
  activities: host.activities,
  reports: host.reports,
  storage: Object.fromEntries(storage.map(([table, entries]) => [table, Object.fromEntries(host.sorted(entries))])),
};
process.stdout.write(`${JSON.stringify(record)}\n`);
