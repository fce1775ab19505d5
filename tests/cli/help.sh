#!/usr/bin/env bash
# Help and version: there, on standard output, with examples.
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

run --version
expect_code 0
expect_out_has "wattle 0."
run --help
expect_code 0
expect_out_has "Usage:" "Examples:" "Exit codes" run validate inspect compile wat2wasm wast
for command in run validate inspect compile cache wat2wasm wast completions manual; do
  for flag in --help -h; do
    run "$command" "$flag"
    expect_code 0
    expect_out_has "Usage: wattle $command" "--help"
    expect_err ""
  done
done
run run --help
expect_out_has --dir --dir-ro --env --invoke --preload --argv0 --max-memory --max-stack --timeout -O --bounds --lazy \
  --eager --listen --missing "HOST[::GUEST]" i32x4 Examples
run
expect_error 1 "--help"
run run
expect_error 1 "no file given"
run run --no-such-option file.wasm
expect_error 1 "--no-such-option"
run inspect
expect_error 1 "FILE"


# Completions and manual pages: what they hold is checked where they are installed.
for shell in bash zsh fish; do
  run completions "$shell"
  expect_code 0
  expect_out_has max-memory
done
run completions tcsh
expect_error 1 tcsh fish
run manual
expect_code 0
expect_out_has ".TH WATTLE 1"
run manual run
expect_out_has ".TH WATTLE\\-RUN 1" "max\\-memory"
run manual nothing
expect_error 1 nothing
run manual --all "$TMP/nowhere"
expect_error 1 "$TMP/nowhere"

pass_or_fail
