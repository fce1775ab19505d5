#!/usr/bin/env bash
# The README's console examples: each "$ command" prints what stands below it; [N] is the exit code, where it is not 0.
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
: "${SOURCE:?}"
readme=$SOURCE/README.md
cd "$TMP" || exit 1
mkdir bin
ln -s "$WATTLE" bin/wattle
PATH=$TMP/bin:$PATH
set -o pipefail

# The text module comes first.
awk '/^```wat$/ { on = 1; next } /^```$/ { on = 0 } on' "$readme" >math.wat

check() {
  [ -n "$command" ] || return
  last=$command
  out=$(bash -c "$command" 2>&1)
  code=$?
  err=
  # A reader that has seen enough closes the pipe.
  [[ $command != *"| head"* ]] || code=0
  [ "$code" -eq 0 ] || out+=$'\n'"[$code]"
  expect_out "${expected%$'\n'}"
}

command='' expected=''
while IFS= read -r line; do
  if [[ $line == '$ '* ]]; then
    check
    command=${line#'$ '} expected=
  elif [ "$line" = '```' ]; then
    check
    command=''
  else
    expected+=$line$'\n'
  fi
done < <(awk '/^```console$/ { on = 1; next } /^```$/ { if (on) print; on = 0 } on' "$readme")

pass_or_fail
