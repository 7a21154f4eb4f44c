#!/usr/bin/env bash
# A payment that a South African bank dates 1 March is dated 28 February after reading.
#
# Versions: PyPI ofxparse 0.21, beautifulsoup4 4.15.0, lxml 6.1.3.
#
# OFX writes a posting date as `20260301000000[2:SAST]`: midnight, two hours ahead of Greenwich. Guess: a reader gives a date of 1 March,
# or a moment that knows its zone. Seen: the zone is subtracted and forgotten. What comes is a plain datetime of Greenwich's time, whose
# date is 28 February; another line of the same statement, dated `20260301` without a zone, stays on 1 March, and nothing tells the two
# apart. East of Greenwich every date at midnight moves to the day before, so the first of a month falls into the VAT period before.
# The closing balance and the first day of the statement move as well.
#
# Output seen:
#   with a zone: 2026-02-28 22:00:00, zone None
#   without one: 2026-03-01 00:00:00, zone None
#   statement from 2026-02-28, balance of 2026-03-30
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check ofxparse==0.21 beautifulsoup4==4.15.0 lxml==6.1.3

cat >march.ofx <<'OFX'
OFXHEADER:100
DATA:OFXSGML
VERSION:102
SECURITY:NONE
ENCODING:USASCII
CHARSET:1252
COMPRESSION:NONE
OLDFILEUID:NONE
NEWFILEUID:NONE

<OFX>
<SIGNONMSGSRSV1><SONRS><STATUS><CODE>0<SEVERITY>INFO</STATUS><DTSERVER>20260331120000[2:SAST]<LANGUAGE>ENG</SONRS></SIGNONMSGSRSV1>
<BANKMSGSRSV1><STMTTRNRS><TRNUID>0<STATUS><CODE>0<SEVERITY>INFO</STATUS>
<STMTRS><CURDEF>ZAR<BANKACCTFROM><BANKID>250655<ACCTID>62001234567<ACCTTYPE>CHECKING</BANKACCTFROM>
<BANKTRANLIST><DTSTART>20260301000000[2:SAST]<DTEND>20260331000000[2:SAST]
<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20260301000000[2:SAST]<TRNAMT>1150.00<FITID>1<NAME>INV000017</STMTTRN>
<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20260301<TRNAMT>575.00<FITID>2<NAME>INV000018</STMTTRN>
</BANKTRANLIST>
<LEDGERBAL><BALAMT>1725.00<DTASOF>20260331000000[2:SAST]</LEDGERBAL>
</STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>
OFX
env/bin/python -W ignore - >seen <<'PY'
import ofxparse

with open("march.ofx", "rb") as file:
    statement = ofxparse.OfxParser.parse(file).account.statement
for title, payment in zip(["with a zone", "without one"], statement.transactions):
    print(f"{title}: {payment.date}, zone {payment.date.tzinfo}")
print(f"statement from {statement.start_date.date()}, balance of {statement.balance_date.date()}")
PY
cat seen
diff seen - <<'SEEN'
with a zone: 2026-02-28 22:00:00, zone None
without one: 2026-03-01 00:00:00, zone None
statement from 2026-02-28, balance of 2026-03-30
SEEN
