#!/usr/bin/env bash
# A condition whose value is a list leaves the OData query without a word, and with it what it kept out.
#
# Version: npm odata-query 8.1.0.
#
# Guess: `{ CustomerId: [4, 7] }` means `CustomerId in (4,7)`, as in most query builders, or is refused. `in` has a form of its own here,
# `{ CustomerId: { in: [4, 7] } }`, but nothing says what the short form does.
# Seen: it is dropped. `{ CustomerId: [4, 7], Paid: false }` asks for the unpaid invoices of every customer, a filter of this condition
# alone asks for the whole table, and negated it becomes `not ()`. With `eq` inside, the list is written as a JSON array.
#
# Output seen:
#   ?$filter=CustomerId in (4,7) and Paid eq false
#   ?$filter=Paid eq false
#   (nothing)
#   ?$filter=not ()
#   ?$filter=CustomerId eq [4,7]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts odata-query@8.1.0

cat >try.js <<'JS'
const query = require('odata-query').default;
const customers = [4, 7];
for (const filter of [
  { CustomerId: { in: customers }, Paid: false },
  { CustomerId: customers, Paid: false },
  { CustomerId: customers },
  { not: { CustomerId: customers } },
  { CustomerId: { eq: customers } },
]) console.log(query({ filter }) || '(nothing)');
JS
node try.js | tee seen
diff seen - <<'SEEN'
?$filter=CustomerId in (4,7) and Paid eq false
?$filter=Paid eq false
(nothing)
?$filter=not ()
?$filter=CustomerId eq [4,7]
SEEN
