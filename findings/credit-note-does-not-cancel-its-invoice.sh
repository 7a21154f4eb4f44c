#!/usr/bin/env bash
# 15 % VAT on an invoice and on the credit note that takes it all back: in four libraries for money they do not add up to nought.
#
# Versions: npm currency.js 2.0.4, js-money 0.6.3, money-math 2.6.3, dinero.js 2.0.2, bigint-money 1.3.0, big.js 7.0.1.
#
# Guess: a library that is made for money rounds an amount and its opposite to opposite amounts, as accounts demand; and "half up" means
# away from nought, as in Java's, Python's and SQL's decimals. Seen: currency.js and js-money round the half of a cent by Math.round, and
# dinero.js by its `halfUp`, towards plus infinity, so on 12.30 the tax is 1.85 one way and 1.84 back. money-math adds its rounding cent
# to what division cut towards nought, so below nought it is wrong without any half: -12.34 gives -1.84 for -1.851, and twice the
# error on a half. bigint-money and big.js agree with themselves.
#
# Output seen (tax of the invoice, of the credit note):
#   library        12.30        12.34
#   currency.js    1.85 -1.84   1.85 -1.85
#   js-money       1.85 -1.84   1.85 -1.85
#   dinero.js      1.85 -1.84   1.85 -1.85
#   money-math     1.85 -1.83   1.85 -1.84
#   bigint-money   1.84 -1.84   1.85 -1.85
#   big.js         1.85 -1.85   1.85 -1.85
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts \
  currency.js@2.0.4 js-money@0.6.3 money-math@2.6.3 dinero.js@2.0.2 bigint-money@1.3.0 big.js@7.0.1

cat >try.js <<'JS'
const currency = require('currency.js');
const JsMoney = require('js-money');
const mathMoney = require('money-math');
const { dinero, multiply, transformScale, toDecimal, halfUp } = require('dinero.js');
const { Money: BigintMoney } = require('bigint-money');
const Big = require('big.js');

const cents = net => Math.round(net * 100);
const rand = { code: 'ZAR', base: 10, exponent: 2 };
const tax = {
  'currency.js': net => currency(net).multiply(0.15).toString(),
  'js-money': net => new JsMoney(cents(net), 'ZAR').multiply(0.15).toString(),
  'dinero.js': net => toDecimal(transformScale(multiply(dinero({ amount: cents(net), currency: rand }), { amount: 15, scale: 2 }), 2, halfUp)),
  'money-math': net => mathMoney.percent(net, '15.00'),
  'bigint-money': net => new BigintMoney(net, 'ZAR').multiply('0.15').toFixed(2),
  'big.js': net => new Big(net).times('0.15').toFixed(2),
};
console.log('library        12.30        12.34');
for (const [name, of] of Object.entries(tax))
  console.log(`${name.padEnd(14)} ${['12.30', '12.34'].map(net => `${of(net)} ${of(`-${net}`)}`).join('   ')}`);
JS
node try.js | tee seen
diff seen - <<'SEEN'
library        12.30        12.34
currency.js    1.85 -1.84   1.85 -1.85
js-money       1.85 -1.84   1.85 -1.85
dinero.js      1.85 -1.84   1.85 -1.85
money-math     1.85 -1.83   1.85 -1.84
bigint-money   1.84 -1.84   1.85 -1.85
big.js         1.85 -1.85   1.85 -1.85
SEEN
