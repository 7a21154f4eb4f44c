#!/usr/bin/env bash
# A signing key that minisign made a minute ago is "corrupted" for the Rust crate of the same author.
#
# Versions: Debian 12 minisign 0.11-1; crates.io minisign 0.10.0. It needs Debian 12's package lists (apt-get update).
#
# Guess: both read each other's keys; the format is one, and with a password they do. Seen: `minisign -G -W`, the form for build servers,
# leaves the key's checksum zero, since the tool does not look at it where there is no password. The crate computes it and refuses the
# key: `into_unencrypted_secret_key` says "Corrupted key", `into_secret_key` with an empty password "Key is not encrypted", and nothing
# says which of the two programs is meant. The key is sound: the tool signs with it. The other way it works: the crate fills
# the checksum in, and the tool takes such a key.
#
# Output seen:
#   tool's key: checksum 0000000000000000, the tool signs with it: yes
#   tool's key in the crate: Corrupted key; with an empty password: Key is not encrypted
#   crate's key, the tool signs with it: yes
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
apt-get download minisign=0.11-1 >/dev/null 2>&1
dpkg -x minisign_0.11-1_*.deb root
tool=$folder/root/usr/bin/minisign
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "keys"
version = "0.0.0"
edition = "2021"

[dependencies]
minisign = "=0.10.0"
TOML
cat >src/main.rs <<'RUST'
use minisign::{KeyPair, SecretKeyBox};

fn main() {
    let text = std::fs::read_to_string("tool.key").unwrap();
    let sealed = || SecretKeyBox::from_string(&text).unwrap();
    let said = |read: minisign::Result<minisign::SecretKey>| read.map_or_else(|error| error.to_string(), |_| "taken".to_owned());
    let plain = said(sealed().into_unencrypted_secret_key());
    let empty = said(sealed().into_secret_key(Some(String::new())));
    println!("tool's key in the crate: {plain}; with an empty password: {empty}");
    let pair = KeyPair::generate_unencrypted_keypair().unwrap();
    std::fs::write("crate.key", pair.sk.to_box(None).unwrap().into_string()).unwrap();
    std::fs::write("crate.pub", pair.pk.to_box().unwrap().into_string()).unwrap();
}
RUST
signs() {
  echo invoice >signed
  "$tool" -S -s "$1.key" -m signed </dev/null >/dev/null 2>&1 && "$tool" -V -q -p "$1.pub" -m signed && echo yes || echo no
}
"$tool" -G -W -p tool.pub -s tool.key >/dev/null
{
  # The last 32 of the key's bytes are its checksum.
  checksum=$(sed -n 2p tool.key | base64 -d | tail -c 32 | od -An -tx1 -N8 | tr -d ' \n')
  echo "tool's key: checksum $checksum, the tool signs with it: $(signs tool)"
  CARGO_TARGET_DIR=$folder/target cargo run --quiet
  echo "crate's key, the tool signs with it: $(signs crate)"
} | tee seen
diff seen - <<'SEEN'
tool's key: checksum 0000000000000000, the tool signs with it: yes
tool's key in the crate: Corrupted key; with an empty password: Key is not encrypted
crate's key, the tool signs with it: yes
SEEN
