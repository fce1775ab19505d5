#!/usr/bin/env bash
# Random modules by Binaryen's fuzzer, run by Wattle in all its modes, by node and by wabt's interpreter: every call's results, every imported
# call's arguments, traps, final memories and globals have to be the same; and the same again when the module's integers are encoded longer
# than they need be. Modules that differ are kept.
# usage: differential.sh BIN MODULES OUT [SET…]
#   BIN       where wattle_trace, wabt_trace and wattle_reencode are
#   SET       which features (default: all sets in turn); see below
#   WASM_OPT  (environment) Binaryen's wasm-opt: Debian's, or a script of the npm package "binaryen", which knows the sets "gc" and "descriptors"
#   NODE      (environment) node, with options
set -u
bin=$1 count=$2 out=$3
shift 3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
wasm_opt=$(command -v "${WASM_OPT:-wasm-opt}")
read -ra node <<< "${NODE:-node}"

# NaNs are open, and wabt's are others: the first sets make all of them zeros.
mvp="--mvp-features --denan"
core="--mvp-features --denan --enable-bulk-memory --enable-multivalue --enable-sign-ext --enable-nontrapping-float-to-int --enable-mutable-globals --enable-reference-types"
newest="--all-features --disable-strings --disable-shared-everything --disable-stack-switching --disable-relaxed-simd --disable-fp16
  --disable-custom-page-sizes --disable-wide-arithmetic --disable-compact-imports --disable-acquire-release-atomics --disable-relaxed-atomics
  --disable-multibyte"
declare -A sets=(
  [mvp]="$mvp"
  [core]="$core"
  [simd]="$core --enable-simd --enable-extended-const"
  [exceptions]="$core --disable-reference-types --enable-simd --enable-exception-handling --enable-tail-call"
  [gc]="$newest --disable-custom-descriptors --translate-to-exnref"
  [gc-scalar]="$newest --disable-custom-descriptors --disable-simd --translate-to-exnref"
  [gc-optimized]="$newest --disable-custom-descriptors --translate-to-exnref -O2"
  [gc-legacy]="$newest --disable-custom-descriptors"
  [descriptors]="$newest --translate-to-exnref"
)
if head -1 "$wasm_opt" | grep -q node; then all="mvp core simd gc gc-scalar gc-optimized gc-legacy descriptors"; else all="mvp core simd exceptions"; fi
[ $# -gt 0 ] && all="$*"
modes=("--checked" "--lazy" "--fuel" "--fuel --checked --lazy" "--gc-stress 1" "--gc-stress 3 --lazy --checked")

generate() { # FLAGS…
  if head -1 "$wasm_opt" | grep -q node; then
    "${node[@]}" "$here/generate.mjs" "$wasm_opt" "$batch" "$out" "$@"
    return
  fi
  for ((i = 0; i < batch; i++)); do
    head -c $((100 + RANDOM % 6000)) /dev/urandom > "$out/random"
    "$wasm_opt" -ttf "$@" "$out/random" -o "$out/m$i.wasm" 2>/dev/null || rm -f "$out/m$i.wasm"
  done
}

# One module after the other when a process ends before its time. A module that takes too long on a busy machine says nothing.
trace() { # OUTPUT FILES…, by "${command[@]}"
  local output=$1 status
  shift
  timeout 60 "${command[@]}" "$@" > "$output" 2> "$output.err" && return
  : > "$output"
  for file in "$@"; do
    timeout 60 "${command[@]}" "$file" > "$out/one" 2>> "$output.err"
    status=$?
    if [ $status -eq 124 ]; then
      printf 'module %s\nout of time\n' "${file##*/}" >> "$output"
      continue
    fi
    cat "$out/one" >> "$output"
    [ $status -eq 0 ] || echo "ended with $status" >> "$output"
  done
}

mkdir -p "$out/differ" "$out/longer"
different=0 batch=50 done=0
declare -A compared refused
while ((done < count)); do
  for set in $all; do
    rm -f "$out"/m*.wasm "$out"/longer/m*.wasm "$out"/*.txt
    # shellcheck disable=SC2086
    generate ${sets[$set]}
    command=("$bin/wattle_trace"); trace "$out/ours.txt" "$out"/m*.wasm
    others=()
    if "${node[@]}" --version > /dev/null 2>&1; then
      command=("${node[@]}" "$here/trace.mjs"); trace "$out/node.txt" "$out"/m*.wasm
      others+=("node=$out/node.txt")
    fi
    command=("$bin/wabt_trace"); trace "$out/wabt.txt" "$out"/m*.wasm
    others+=("wabt=$out/wabt.txt")
    for mode in "${modes[@]}"; do
      # shellcheck disable=SC2206
      command=("$bin/wattle_trace" $mode); trace "$out/wattle$mode.txt" "$out"/m*.wasm
      others+=("wattle$mode=$out/wattle$mode.txt")
    done
    for file in "$out"/m*.wasm; do "$bin/wattle_reencode" $RANDOM "$file" "$out/longer/${file##*/}" || echo "cannot reencode $file"; done
    for mode in "" "--lazy --checked" "--fuel"; do
      # shellcheck disable=SC2206
      command=("$bin/wattle_trace" $mode); trace "$out/wattle-longer$mode.txt" "$out"/longer/m*.wasm
      others+=("wattle-longer$mode=$out/wattle-longer$mode.txt")
    done
    while read -r what name voice rest; do
      if [ "$what" = differs ]; then
        different=$((different + 1))
        kept="$out/differ/$set-$(date +%s%N)"
        cp "$out/$name" "$kept.wasm"
        [ -e "$out/longer/$name" ] && cp "$out/longer/$name" "$kept.longer.wasm"
        echo "$kept.wasm: $voice $rest"
      else
        # compared NAME COUNT REFUSED, where the name may have spaces
        numbers=($voice $rest)
        key="$name"
        [ ${#numbers[@]} -gt 2 ] && key="$name ${numbers[*]:0:${#numbers[@]}-2}"
        compared[$key]=$((${compared[$key]:-0} + numbers[-2]))
        refused[$key]=$((${refused[$key]:-0} + numbers[-1]))
      fi
    done < <("${node[@]}" "$here/compare.mjs" "$out/ours.txt" "${others[@]}")
    done=$((done + $(grep -c '^module ' "$out/ours.txt")))
  done
  echo "$done modules, $different differences"
done
for key in "${!compared[@]}"; do echo "$key: ${compared[$key]} compared, ${refused[$key]} refused"; done | sort
[ "$different" -eq 0 ]
