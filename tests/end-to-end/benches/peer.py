#!/usr/bin/env python3
"""The first sync as a plain script does it: the same documents, four workers, a table of what was sent.

What the add-on does besides is left out: no intent before a request, no look-up of what Sage has, no comparison, no preview, no log. It is
the yardstick of scripts/bench for what such a script costs, and nothing to use.

usage: peer.py SPLYNX SAGE DATABASE, with key, secret, apikey, login, password and company as JSON on standard input.
"""

import base64
import hashlib
import hmac
import json
import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import local

import requests

WORKERS = 4
PAGE = 200

splynx, sage, database = sys.argv[1:4]
terms = json.load(sys.stdin)
sessions = local()
nonce = int(time.time() * 100)


def session():
    if not hasattr(sessions, "one"):
        sessions.one = requests.Session()
    return sessions.one


def signed():
    """Splynx's signature: key and a growing number, in upper-case hex (Splynx API, authentication)."""
    global nonce
    nonce += 1
    text = f"{nonce}{terms['key']}".encode()
    digest = hmac.new(terms["secret"].encode(), text, hashlib.sha256).hexdigest().upper()
    return {"Authorization": f"Splynx-EA (key={terms['key']}&nonce={nonce}&signature={digest})"}


def read(path):
    """All rows of a collection, by growing ids."""
    after, rows = 0, []
    while True:
        query = {
            "main_attributes[id][0]": ">",
            "main_attributes[id][1]": after,
            "order[id]": "ASC",
            "limit": PAGE,
        }
        answer = session().get(f"{splynx}api/2.0/admin/{path}", params=query, headers=signed())
        answer.raise_for_status()
        page = answer.json()
        rows += page
        if len(page) < PAGE:
            return rows
        after = page[-1]["id"]


def write(path, body, **query):
    login = base64.b64encode(f"{terms['login']}:{terms['password']}".encode()).decode()
    answer = session().post(
        f"{sage}{path}",
        params={"apikey": terms["apikey"], "CompanyId": terms["company"], **query},
        headers={"Authorization": f"Basic {login}", "Accept": "application/json"},
        json=body,
    )
    return answer.json() if answer.ok else None


def each(kind, rows, send):
    """Sends what the table does not have, and notes each answer when it comes."""
    known = {row[0] for row in books.execute("SELECT id FROM sent WHERE kind = ?", (kind,))}
    todo = [row for row in rows if row["id"] not in known]
    with ThreadPoolExecutor(WORKERS) as workers:
        for row, answer in zip(todo, workers.map(send, todo)):
            if answer is not None:
                books.execute(
                    "INSERT INTO sent (kind, id, remote) VALUES (?, ?, ?)", (kind, row["id"], answer["ID"])
                )
                books.commit()
    return dict(books.execute("SELECT id, remote FROM sent WHERE kind = ?", (kind,)))


def document(row, customers):
    lines = [
        {
            "Description": item["description"][:100],
            "LineType": 0,
            "Quantity": float(item["quantity"]),
            "SelectionId": terms["item"],
            "TaxTypeId": terms["tax"],
            "UnitPriceExclusive": float(item["price"]),
        }
        for item in row["items"]
    ]
    return {
        "CustomerId": customers[row["customer_id"]],
        "Date": row["date_created"],
        "DueDate": row.get("date_till") or row["date_created"],
        "DocumentNumber": row["number"],
        "Inclusive": False,
        "Lines": lines,
        "Reference": row["number"],
    }


statements = [0, 0]


def count(sql):
    statements[sql.strip().upper() == "COMMIT"] += not sql.strip().upper().startswith("BEGIN")


books = sqlite3.connect(database)
books.execute("PRAGMA journal_mode = WAL")
books.execute("PRAGMA synchronous = FULL")
books.execute("CREATE TABLE sent (kind TEXT, id INTEGER, remote INTEGER, PRIMARY KEY (kind, id))")
books.set_trace_callback(count)

customers = each(
    "customer",
    read("customers/customer"),
    lambda row: write(
        "Customer/Save", {"Name": f"{row['name']} ({row['id']})", "Email": row["email"].split(",")[0], "Active": True}
    ),
)
has_customer = lambda row: row["customer_id"] in customers
own_number = {"useSystemDocumentNumber": "false"}
invoices = each(
    "invoice",
    list(filter(has_customer, read("finance/invoices"))),
    lambda row: write("TaxInvoice/Save", document(row, customers), **own_number),
)
each(
    "credit-note",
    list(filter(has_customer, read("finance/credit-notes"))),
    lambda row: write("CustomerReturn/Save", document(row, customers), **own_number),
)
each(
    "payment",
    list(filter(has_customer, read("finance/payments"))),
    lambda row: write(
        "CustomerReceipt/Save",
        {
            "BankAccountId": terms["bank"],
            "CustomerId": customers[row["customer_id"]],
            "Date": row["date"],
            "PaymentMethod": 4,
            "Reference": row["receipt_number"],
            "Total": float(row["amount"]),
        },
        useSystemDocumentNumber="true",
    ),
)
books.set_trace_callback(None)
made = books.execute("SELECT COUNT(*) FROM sent").fetchone()[0]
print(json.dumps({"documents": made, "statements": statements[0], "commits": statements[1]}))
