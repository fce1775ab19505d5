#!/usr/bin/env bash
# Programs in C and C++, from the outside: run.sh NAME runs the function case_NAME.
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/../support/lib.sh"
: "${PROGRAMS:?}"

case_hello() {
  run "$PROGRAMS/hello.wasm"
  expect_code 0
  expect_out $'hello, world\n42 3.142 str z 0000beef 1234567890123'
  expect_err "on stderr"
}

case_argsenv() {
  run run --env A=1 --env B=2 --env GREETING=hi "$PROGRAMS/argsenv.wasm" exit 7 "two words" "" "ünï"
  expect_code 7
  expect_out_file "$here/expected/argsenv.out"
}

case_files() {
  mkdir -p "$TMP/src/subdir" "$TMP/dst"
  printf 'alpha\nbeta\n' >"$TMP/src/a.txt"
  printf 'x%.0s' {1..10000} >"$TMP/src/big.txt"
  : >"$TMP/src/empty"
  run run --dir "$TMP/src::/src" --dir "$TMP/dst::/dst" "$PROGRAMS/fscopy.wasm" /src /dst
  expect_code 0
  expect_out_file "$here/expected/fscopy.out"
  cmp -s "$TMP/src/big.txt" "$TMP/dst/big.txt" || complain "the copy differs"
}

case_life() {
  run "$PROGRAMS/life.wasm" 64 40 300
  expect_code 0
  expect_out_file "$here/expected/life.out"
}

case_minilisp() {
  run_with "$here/input/prog.lisp" "$PROGRAMS/minilisp.wasm"
  expect_code 3
  expect_out_file "$here/expected/minilisp.out"
}

case_wordcount() {
  for i in {1..2000}; do
    echo "the quick brown fox $i jumps over the lazy dog; The end of line $((i % 7))"
  done >"$TMP/words"
  run_with "$TMP/words" "$PROGRAMS/wordcount.wasm"
  expect_code 0
  expect_out_file "$here/expected/wordcount.out"
}

case_stl() {
  run "$PROGRAMS/stl.wasm"
  expect_code 0
  expect_out $'one 1\nthree 3\ntwo 2\nhash 2954676424\narea 75'
}

case_simd() {
  run "$PROGRAMS/simd.wasm"
  expect_code 0
  expect_out $'dot 1788862464 equal\nbitmask 2089 equal\nsums 125645.609 121199.641 123224.930 123262.266\nshuffle equal'
}

case_clocks() {
  run "$PROGRAMS/clocks.wasm"
  expect_code 0
  expect_out $'slept at least 20 ms: yes\nafter 2020: yes\nrandom: yes'
}

# Every kind of code says and does the same.
case_modes() {
  local mode
  for mode in "--bounds checked" "--bounds guarded" --lazy --eager -O2 -Os; do
    # shellcheck disable=SC2086
    run run $mode "$PROGRAMS/life.wasm" 64 40 300
    expect_code 0
    expect_out_file "$here/expected/life.out"
  done
}

case_serve() {
  skip_unless node
  local port=$((20000 + RANDOM % 20000))
  "$WATTLE" run --listen "127.0.0.1:$port" "$PROGRAMS/serve.wasm" >"$TMP/served" 2>&1 &
  local server=$!
  last="wattle run --listen 127.0.0.1:$port serve.wasm" code=0 err=
  out=$(node -e '
    const net = require("net");
    const attempt = n => {
      const s = net.connect(+process.argv[1], "127.0.0.1", () => s.write("hello there"));
      s.on("data", d => process.stdout.write(d));
      s.on("error", e => n ? setTimeout(attempt, 50, n - 1) : process.exit(1));
    };
    attempt(100);' "$port")
  wait "$server"
  code=$?
  expect_code 0
  expect_out "HELLO THERE"
  out=$(cat "$TMP/served")
  expect_out "served 11 bytes"
}

"case_$1"
pass_or_fail
