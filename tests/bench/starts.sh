#!/usr/bin/env bash
# Whole processes: a program without the disk cache, its first start with an empty one, and its second start. Medians in milliseconds.
#
#   tests/bench/starts.sh WATTLE FILE [ARGUMENT…]
set -u
[ $# -ge 2 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 1; }
wattle=$1
shift
XDG_CACHE_HOME=$(mktemp -d)
export XDG_CACHE_HOME
trap 'rm -rf "$XDG_CACHE_HOME"' EXIT

once() {  # prints milliseconds
  local from=$EPOCHREALTIME
  "$wattle" run "$@" >/dev/null 2>&1 </dev/null
  local to=$EPOCHREALTIME
  echo $((${to/./} - ${from/./}))
}
median() { sort -n | awk '{ v[NR] = $1 } END { printf "%.1f", v[int((NR + 1) / 2)] / 1000 }'; }
fresh() {
  rm -rf "$XDG_CACHE_HOME/wattle"
  once "$@"
}
none=$(for _ in {1..15}; do once --no-cache "$@"; done | median)
first=$(for _ in {1..7}; do fresh "$@"; done | median)
sleep 2.1  # then what is there needs no verifying any more
for _ in 1 2; do once "$@" >/dev/null; done
second=$(for _ in {1..31}; do once "$@"; done | median)
kept=$(du -cB1M "$XDG_CACHE_HOME"/wattle/*.cwasm 2>/dev/null | tail -1 | cut -f1)
echo "no cache $none, first start $first, second start $second; ${kept:-0} MiB kept"
