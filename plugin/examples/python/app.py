"""The template's add-on in Python: posts every new Splynx invoice to a web hook, in the order of their ids.

Each is noted in the same commit that moves the cursor, once the receiver has it. A run that dies in between posts that one again,
under the same idempotency key, by which the receiver knows it.
"""

import json
from decimal import Decimal

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.addon import Outcome, Rows
from wit_world.imports import http, run, storage
from wit_world.imports.run import Row
from wit_world.imports.types import Failure, Pair

POSTED = "invoices posted"
TOLD = ["id", "number", "customer_id", "date_created", "total", "status"]
SHOWN = ["number", "customer_id", "date_created", "total"]
PAGE = 100


class Addon(exports.Addon):
    def check(self):
        newer(2**63 - 2)
        return []

    def run_job(self, job, preview, options):
        posted = 0
        last = int(stored("meta", "cursor") or 0)
        while page := newer(last):
            for invoice in page:
                if not run.progress("Invoices", posted, 0):
                    return outcome("stopped", posted)
                last = id_of(invoice)
                if preview:
                    run.report("plan", [row(invoice)])
                else:
                    post(f"invoice-{last}", told(invoice))
                    note(last, invoice)
                posted += 1
        return outcome("finished", posted)

    def choices(self, source):
        raise failure("unknown-choices", f"There is no list {source}.")

    def view(self, page, query):
        entries = storage.scan("posted", "", query.after, query.limit)
        rows = [row(parsed(entry.value)) for entry in entries]
        return Rows(rows, entries[-1].key if entries else "", [])

    def act(self, page, act, rows, values):
        raise failure("unknown-act", f"There is no act {act}.")

    def migrate(self, from_version):
        return 1


def newer(above):
    """The next invoices above an id."""
    query = [
        Pair("main_attributes[id][0]", ">"),
        Pair("main_attributes[id][1]", str(above)),
        Pair("order[id]", "ASC"),
        Pair("limit", str(PAGE)),
    ]
    path = "admin/finance/invoices"
    answer = send(http.Request("splynx", "read", "GET", path, query, [], "", []))
    try:
        page = parsed(answer)
    except ValueError:
        raise unexpected(f"splynx did not answer {path} with JSON.") from None
    if not isinstance(page, list):
        raise unexpected("Splynx did not answer with a list.")
    return page


def post(key, body):
    """Hands an invoice to the receiver."""
    headers = [Pair("content-type", "application/json"), Pair("idempotency-key", key)]
    send(http.Request("receiver", "write", "POST", "invoices", [], headers, body, []))


def send(request):
    """The body of the answer; any that is no success is a failure."""
    (answer,) = http.send([request])
    if isinstance(answer, Err):
        raise Err(answer.value.reason)
    response = answer.value
    if not 200 <= response.status < 300:
        raise failure(
            "refused",
            f"{request.connection} answered {response.status} to {request.path}. Look there for the reason.",
        )
    return response.body


def note(last, invoice):
    """The receiver has it, and the next run goes on behind it."""
    changes = [
        storage.Change("meta", "cursor", str(last)),
        storage.Change("posted", f"{last:012}", told(invoice)),
    ]
    activity = storage.Activity(
        entity="invoice",
        action="created",
        local_id=str(last),
        remote_id="",
        customer_id=text(invoice, "customer_id"),
        label=text(invoice, "number"),
        code="",
        message="",
        more=[],
    )
    storage.commit([], changes, [activity])


def stored(table, key):
    entries = storage.get(table, [key])
    return entries[0].value if entries else None


class Number(Decimal):
    """An amount as the service wrote it: 89.4400 stays 89.4400, also when it is written again."""


def parsed(body):
    return json.loads(body, parse_float=Number)


def told(invoice):
    """What the receiver gets of an invoice, as JSON."""
    members = (f"{json.dumps(name)}:{written(invoice.get(name))}" for name in TOLD)
    return "{" + ",".join(members) + "}"


def written(value):
    return str(value) if isinstance(value, Number) else json.dumps(value)


def row(invoice):
    return Row(text(invoice, "id"), [text(invoice, name) for name in SHOWN], [])


def text(value, name):
    """A member as text; services write numbers as numbers or as texts."""
    member = value.get(name)
    return member if isinstance(member, str) else written(member)


def id_of(invoice):
    try:
        return int(text(invoice, "id"))
    except ValueError:
        raise unexpected("Splynx sent an invoice without an id.") from None


def outcome(state, posted):
    return Outcome(state, None, None, [(POSTED, posted)], [])


def unexpected(message):
    return failure("unexpected-answer", message)


def failure(code, message):
    return Err(Failure(code, message, None, []))
