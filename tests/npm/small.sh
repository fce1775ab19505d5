#!/usr/bin/env bash
# Small programs from npm: small.sh NAME runs the function case_NAME. Some import functions of a host of their own, which these
# uses of them do without.
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/../support/lib.sh"
: "${MODULES:?}"
tools=$MODULES/@rivet-dev

# with TEXT ARGUMENTS…: wattle with the text on standard input.
with() {
  printf '%s' "$1" >"$TMP/input"
  shift
  run_with "$TMP/input" "$@"
}

case_jq() {
  with '{"a":[1,2,{"b":"x"}],"c":3}' "$tools/agent-os-jq/wasm/jq" -c '.a|map(tojson)|join("|")'
  expect_code 0
  expect_out '"1|2|{\"b\":\"x\"}"'
  with '{"a":' "$tools/agent-os-jq/wasm/jq" .
  [[ $code -ne 0 && $code -lt 126 ]] || complain "expected a failure of jq's own"
}

case_yq() {
  run_with "$here/input/y.yaml" "$tools/agent-os-yq/wasm/yq" -c .
  expect_code 0
  expect_out $'a: 1\nb:\n- x\n- y:\n  - 1\n  - 2'
}

case_ripgrep() {
  run run --missing zero --dir "$here/input::/w" "$tools/agent-os-ripgrep/wasm/rg" -n clk /w/counter.v
  expect_code 0
  expect_out_has "1:module top(input clk" "3:"
}

case_sed() {
  with $'hello\n' run --missing zero "$tools/agent-os-sed/wasm/sed" s/l/L/g
  expect_code 0
  expect_out heLLo
}

case_awk() {
  with $'1 2\n3 4\n' run --missing zero "$tools/agent-os-gawk/wasm/awk" '{s+=$2} END{print s, NR}'
  expect_code 0
  expect_out "6 2"
}

case_grep() {
  with $'ab\ncd\n' run --missing zero "$tools/agent-os-grep/wasm/grep" c
  expect_code 0
  expect_out cd
  with $'ab\ncd\n' run --missing zero "$tools/agent-os-grep/wasm/grep" e
  expect_code 1
}

case_gzip() {
  with "hello hello hello" run --missing zero "$tools/agent-os-gzip/wasm/gzip" -c
  expect_code 0
  cp "$TMP/out" "$TMP/packed"
  [ "$(gzip -dc "$TMP/packed")" = "hello hello hello" ] || complain "the native gzip unpacks something else"
  run_with "$TMP/packed" run --missing zero "$tools/agent-os-gzip/wasm/gunzip"
  expect_code 0
  expect_out "hello hello hello"
}

# All of them, compiled in every way.
case_modes() {
  local file
  for file in "$tools"/*/wasm/*; do
    run validate -q "$file"
    expect_code 0
  done
  local mode
  for mode in "--bounds checked" --lazy -O1; do
    # shellcheck disable=SC2086
    with '{"a":[3,2,1]}' run $mode "$tools/agent-os-jq/wasm/jq" -c '.a|sort'
    expect_code 0
    expect_out "[1,2,3]"
  done
}

"case_$1"
pass_or_fail
