#!/usr/bin/env bash
# wattle compile, running what it wrote, and refusing what is not whole.
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
: "${PROGRAMS:?}"
[ -f "$PROGRAMS/hello.wasm" ] || exit 77

cp "$PROGRAMS/hello.wasm" "$TMP/hello.wasm"
run compile "$TMP/hello.wasm"
expect_code 0
[ -f "$TMP/hello.cwasm" ] || complain "no default output"
run "$TMP/hello.cwasm"
expect_code 0
expect_out_has "hello, world"
for mode in "--bounds checked" "--bounds guarded" -O2; do
  # shellcheck disable=SC2086
  run compile $mode "$TMP/hello.wasm" -o "$TMP/mode.cwasm"
  expect_code 0
  # shellcheck disable=SC2086
  run run ${mode%-O2} "$TMP/mode.cwasm"
  expect_code 0
  expect_out_has "hello, world"
done
run_with "$TMP/hello.cwasm" run -
expect_code 0
expect_out_has "hello, world"
"$WATTLE" compile - -o - <"$TMP/hello.wasm" >"$TMP/piped.cwasm"
cmp -s "$TMP/hello.cwasm" "$TMP/piped.cwasm" || complain "by pipe it is another"

# A large one runs from its file; not if others could change that under it.
run compile "$PROGRAMS/stl.wasm" -o "$TMP/stl.cwasm"
expect_code 0
"$WATTLE" run --no-cache "$PROGRAMS/stl.wasm" >"$TMP/wanted" 2>/dev/null </dev/null
mapped() {
  run run "$@" --stats=json "$TMP/stl.cwasm"
  expect_code 0
  expect_out_file "$TMP/wanted"
  bytes=$(sed -n 's/.*"bytesMapped":\([0-9]*\).*/\1/p' "$TMP/err")
}
for _ in 1 2; do
  for option in --no-cache --lazy; do
    mapped $option
    checks=$((checks + 1))
    [ "${bytes:-0}" -gt 300000 ] || complain "not mapped"
  done
done
chmod o+w "$TMP/stl.cwasm"
mapped
checks=$((checks + 1))
[ "$bytes" = 0 ] || complain "mapped though others may write to it"

size=$(stat -c %s "$TMP/hello.cwasm")
for part in 10 100 $((size / 2)) $((size - 1)); do
  head -c "$part" "$TMP/hello.cwasm" >"$TMP/cut.cwasm"
  run "$TMP/cut.cwasm"
  expect_error 2 "cut.cwasm"
done
for at in 40 $((size / 3)) $((size / 2)) $((size - 2)); do
  cp "$TMP/hello.cwasm" "$TMP/changed.cwasm"
  printf '\xa5\x5a' | dd of="$TMP/changed.cwasm" bs=1 seek="$at" conv=notrunc 2>/dev/null
  run "$TMP/changed.cwasm"
  expect_error 2 "changed.cwasm"
done
run compile "$TMP/hello.cwasm" -o "$TMP/twice"
expect_error 2

pass_or_fail
