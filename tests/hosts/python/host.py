"""A host in Python: wasmtime runs the component, and a script of the mock host lends it the contract's imports.

    python host.py COMPONENT.wasm SCRIPT.json JOB [--preview]

It prints the run as JSON, as `mock-host run` does; what both understand of a script is told in ../README.md.
"""

import datetime
import json
import re
import sys
from pathlib import Path

from wasmtime import Config, Engine, Store, WasiConfig
from wasmtime.component import Component, Linker, Record, Variant

PACKAGE = "splynx:addon"
VERSION = "1.0.0"
LONGEST_WAIT = 120

# A result is a Variant where both cases are records, and the bare value of its case otherwise: so wasmtime's Python has it.

# --- The contract's records, here and as the mock host writes them down -----------------------------------------------


def record(**fields):
    """A record of the contract, whose fields have dashes."""
    made = Record()
    for name, value in fields.items():
        setattr(made, name.replace("_", "-"), value)
    return made


def of(value, *names):
    """Some fields of a record, under the mock host's names."""
    return {name: getattr(value, name.replace("_", "-")) for name in names}


def pairs(records):
    return [[pair.name, pair.value] for pair in records]


def records(pairs):
    return [record(name=name, value=value) for name, value in pairs]


def fail(code, message, retry_at=None, more=()):
    return record(code=code, message=message, retry_at=retry_at, more=records(more))


def failure(value):
    told = of(value, "code", "message")
    if getattr(value, "retry-at") is not None:
        told["retry_at"] = getattr(value, "retry-at")
    if value.more:
        told["more"] = pairs(value.more)
    return told


def unanswered(code, message, maybe_sent=False, retry_at=None):
    return Variant("err", record(maybe_sent=maybe_sent, reason=fail(code, message, retry_at)))


def request(value):
    told = of(value, "connection", "effect", "method", "path", "query", "headers", "body", "options")
    return {name: pairs(field) if isinstance(field, list) else field for name, field in told.items()}


def answer(value):
    if value.tag == "ok":
        response = value.payload
        return {"status": response.status, "headers": pairs(response.headers), "body": response.body}
    return {"maybe_sent": getattr(value.payload, "maybe-sent"), "reason": failure(value.payload.reason)}


def change(value):
    return of(value, "table", "key", "value")


def activity(value):
    texts = of(value, "entity", "action", "local_id", "remote_id", "customer_id", "label", "code", "message")
    return {**texts, "more": pairs(value.more)}


def row(value):
    told = of(value, "id", "cells")
    return {**told, "more": pairs(value.more)} if value.more else told


def outcome(value):
    return {
        "state": value.state,
        "resume_at": getattr(value, "resume-at"),
        "why": failure(value.why) if value.why is not None else None,
        "counts": [list(count) for count in value.counts],
        "more": pairs(value.more),
    }


# --- The world of a script --------------------------------------------------------------------------------------------


def glob(pattern, text):
    """`*` in the pattern stands for any text."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def matches(wanted, asked):
    query = [f"{pair.name}={pair.value}" for pair in asked.query]
    if wanted.get("exact"):
        place = wanted.get("path") == asked.path and wanted.get("query", []) == query
    else:
        place = glob(wanted.get("path", "*"), asked.path) and all(
            any(glob(one, found) for found in query) for one in wanted.get("query", [])
        )
    same = all(wanted.get(name, getattr(asked, name)) == getattr(asked, name) for name in ("connection", "method", "body"))
    return place and same and all(text in asked.body for text in wanted.get("body_contains", []))


def ready(spec):
    if "unanswered" in spec:
        why = spec["unanswered"]
        return unanswered(why["code"], why.get("message", ""), why["maybe_sent"], why.get("retry_at"))
    headers = [(name.lower(), value) for name, value in sorted(spec.get("headers", {}).items())]
    return Variant("ok", record(status=spec["status"], headers=records(headers), body=spec.get("text", "")))


class Rule:
    def __init__(self, rule):
        self.request = rule["request"]
        self.left = rule.get("times", float("inf"))
        self.answer = ready(rule["answer"])


class World:
    def __init__(self, script):
        self.rules = [Rule(rule) for rule in script["http"]]
        began = datetime.datetime.fromisoformat(script["now"].replace("Z", "+00:00"))
        self.now = int(began.timestamp())
        self.advance = script.get("advance_per_send", 0)
        self.rest = script.get("rest_after_429_seconds", 3600)
        self.progress_left = script.get("stop_after_progress", float("inf"))
        self.commit_failures = script.get("commit_failures", {})
        self.commits = 0
        self.blocks = {}

    def send(self, requests):
        for asked in requests:
            end = self.blocks.get(asked.connection)
            if isinstance(end, int) and end <= self.now + LONGEST_WAIT:
                self.now = max(self.now, end)
                del self.blocks[asked.connection]
        answers = [self.answer(asked) for asked in requests]
        self.now += self.advance
        return answers

    def answer(self, asked):
        block = self.blocks.get(asked.connection)
        rule = next((rule for rule in self.rules if rule.left > 0 and matches(rule.request, asked)), None)
        if block is not None:
            holds = rule and rule.answer.tag == "err" and not getattr(rule.answer.payload, "maybe-sent")
            if not holds and block == "denied":
                return unanswered("denied", f"{asked.connection} refused the credentials earlier")
            if not holds:
                return unanswered("paused", f"{asked.connection} is blocked by its limit", retry_at=block)
        elif rule is None:
            raise LookupError(f"the script has no answer to {asked.method} {asked.connection} {asked.path}")
        rule.left -= 1
        if rule.answer.tag == "ok" and rule.answer.payload.status == 401:
            self.blocks[asked.connection] = "denied"
        if rule.answer.tag == "ok" and rule.answer.payload.status == 429:
            wait = dict(pairs(rule.answer.payload.headers)).get("retry-after", self.rest)
            self.blocks[asked.connection] = self.now + int(wait)
        return rule.answer


# --- The capabilities -------------------------------------------------------------------------------------------------


class Host:
    def __init__(self, script, preview):
        self.world = World(script)
        self.preview = preview
        self.reads = script.get("reads", {})
        self.stopping = False
        self.steps = []
        self.activities = []
        self.reports = {}
        self.settings = dict(script.get("settings", {}))
        self.fetched = set(script.get("fetched_settings", []))
        today = script["now"][:10]
        usual = {"run": "1", "trigger": "person", "today": today, "installed-on": today, "time-zone": "UTC", "locale": "en"}
        self.context = {**usual, **script.get("context", {})}
        self.tables = {}
        for table, entries in script.get("storage", {}).items():
            for key, value in entries.items():
                text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
                self.table(table)[key] = text

    def table(self, name):
        return self.tables.setdefault(name, {})

    def note(self, name, **call):
        self.steps.append({"number": len(self.steps) + 1, "call": {name: call}})

    def writes(self, asked):
        """The add-on's word alone does not do: only what reads by its method, or is named by the manifest, reads."""
        if asked.method in ("GET", "HEAD", "OPTIONS"):
            return asked.effect == "write"
        return asked.effect == "write" or asked.method != "POST" or asked.path not in self.reads.get(asked.connection, [])

    def refusal(self, asked):
        if self.stopping:
            return unanswered("stopped", "a person asked the run to stop")
        if self.writes(asked) and self.preview:
            return unanswered("preview", "nothing is written now: this only looks")
        return None

    def send(self, _store, requests):
        refusals = [self.refusal(asked) for asked in requests]
        sent = [asked for asked, refused in zip(requests, refusals) if refused is None]
        answered = iter(self.world.send(sent) if sent else [])
        answers = [refused if refused is not None else next(answered) for refused in refusals]
        exchanges = [
            {"request": request(asked), "sent": refused is None, "answer": answer(given)}
            for asked, refused, given in zip(requests, refusals, answers)
        ]
        self.note("send", exchanges=exchanges)
        return answers

    def entries(self, found):
        """What was found, as the guest gets it and as it is noted."""
        told = [{"key": key, "value": value} for key, value in found]
        return told, [record(key=key, value=value) for key, value in found]

    def get(self, _store, table, keys):
        stored = self.table(table)
        found, entries = self.entries([(key, stored[key]) for key in keys if key in stored])
        self.note("get", table=table, keys=keys, found=found, failure=None)
        return entries

    def scan(self, _store, table, prefix, after, limit):
        # Python orders texts by code points, which is the order of their bytes in UTF-8.
        behind = [(key, value) for key, value in sorted(self.table(table).items()) if key.startswith(prefix) and key > after]
        found, entries = self.entries(behind[:limit])
        self.note("scan", table=table, prefix=prefix, after=after, limit=limit, found=found, failure=None)
        return entries

    def commit(self, _store, expect, changes, activities):
        refused = self.commit_trouble(expect)
        told = {"expect": list(map(change, expect)), "changes": list(map(change, changes))}
        told["activities"] = list(map(activity, activities))
        self.note("commit", **told, failure=failure(refused) if refused else None)
        if refused:
            return refused
        for one in changes:
            if one.value is None:
                self.table(one.table).pop(one.key, None)
            else:
                self.table(one.table)[one.key] = one.value
        self.activities += told["activities"]
        return None

    def commit_trouble(self, expect):
        if self.preview:
            return fail("preview", "nothing is written now: this only looks")
        self.world.commits += 1
        code = self.world.commit_failures.get(str(self.world.commits))
        if code:
            return fail(code, f"the script lets commit {self.world.commits} fail")
        for one in expect:
            if self.table(one.table).get(one.key) != one.value:
                message = f"another value stands in table `{one.table}` under `{one.key}`: read again and decide anew"
                return fail("conflict", message, more=[("table", one.table), ("key", one.key)])
        return None

    def told(self, name, values):
        answer = [list(pair) for pair in sorted(values.items())]
        self.note(name, answer=answer)
        return records(answer)

    def set_fetched(self, _store, key, value):
        refused = None
        if self.preview:
            refused = fail("preview", "nothing is written now: this only looks")
        elif key not in self.fetched:
            refused = fail("invalid-settings", f"`{key}` is no setting that an add-on fetches")
        self.note("set-fetched", key=key, value=value, failure=failure(refused) if refused else None)
        if refused:
            return refused
        self.settings[key] = value
        return None

    def now(self, _store):
        self.note("now", answer=self.world.now)
        return self.world.now

    def log(self, _store, level, message):
        self.note("log", level=level, message=message)

    def progress(self, _store, stage, done, total):
        self.world.progress_left -= 1
        self.stopping |= self.world.progress_left < 0
        self.note("progress", stage=stage, done=done, total=total, goes_on=not self.stopping)
        return not self.stopping

    def report(self, _store, kind, rows):
        told = [row(one) for one in rows]
        self.reports.setdefault(kind, []).extend(told)
        self.note("report", kind=kind, rows=told)
        return None

    def lend(self, linker):
        lent = {
            "http": {"send": self.send},
            "storage": {"get": self.get, "scan": self.scan, "commit": self.commit},
            "run": {
                "settings": lambda _store: self.told("settings", self.settings),
                "set-fetched": self.set_fetched,
                "context": lambda _store: self.told("context", self.context),
                "now": self.now,
                "log": self.log,
                "progress": self.progress,
                "report": self.report,
            },
        }
        with linker.root() as root:
            for interface, functions in lent.items():
                with root.add_instance(f"{PACKAGE}/{interface}@{VERSION}") as instance:
                    for name, function in functions.items():
                        instance.add_func(name, function)


# --- A run ------------------------------------------------------------------------------------------------------------


def main(component, file, job, *flags):
    script = json.loads(Path(file).read_text(encoding="utf-8"))
    preview = "--preview" in flags
    host = Host(script, preview)
    engine = Engine(Config())
    linker = Linker(engine)
    linker.add_wasip2()
    host.lend(linker)
    store = Store(engine)
    store.set_wasi(WasiConfig())
    instance = linker.instantiate(store, Component.from_file(engine, component))
    addon = instance.get_export_index(store, f"{PACKAGE}/addon@{VERSION}")
    run_job = instance.get_func(store, instance.get_export_index(store, "run-job", addon))
    result = run_job(store, job, preview, records(script.get("options", {}).items()))
    run_job.post_return(store)
    end = {"outcome": outcome(result.payload)} if result.tag == "ok" else {"failure": failure(result.payload)}
    run = {
        "job": job,
        "preview": preview,
        "end": end,
        "steps": host.steps,
        "activities": host.activities,
        "reports": host.reports,
        "storage": {table: entries for table, entries in host.tables.items() if entries},
    }
    json.dump(run, sys.stdout, ensure_ascii=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
