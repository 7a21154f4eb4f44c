// The template's add-on in JavaScript: posts every new Splynx invoice to a web hook, in the order of their ids.
//
// Each is noted in the same commit that moves the cursor, once the receiver has it. A run that dies in between posts that one again,
// under the same idempotency key, by which the receiver knows it.

import { send as sendAll } from "splynx:addon/http@1.0.0";
import { progress, report } from "splynx:addon/run@1.0.0";
import { commit, get, scan } from "splynx:addon/storage@1.0.0";

const POSTED = "invoices posted";
const TOLD = ["id", "number", "customer_id", "date_created", "total", "status"];
const SHOWN = ["number", "customer_id", "date_created", "total"];
const HIGHEST_ID = "9223372036854775806";

export const addon = {
  check() {
    newer(HIGHEST_ID);
    return [];
  },

  runJob(_job, preview, _options) {
    let posted = 0n;
    let last = stored("meta", "cursor") ?? "0";
    for (let page = newer(last); page.length > 0; page = newer(last)) {
      for (const invoice of page) {
        if (!progress("Invoices", posted, 0n)) return outcome("stopped", posted);
        last = idOf(invoice);
        if (preview) {
          report("plan", [row(invoice)]);
        } else {
          post(`invoice-${last}`, told(invoice));
          note(last, invoice);
        }
        posted += 1n;
      }
    }
    return outcome("finished", posted);
  },

  choices(source) {
    throw failure("unknown-choices", `There is no list ${source}.`);
  },

  view(_page, query) {
    const entries = scan("posted", "", query.after, query.limit);
    return {
      rows: entries.map((entry) => row(parsed(entry.value))),
      next: entries.at(-1)?.key ?? "",
      more: [],
    };
  },

  act(_page, act, _rows, _values) {
    throw failure("unknown-act", `There is no act ${act}.`);
  },

  migrate(_fromVersion) {
    return 1;
  },
};

/** The next invoices above an id. */
function newer(above) {
  const query = [
    ["main_attributes[id][0]", ">"],
    ["main_attributes[id][1]", above],
    ["order[id]", "ASC"],
    ["limit", "100"],
  ];
  const path = "admin/finance/invoices";
  const answer = send({ connection: "splynx", effect: "read", method: "GET", path, query: pairs(query), headers: [], body: "" });
  let page;
  try {
    page = parsed(answer);
  } catch {
    throw unexpected(`splynx did not answer ${path} with JSON.`);
  }
  if (!Array.isArray(page)) throw unexpected("Splynx did not answer with a list.");
  return page;
}

/** Hands an invoice to the receiver. */
function post(key, body) {
  const headers = pairs([
    ["content-type", "application/json"],
    ["idempotency-key", key],
  ]);
  send({ connection: "receiver", effect: "write", method: "POST", path: "invoices", query: [], headers, body });
}

/** The body of the answer; any that is no success is a failure. */
function send(request) {
  const [answer] = sendAll([{ ...request, options: [] }]);
  if (answer.tag === "err") throw answer.val.reason;
  const { status, body } = answer.val;
  if (status < 200 || status > 299) {
    throw failure("refused", `${request.connection} answered ${status} to ${request.path}. Look there for the reason.`);
  }
  return body;
}

/** The receiver has it, and the next run goes on behind it. */
function note(last, invoice) {
  const changes = [
    { table: "meta", key: "cursor", value: last },
    { table: "posted", key: last.padStart(12, "0"), value: told(invoice) },
  ];
  const activity = {
    entity: "invoice",
    action: "created",
    localId: last,
    remoteId: "",
    customerId: text(invoice, "customer_id"),
    label: text(invoice, "number"),
    code: "",
    message: "",
    more: [],
  };
  commit([], changes, [activity]);
}

function stored(table, key) {
  return get(table, [key])[0]?.value;
}

/** Numbers stay as the service wrote them: 89.4400 would be 89.44 as a number of JavaScript's. */
function parsed(body) {
  return JSON.parse(body, (_key, value, context) => (typeof value === "number" ? JSON.rawJSON(context.source) : value));
}

/** What the receiver gets of an invoice, as JSON. */
function told(invoice) {
  return JSON.stringify(Object.fromEntries(TOLD.map((name) => [name, invoice[name] ?? null])));
}

function row(invoice) {
  return { id: text(invoice, "id"), cells: SHOWN.map((name) => text(invoice, name)), more: [] };
}

/** A member as text; services write numbers as numbers or as texts. */
function text(value, name) {
  const member = value[name];
  return typeof member === "string" ? member : JSON.stringify(member ?? null);
}

function idOf(invoice) {
  const id = text(invoice, "id");
  if (!/^\d+$/.test(id)) throw unexpected("Splynx sent an invoice without an id.");
  return id;
}

function pairs(words) {
  return words.map(([name, value]) => ({ name, value }));
}

function outcome(state, posted) {
  return { state, resumeAt: undefined, why: undefined, counts: [[POSTED, posted]], more: [] };
}

function unexpected(message) {
  return failure("unexpected-answer", message);
}

function failure(code, message) {
  return { code, message, retryAt: undefined, more: [] };
}
