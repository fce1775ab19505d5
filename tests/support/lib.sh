#!/usr/bin/env bash
# For tests that run the command line: sourced by bash, with WATTLE (the program) set.
#
#   run ARGUMENTS…        runs wattle; then $code, $out and $err hold what came (final newlines cut)
#   expect_code 0         and so on: each check that does not hold prints what came, and the test fails at its end
#   pass_or_fail          last line of a test
set -u
: "${WATTLE:?}"
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT
unset NO_COLOR WATTLE_CACHE_SIZE
export XDG_CACHE_HOME=$TMP/cache-home  # not the tester's own disk cache
failures=0
checks=0

# Standard input is empty unless the caller gives one.
run() { run_with /dev/null "$@"; }
run_with() {
  local input=$1
  shift
  last="wattle $*"
  "$WATTLE" "$@" <"$input" >"$TMP/out" 2>"$TMP/err"
  code=$?
  out=$(tr -d '\0' <"$TMP/out")
  err=$(tr -d '\0' <"$TMP/err")
}

# Says what came once for each run, and cuts long texts.
complain() {
  failures=$((failures + 1))
  if [ "$last$code$out$err" != "${complained:-}" ]; then
    printf -- '--- %s\nexit code %s\nstandard output: %s\nstandard error: %s\n' "$last" "$code" "${out:0:600}" "${err:0:600}"
    complained=$last$code$out$err
  fi
  printf '  * %s\n' "${1:0:300}"
}

expect_code() {
  checks=$((checks + 1))
  [ "$code" -eq "$1" ] || complain "expected exit code $1"
}
expect_out() {
  checks=$((checks + 1))
  [ "$out" = "$1" ] || complain "expected on standard output: $1"
}
expect_out_file() {
  checks=$((checks + 1))
  cmp -s "$TMP/out" "$1" || complain "expected on standard output: $(cat "$1")"
}
# Fixed strings, anywhere.
expect_out_has() {
  local text
  for text in "$@"; do
    checks=$((checks + 1))
    [[ $out == *"$text"* ]] || complain "expected in standard output: $text"
  done
}
expect_err() {
  checks=$((checks + 1))
  [ "$err" = "$1" ] || complain "expected on standard error: $1"
}
expect_err_has() {
  local text
  for text in "$@"; do
    checks=$((checks + 1))
    [[ $err == *"$text"* ]] || complain "expected in standard error: $text"
  done
}
# The one clear line of an error, with that exit code.
expect_error() {
  local wanted=$1
  shift
  expect_code "$wanted"
  expect_err_has "$@"
  checks=$((checks + 1))
  [[ $err == "wattle: error: "* && $(wc -l <"$TMP/err") -eq 1 ]] || complain "expected one line beginning 'wattle: error: '"
}
# A text module in $TMP; its path is printed.
wat() {
  local file
  file=$(mktemp "$TMP/XXXXXX.wat")
  cat >"$file"
  printf '%s' "$file"
}
skip_unless() {
  command -v "$1" >/dev/null || { echo "skipped: no $1"; exit 77; }
}
pass_or_fail() {
  echo "$checks checks, $failures failed"
  [ "$failures" -eq 0 ] && [ "$checks" -gt 0 ]
}
