#!/usr/bin/env bash
# Asking QuickBooks for a count throws away conditions that stand after it in the list.
#
# Version: npm node-quickbooks 2.0.50. No account is needed: the address is a server on this machine that writes down what is asked.
#
# Guess: `{ count: true }` among the criteria asks for the number of the records that all the others describe, wherever it stands.
# Seen: with it go as many of the conditions after it as stand before it: in the second place it takes the next one along, in the third
# the next two. Last, or first, it does no harm, so it works until somebody adds a condition at the end. The count that comes back is
# too high, and nothing says so.
#
# Output seen (places of `count`: last, first, second, third):
#   where TxnDate >= '2026-03-01' and Balance > '0' and CustomerRef = '7'
#   where TxnDate >= '2026-03-01' and Balance > '0' and CustomerRef = '7'
#   where TxnDate >= '2026-03-01' and CustomerRef = '7'
#   where TxnDate >= '2026-03-01' and Balance > '0'
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts node-quickbooks@2.0.50

cat >try.js <<'JS'
const QuickBooks = require('node-quickbooks');
const conditions = [
  { field: 'TxnDate', value: '2026-03-01', operator: '>=' },
  { field: 'Balance', value: '0', operator: '>' },
  { field: 'CustomerRef', value: '7' },
];
const server = require('http').createServer((request, response) => {
  const asked = decodeURIComponent(request.url);
  console.log(/count\(\*\)/.test(asked) ? asked.match(/where .*(?= startposition)/)[0] : `no count: ${asked}`);
  response.setHeader('content-type', 'application/json');
  response.end('{"QueryResponse": {"totalCount": 1}}');
});
server.listen(0, '127.0.0.1', async () => {
  const books = new QuickBooks('id', 'secret', 'token', false, '1', false, false, null, '2.0', 'refresh');
  books.endpoint = `http://127.0.0.1:${server.address().port}/v3/company/`;
  for (const place of [3, 0, 1, 2]) {
    const criteria = conditions.toSpliced(place, 0, { count: true });
    await new Promise(done => books.findInvoices(criteria, done));
  }
  server.close();
});
JS
node try.js | tee seen
diff seen - <<'SEEN'
where TxnDate >= '2026-03-01' and Balance > '0' and CustomerRef = '7'
where TxnDate >= '2026-03-01' and Balance > '0' and CustomerRef = '7'
where TxnDate >= '2026-03-01' and CustomerRef = '7'
where TxnDate >= '2026-03-01' and Balance > '0'
SEEN
