#!/usr/bin/env bash
# On a terminal: colours, and a line while something takes long. Elsewhere and when asked not to: plain text.
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
skip_unless script
escape=$'\033['

# on_terminal COMMAND…: as `run`, with standard output and error on a terminal; $out has both.
on_terminal() {
  last="(terminal) wattle $*"
  local quoted
  printf -v quoted '%q ' "$WATTLE" "$@"
  out=$(TERM=xterm script -qec "$quoted" /dev/null </dev/null)
  code=$?
  err=
}
expect_colours() {
  checks=$((checks + 1))
  [[ $out == *"$escape"* ]] || complain "expected colours"
}
expect_plain() {
  checks=$((checks + 1))
  [[ $out$err != *"$escape"* ]] || complain "expected no colours"
}

module=$(echo '(module (func $boom (export "boom") unreachable))' | wat)
on_terminal inspect "$module"
expect_code 0
expect_colours
on_terminal run --invoke boom "$module"
expect_code 134
expect_colours
expect_out_has "unreachable" "boom"
NO_COLOR=1 on_terminal inspect "$module"
expect_plain
run inspect "$module"
expect_plain
run run --invoke boom "$module"
expect_plain

# Some seconds of compiling: 60,000 functions of text. The line goes away again, and is on a terminal only.
awk 'BEGIN {
  print "(module"
  for (i = 0; i < 60000; i++) printf "(func (param i32 i32) (result i32) (i32.add (i32.mul (local.get 0) (i32.const %d)) (local.get 1)))\n", i
  print "(func (export \"_start\")))"
}' >"$TMP/long.wat"
run run --eager -O1 "$TMP/long.wat"
expect_code 0
expect_out ""
expect_err ""

pass_or_fail
