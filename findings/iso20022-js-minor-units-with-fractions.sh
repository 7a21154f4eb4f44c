#!/usr/bin/env bash
# A bank statement's amounts "in minor units" are fractions of a cent, and yen are multiplied by a hundred.
#
# Version: npm iso20022.js 0.0.15 (with dinero.js 1.9.1).
#
# The library takes and gives amounts as whole numbers of the smallest unit (1000 for 10.00). Guess: reading 1.15 EUR gives 115, and
# 1000 JPY, which has no smaller unit, gives 1000. Seen: the text becomes a binary number that is multiplied and never rounded, so
# 1.15 gives 114.99999999999999 and equals no 115 that somebody has in the books; cut to a whole number it is a cent less. And every
# currency has two decimals: 1000 JPY gives 100000, and 1.234 KWD gives 123.4 where 1234 fils are meant.
#
# Output seen:
#   1.15 EUR -> 114.99999999999999
#   4.35 EUR -> 434.99999999999994
#   1000 JPY -> 100000
#   1.234 KWD -> 123.4
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts iso20022.js@0.0.15 dinero.js@1.9.1

cat >try.mjs <<'JS'
import { CashManagementEndOfDayReport } from 'iso20022.js';

const amounts = [['1.15', 'EUR'], ['4.35', 'EUR'], ['1000', 'JPY'], ['1.234', 'KWD']];
const entries = amounts.map(([amount, currency], number) =>
  `<Ntry><NtryRef>${number}</NtryRef><Amt Ccy="${currency}">${amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts>
   <BookgDt><Dt>2026-03-02</Dt></BookgDt><ValDt><Dt>2026-03-02</Dt></ValDt><BkTxCd><Prtry><Cd>X</Cd></Prtry></BkTxCd></Ntry>`);
const statement = `<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><BkToCstmrStmt>
<GrpHdr><MsgId>1</MsgId><CreDtTm>2026-03-02T18:00:00</CreDtTm></GrpHdr>
<Stmt><Id>1</Id><CreDtTm>2026-03-02T18:00:00</CreDtTm>
<Acct><Id><IBAN>DE89370400440532013000</IBAN></Id><Ccy>EUR</Ccy><Svcr><FinInstnId><BIC>COBADEFFXXX</BIC></FinInstnId></Svcr></Acct>
${entries.join('\n')}</Stmt></BkToCstmrStmt></Document>`;
const read = CashManagementEndOfDayReport.fromXML(statement).statements[0].entries;
amounts.forEach(([amount, currency], number) => console.log(`${amount} ${currency} -> ${read[number].amount}`));
JS
node try.mjs | tee seen
diff seen - <<'SEEN'
1.15 EUR -> 114.99999999999999
4.35 EUR -> 434.99999999999994
1000 JPY -> 100000
1.234 KWD -> 123.4
SEEN
