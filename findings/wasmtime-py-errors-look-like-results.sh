#!/usr/bin/env bash
# A component's error comes back to Python as a plain value; whether it does depends on the types of both sides.
#
# Version: PyPI wasmtime 50.0.1.
#
# Guess: a call of a function with a WIT `result<ok, error>` raises for the error, or always gives an object that tells the two apart.
# Seen: where both sides have the same Python type, it is `Variant(tag, payload)`; where the types differ, it is the bare payload, and an
# error of text is a `str` in the place of the number. Without an ok side success is None, without an error side failure is None, so
# `if answer is None` means the opposite from one function to the next. An error code that is changed from a string to a number in the
# WIT turns the *successful* answers from numbers into Variants. Nothing raises.
#
# Output seen:
#   result<u32, u32>: ok Variant(tag='ok', payload=7), error Variant(tag='err', payload=7)
#   result<u32, char>: ok 7, error 'A'
#   result<u32>: ok 7, error None
#   result<_, u32>: ok None, error 7
#   result: ok Variant(tag='ok', payload=None), error Variant(tag='err', payload=None)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check wasmtime==50.0.1

env/bin/python - >seen <<'PY'
from wasmtime import Engine, Store
from wasmtime.component import Component, Linker

# Writes a result's tag and payload into memory, or returns the tag alone where there is no payload.
CORE = """
(core module $m
  (memory (export "memory") 1)
  (func (export "pair") (param i32) (result i32)
    (i32.store (i32.const 8) (local.get 0))
    (i32.store (i32.const 12) (select (i32.const {error}) (i32.const {ok}) (local.get 0)))
    (i32.const 8))
  (func (export "tag") (param i32) (result i32) (local.get 0)))
(core instance $i (instantiate $m))
"""
LIFT = '(func (export "f") (param "failed" bool) (result {type}) (canon lift (core func $i "{core}") (memory (core memory $i "memory"))))'
for title, type, core, error in [
    ("result<u32, u32>", "(result u32 (error u32))", "pair", 7),
    ("result<u32, char>", "(result u32 (error char))", "pair", ord("A")),
    ("result<u32>", "(result u32)", "pair", 0),
    ("result<_, u32>", "(result (error u32))", "pair", 7),
    ("result", "(result)", "tag", 0),
]:
    text = "(component" + CORE.format(error=error, ok=7) + LIFT.format(type=type, core=core) + ")"
    engine = Engine()
    answers = []
    for failed in (False, True):
        store = Store(engine)
        instance = Linker(engine).instantiate(store, Component(engine, text))
        answers.append(repr(instance.get_func(store, "f")(store, failed)))
    print(f"{title}: ok {answers[0]}, error {answers[1]}")
PY
cat seen
diff seen - <<'SEEN'
result<u32, u32>: ok Variant(tag='ok', payload=7), error Variant(tag='err', payload=7)
result<u32, char>: ok 7, error 'A'
result<u32>: ok 7, error None
result<_, u32>: ok None, error 7
result: ok Variant(tag='ok', payload=None), error Variant(tag='err', payload=None)
SEEN
