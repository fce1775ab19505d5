#!/usr/bin/env bash
# The disk cache from the command line, --stats, and wattle cache.
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
: "${PROGRAMS:?}"
for name in stl traps wordcount life; do
  [ -f "$PROGRAMS/$name.wasm" ] || exit 77
done
dir=$XDG_CACHE_HOME/wattle
stl=$TMP/stl.wasm
cp "$PROGRAMS/stl.wasm" "$stl"
"$WATTLE" run --no-cache "$stl" >"$TMP/wanted" 2>/dev/null </dev/null

# What the run's --stats=json says of the disk cache: "hits misses stores", or "off".
disk() {
  run run --stats=json "$@"
  said=$(sed -n 's/.*"diskCache":{"enabled":true,"hits":\([0-9]*\),"misses":\([0-9]*\),"stores":\([0-9]*\)}.*/\1 \2 \3/p' "$TMP/err")
  said=${said:-off}
}
expect_disk() {
  checks=$((checks + 1))
  [ "$said" = "$1" ] || complain "expected of the disk cache: $1, not $said"
}
expect_files() {
  checks=$((checks + 1))
  files=("$dir"/*.cwasm)
  [ -f "${files[0]}" ] || files=()
  [ "${#files[@]}" -eq "$1" ] || complain "expected $1 files in the cache, not ${#files[@]}"
}
started_right() {
  disk "$stl"
  expect_code 0
  expect_out_file "$TMP/wanted"
}

# --- a first and a second start
run cache
expect_code 0
expect_out "$dir: 0 B of 1.0 GiB in 0 files"
started_right
expect_disk "0 1 1"
expect_files 1
started_right
expect_disk "1 0 0"
run "$stl"
expect_out_file "$TMP/wanted"
disk --no-cache "$stl"
expect_disk off
run run --stats "$stl"
expect_err_has "code cache " " of " "modules         1 live" "guarded" "disk cache      1 hits, 0 misses"
run run --stats=xml "$stl"
expect_error 1 "xml"
# By pipe, as text, and for a compiled file the same bytes are the same module.
run_with "$stl" run --stats=json -
expect_err_has '"hits":1'
# Small modules are not worth it.
disk "$(wat <<<'(module (func (export "_start")))')"
expect_code 0
expect_disk off
# Traps in code from the cache have their names and offsets.
for _ in 1 2; do
  disk "$PROGRAMS/traps.wasm" unreachable
  expect_code 134
done
expect_disk "1 0 0"
cp "$TMP/err" "$TMP/cached"
run run --no-cache --stats=json "$PROGRAMS/traps.wasm" unreachable
checks=$((checks + 1))
diff <(grep -v codeCache "$TMP/err") <(grep -v codeCache "$TMP/cached") >&2 || complain "another backtrace from the cache"

# --- lazy code: what was called is kept, and the next start has it
disk --lazy "$stl"
expect_disk "0 1 0"  # written when the module dies, after the figures
expect_files 3
disk --lazy "$stl"
expect_out_file "$TMP/wanted"
expect_disk "1 0 0"

# --- a file that was verified a while ago, and damaged since
run cache clear
expect_code 0
expect_out_has "removed 3 files, "
expect_files 0
started_right
expect_files 1
file=${files[0]}
sleep 2.1  # what was changed within the last two seconds is verified anew each time
started_right
started_right
expect_disk "1 0 0"
size=$(stat -c %s "$file")
for at in 0 9 50 112 130 $((size / 4)) $((size / 2)) $((size - 1)); do
  byte=$(od -An -tu1 -j "$at" -N 1 "$file")
  printf "\\x$(printf %02x $((byte ^ 0xa5)))" | dd of="$file" bs=1 seek="$at" conv=notrunc 2>/dev/null
  started_right
  expect_disk "0 1 1"
  expect_files 1
done
truncate -s $((size / 2)) "$file"
started_right
expect_disk "0 1 1"
: >"$file"
started_right
expect_disk "0 1 1"

# --- least recently used goes first
run cache clear
export WATTLE_CACHE_SIZE=1000000000000
for program in traps wordcount life; do
  disk "$PROGRAMS/$program.wasm"
  expect_disk "0 1 1"
done
sum=$(du --apparent-size -cB1 "$dir"/*.cwasm | tail -1 | cut -f1)
disk "$PROGRAMS/traps.wasm"
expect_disk "1 0 0"
export WATTLE_CACHE_SIZE=$((sum + 1000))
disk "$PROGRAMS/argsenv.wasm"  # in the place of wordcount, and maybe others
expect_disk "0 1 1"
disk "$PROGRAMS/traps.wasm"
expect_disk "1 0 0"
disk "$PROGRAMS/wordcount.wasm"
expect_disk "0 1 1"
checks=$((checks + 1))
[ "$(du -cB1 "$dir"/*.cwasm | tail -1 | cut -f1)" -le "$WATTLE_CACHE_SIZE" ] || complain "larger than it may be"
disk --cache-size 10k "$PROGRAMS/life.wasm"
expect_code 0
expect_disk "0 1 0"
disk --cache-size 0 "$PROGRAMS/life.wasm"
expect_disk off
run run --cache-size much "$stl"
expect_error 1 "--cache-size much"
WATTLE_CACHE_SIZE=much run "$stl"
expect_error 1 "WATTLE_CACHE_SIZE much"
unset WATTLE_CACHE_SIZE

# --- many at once, while somebody empties it
run cache clear
for round in 1 2 3; do
  pids=()
  for i in 1 2 3 4 5 6 7 8; do
    "$WATTLE" run --cache-size $((1500000 + i * 100000)) "$stl" >"$TMP/many.$i" 2>"$TMP/many.err.$i" </dev/null &
    pids+=($!)
  done
  [ "$round" -eq 2 ] && "$WATTLE" cache clear >"$TMP/cleared"
  for i in 1 2 3 4 5 6 7 8; do
    checks=$((checks + 1))
    wait "${pids[$((i - 1))]}" && cmp -s "$TMP/many.$i" "$TMP/wanted" || complain "one of many failed: $(head -c 300 "$TMP/many.err.$i")"
  done
done
checks=$((checks + 1))
[ -z "$(find "$dir" -name '.*' -type f)" ] || complain "temporary files are left"

# --- directories that cannot be used: it runs without
refused() {
  started_right
  expect_disk off
  run cache
  expect_error 1 "cannot use the cache directory $dir: $1"
}
rm -rf "$dir"
: >"$dir"
refused "it is not a directory"
rm "$dir"
mkdir "$TMP/elsewhere"
ln -s "$TMP/elsewhere" "$dir"
refused "it is not a directory"
rm "$dir"
mkdir -m 777 "$dir"
refused "others may write to it"
checks=$((checks + 1))
[ -z "$(find "$dir/" "$TMP/elsewhere" -mindepth 1)" ] && rmdir "$dir" || complain "something was written there"
if [ "$(id -u)" -eq 0 ]; then
  mkdir -m 700 "$dir"
  chown 12345 "$dir"
  refused "it belongs to another user"
  rmdir "$dir"
else
  chmod 500 "$XDG_CACHE_HOME"
  refused "Permission denied"
  chmod 700 "$XDG_CACHE_HOME"
fi
XDG_CACHE_HOME=/proc/nowhere started_right
expect_disk off
# Not an absolute path: as if it were not set.
XDG_CACHE_HOME=relative HOME=$TMP/home started_right
expect_disk "0 1 1"
[ -d "$TMP/home/.cache/wattle" ] || complain "not under the home directory"
XDG_CACHE_HOME='' HOME='' started_right
expect_disk off
started_right
expect_disk "0 1 1"

# --harden: what was kept before is used. (A leak checker could not do its work then.)
export ASAN_OPTIONS=detect_leaks=0
run run --harden --stats=json "$stl"
expect_code 0
expect_out_file "$TMP/wanted"
expect_err_has '"hits":1'

pass_or_fail
