#!/usr/bin/env bash
# Seeds for the fuzz targets: every text module of a conformance suite that wabt can translate, and random modules by Binaryen's fuzzer.
# usage: seeds.sh OUT SUITE [RANDOM_MODULES]
set -eu
out=$1 suite=$2 count=${3:-200}
mkdir -p "$out/modules" "$out/texts"
for wast in "$suite"/*.wast; do
  cp "$wast" "$out/texts/"
  (cd "$out/modules" && wast2json --enable-all "$wast" -o "$(basename "$wast").json" 2>/dev/null) || true
done
rm -f "$out"/modules/*.json "$out"/modules/*.wat
for i in $(seq "$count"); do
  head -c $((200 + RANDOM % 4000)) /dev/urandom > "$out/random"
  wasm-opt -ttf --all-features "$out/random" -o "$out/modules/random$i.wasm" 2>/dev/null || true
done
rm -f "$out/random"
find "$out/modules" -size +32k -delete
