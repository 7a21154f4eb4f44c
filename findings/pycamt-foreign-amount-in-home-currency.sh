#!/usr/bin/env bash
# A payment of 100 dollars, booked as 92 euros, is read from the bank's statement as 100 euros.
#
# Versions: PyPI pycamt 1.1.1, lxml 6.1.3.
#
# In camt.053 an entry has the amount that was booked, and its details may repeat what the payer ordered, in the payer's currency
# (AmtDtls/InstdAmt); the details of version 02 have no other amount. Guess: a transaction's Amount and Currency belong together.
# Seen: the amount is the first one found anywhere in the details, the ordered 100.00 (USD), and the currency is the entry's, EUR. The
# booked 92.00 is nowhere in the result. Where the details name no amount, as for a batch of three payments of 300.00 together, each of
# the three gets the whole: 900.00. Neither the sum nor the balance is compared.
#
# Output seen:
#   one payment: 100.00 EUR
#   a batch: 300.00 EUR, 300.00 EUR, 300.00 EUR
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pycamt==1.1.1 lxml==6.1.3

env/bin/python - >seen <<'PY'
from pycamt.parser import Camt053Parser

CODE = "<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>{}</SubFmlyCd></Fmly></Domn></BkTxCd>"


def entry(amount, kind, details):
    return (
        f'<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts>'
        "<BookgDt><Dt>2026-03-02</Dt></BookgDt><ValDt><Dt>2026-03-02</Dt></ValDt>"
        f"<AcctSvcrRef>{kind}</AcctSvcrRef>{CODE.format(kind)}<NtryDtls>{details}</NtryDtls></Ntry>"
    )


def detail(reference, amounts=""):
    return f"<TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs>{amounts}</TxDtls>"


ordered = (
    '<AmtDtls><InstdAmt><Amt Ccy="USD">100.00</Amt></InstdAmt>'
    '<TxAmt><Amt Ccy="EUR">92.00</Amt></TxAmt></AmtDtls>'
)
batch = "".join(detail(f"INV{number}") for number in (17, 18, 19))
statement = (
    '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><BkToCstmrStmt>'
    "<GrpHdr><MsgId>1</MsgId><CreDtTm>2026-03-02T18:00:00</CreDtTm></GrpHdr>"
    "<Stmt><Id>1</Id><CreDtTm>2026-03-02T18:00:00</CreDtTm>"
    "<Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>"
    + entry("92.00", "XBCT", detail("INV16", ordered))
    + entry("300.00", "ESCT", batch)
    + "</Stmt></BkToCstmrStmt></Document>"
)
read = Camt053Parser(statement).get_transactions()
for title, kind in [("one payment", "XBCT"), ("a batch", "ESCT")]:
    of = [each for each in read if each["TransactionID"] == kind]
    print(f"{title}: " + ", ".join(f"{each['Amount']} {each['Currency']}" for each in of))
PY
cat seen
diff seen - <<'SEEN'
one payment: 100.00 EUR
a batch: 300.00 EUR, 300.00 EUR, 300.00 EUR
SEEN
