#!/usr/bin/env bash
# Ctrl-C and --timeout: a guest that spins, sleeps or reads ends at once, with its exit code.
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
: "${PROGRAMS:?}"
[ -f "$PROGRAMS/waits.wasm" ] || exit 77
mkfifo "$TMP/never"
exec 9<>"$TMP/never"  # held open, so that reading it waits

# Runs in the background with SIGINT as a terminal would have it, and waits for the guest to begin.
begin() {
  last="wattle run $*"
  : >"$TMP/out"
  env --default-signal=INT "$WATTLE" run "$@" <"$TMP/never" >"$TMP/out" 2>"$TMP/err" &
  guest=$!
  local i
  for i in {1..200}; do
    grep -q waiting "$TMP/out" && return
    sleep 0.05
  done
  code=0 out='' err=''
  complain "the guest did not begin"
}
finish() {
  wait "$guest"
  code=$?
  out=$(cat "$TMP/out")
  err=$(cat "$TMP/err")
}

for kind in spin sleep read; do
  for mode in guarded checked; do
    begin --bounds $mode "$PROGRAMS/waits.wasm" $kind
    kill -INT "$guest"
    finish
    expect_error 130 "interrupted"
  done
  run_with "$TMP/never" run --timeout 300ms "$PROGRAMS/waits.wasm" $kind
  expect_error 124 "timed out"
done

# Twice in a row.
begin "$PROGRAMS/waits.wasm" spin
kill -INT "$guest"
kill -INT "$guest"
finish
expect_code 130
# Another signal ends it as it ends any program.
begin "$PROGRAMS/waits.wasm" spin
kill -TERM "$guest"
finish
expect_code 143
# A loop that has no call in it and no memory.
tight=$(echo '(module (func (export "_start") (loop $l (br $l))))' | wat)
run run --timeout 200ms "$tight"
expect_error 124 "timed out"
# One that ends in time is not touched.
run run --timeout 1h "$PROGRAMS/clocks.wasm"
expect_code 0

pass_or_fail
