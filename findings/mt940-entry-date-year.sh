#!/usr/bin/env bash
# MT940 around New Year: the entry date lands a whole year off.
#
# Versions: npm mt940js 1.3.5, mt940-js 1.0.0 (with tslib 2.8.1, which it needs and does not name), @centrapay/swift-parser 1.0.1.
#
# Field 61 of an MT940 statement holds the value date with a year (YYMMDD) and the entry date without one (MMDD). A reader must find the
# year of the entry date: the nearest one. Guess: a payment of value 31 December 2025 that the bank entered on 2 January was entered on
# 2 January 2026. Seen: all three put the value date's year in front, so it was entered on 2 January 2025, 363 days before its value; and
# a payment entered on 31 December 2025 with value 2 January 2026 is entered on 31 December 2026, nearly a year ahead.
# Who posts by entry date posts it to a financial year that is closed, or to one that has not begun.
#
# Output seen:
#   value 2025-12-31, entered in January: mt940js 2025-01-02, mt940-js 2025-01-02, @centrapay/swift-parser 2025-01-02
#   value 2026-01-02, entered in December: mt940js 2026-12-31, mt940-js 2026-12-31, @centrapay/swift-parser 2026-12-31
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts mt940js@1.3.5 mt940-js@1.0.0 @centrapay/swift-parser@1.0.1 tslib@2.8.1

cat >try.js <<'JS'
const statement = [
  ':20:YEAREND', ':25:10020030/1234567', ':28C:1/1', ':60F:C251230EUR1000,00',
  ':61:2512310102C100,00NTRFINV000017//BANK1', ':86:paid late on New Year\'s Eve',
  ':61:2601021231C50,00NTRFINV000018//BANK2', ':86:paid before its value',
  ':62F:C260102EUR1150,00', '-', ''].join('\n');
const day = date => new Date(date).toISOString().slice(0, 10);
(async () => {
  const readers = {
    'mt940js': new (require('mt940js').Parser)().parse(statement)[0],
    'mt940-js': (await require('mt940-js').read(Buffer.from(statement)))[0],
    '@centrapay/swift-parser': require('@centrapay/swift-parser').parse({ type: 'mt940', data: statement })[0],
  };
  ['value 2025-12-31, entered in January', 'value 2026-01-02, entered in December'].forEach((title, line) => {
    const dates = Object.entries(readers).map(([name, read]) => `${name} ${day(read.transactions[line].entryDate)}`);
    console.log(`${title}: ${dates.join(', ')}`);
  });
})();
JS
node try.js | tee seen
diff seen - <<'SEEN'
value 2025-12-31, entered in January: mt940js 2025-01-02, mt940-js 2025-01-02, @centrapay/swift-parser 2025-01-02
value 2026-01-02, entered in December: mt940js 2026-12-31, mt940-js 2026-12-31, @centrapay/swift-parser 2026-12-31
SEEN
