#!/usr/bin/env bash
# Seeds for the fuzz targets: the scripts of a conformance suite and their modules, and random modules by Binaryen's fuzzer.
# usage: seeds.sh SCRIPT_MODULES OUT SUITE [RANDOM_MODULES]     (SCRIPT_MODULES: the program wattle_script_modules of any build)
set -eu
program=$1 out=$2 suite=$3 count=${4:-200}
mkdir -p "$out/modules" "$out/texts"
find "$suite" -name '*.wast' -printf '%P\n' | while read -r name; do cp "$suite/$name" "$out/texts/${name//\//-}"; done
find "$suite" -name '*.wast' -exec "$program" "$out/modules" {} +
for i in $(seq "$count"); do
  head -c $((200 + RANDOM % 4000)) /dev/urandom > "$out/random"
  wasm-opt -ttf --all-features "$out/random" -o "$out/modules/random$i.wasm" 2>/dev/null || true
done
rm -f "$out/random"
find "$out/modules" -size +32k -delete
