#!/usr/bin/env bash
# Random modules by Binaryen's fuzzer, run by Wattle (eager, checked, lazy) and by node: every call's results, every imported call's arguments,
# traps and final memories have to be the same. Modules that differ are kept.
# usage: differential.sh TRACE_PROGRAM MODULES OUT
set -u
trace=$1 count=$2 out=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
features="--enable-simd --enable-bulk-memory --enable-multivalue --enable-sign-ext --enable-nontrapping-float-to-int --enable-mutable-globals --enable-reference-types --enable-exception-handling"
mkdir -p "$out/differ"
same=0 different=0 batch=50
for ((done = 0; done < count; done += batch)); do
  rm -f "$out"/m*.wasm
  for ((i = 0; i < batch; i++)); do
    head -c $((100 + RANDOM % 6000)) /dev/urandom > "$out/random"
    # shellcheck disable=SC2086
    wasm-opt -ttf $features "$out/random" -o "$out/m$i.wasm" 2>/dev/null || rm -f "$out/m$i.wasm"
  done
  node "$here/trace.mjs" "$out"/m*.wasm > "$out/node.txt" 2>/dev/null
  for mode in "" --checked --lazy; do
    # shellcheck disable=SC2086
    "$trace" $mode "$out"/m*.wasm > "$out/wattle.txt" 2> "$out/wattle.err" || echo "exit $? of wattle_trace $mode: $(tail -1 "$out/wattle.err")"
    if cmp -s "$out/node.txt" "$out/wattle.txt"; then
      same=$((same + batch))
      continue
    fi
    for file in "$out"/m*.wasm; do
      if ! cmp -s <(node "$here/trace.mjs" "$file" 2>/dev/null) <("$trace" $mode "$file" 2>/dev/null); then
        different=$((different + 1))
        cp "$file" "$out/differ/$(date +%s%N)$mode.wasm"
      else
        same=$((same + 1))
      fi
    done
  done
  echo "$((done + batch)) modules: $same runs alike, $different different"
done
[ "$different" -eq 0 ]
