#!/usr/bin/env bash
# What is installed is complete: headers, both forms of the library, what finds them, manual pages, completions, packages.
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
: "${PREFIX:?}" "${CMAKE:?}" "${CPACK:?}" "${BUILD:?}" "${CC:?}" "${CXX:?}"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PKG_CONFIG_PATH=$PREFIX/lib/pkgconfig
unset LD_LIBRARY_PATH CFLAGS CXXFLAGS LDFLAGS

# capture COMMAND…: like run, for any command.
capture() {
  last="$*"
  "$@" </dev/null >"$TMP/out" 2>"$TMP/err"
  code=$?
  out=$(<"$TMP/out")
  err=$(<"$TMP/err")
}
expect_there() {
  local file
  for file in "$@"; do
    checks=$((checks + 1))
    [ -e "$file" ] || complain "expected $file to be there"
  done
}
# expect_program PROGRAM [PREFIX]: it prints what it should, and uses the shared library of PREFIX, or none.
expect_program() {
  capture env LD_LIBRARY_PATH="${2:+$2/lib}" "$1"
  expect_code 0
  expect_out_file "$here/project/expected.txt"
  capture env LD_LIBRARY_PATH="${2:+$2/lib}" ldd "$1"
  checks=$((checks + 1))
  if [ -n "${2:-}" ]; then
    expect_out_has "$2/lib/libwattle.so"
  elif [[ $out == *libwattle* ]]; then
    complain "expected no libwattle.so"
  fi
}
# Without leaks being looked for: Debian's libraries are not built for that.
compile() {
  capture "$@" ${SANITIZE:-}
  expect_code 0
}
# Each header alone, with nothing but what is installed; `compiler` is the command for C++.
expect_headers() {
  local header language count=0
  while IFS= read -r header; do
    language=(-x c++ -std=c++23)
    [[ $header != *.h ]] || language=(-x c -std=c11 -pedantic)
    echo "#include <$header>" >"$TMP/one"
    capture "$@" "${language[@]}" -fsyntax-only -Wall -Wextra -Werror "-I$PREFIX/include" "$TMP/one"
    expect_code 0
    count=$((count + 1))
  done < <(cd "$PREFIX/include" && find . -type f -printf '%P\n')
  [ "$count" -ge 6 ] || complain "expected more headers than $count"
}

case_headers_gcc() { expect_headers g++; }
case_headers_clang() {
  skip_unless clang++-19
  expect_headers clang++-19
}

# Nothing in the headers leads into the source tree.
case_headers_closed() {
  last=headers
  local name
  expect_there "$PREFIX"/include/{wasm.h,wasm.hh,wattle.h} "$PREFIX"/include/wattle/{wattle,wasi,error,value,inspect,stats}.hpp
  while IFS= read -r name; do expect_there "$PREFIX/include/$name"; done \
    < <(grep -rhoP '#include "\K[^"]+' "$PREFIX/include" | sort -u)
}

case_library() {
  last=library
  expect_there "$PREFIX"/lib/{libwattle.a,libwattle.so}
  capture readelf -d "$PREFIX/lib/libwattle.so"
  expect_out_has "Library soname: [libwattle.so.0."
  expect_there "$PREFIX/lib/$(sed -n 's/.*soname: \[\(.*\)\].*/\1/p' "$TMP/out")"
  checks=$((checks + 1))
  [[ $out != *RPATH* && $out != *RUNPATH* ]] || complain "expected no search path of the build in the library"
  # Only the C and C++ interfaces are to be seen, and what the standard library shares by name.
  capture bash -c "nm -DC --defined-only '$PREFIX/lib/libwattle.so' | cut -d' ' -f3- | grep -vE '^(wasm_|wattle_|wattle::|wasm::|(typeinfo|vtable|typeinfo name|guard variable) (for )?(wattle|wasm|std)|.*\bstd::)'"
  expect_out ""
}

case_cmake() {
  cp -r "$here/project" "$TMP/project"
  capture "$CMAKE" -S "$TMP/project" -B "$TMP/build" -DCMAKE_PREFIX_PATH="$PREFIX" -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_C_COMPILER="$CC" -DCMAKE_CXX_COMPILER="$CXX" -DCMAKE_C_FLAGS="${SANITIZE:-}" -DCMAKE_CXX_FLAGS="${SANITIZE:-}"
  expect_code 0
  capture "$CMAKE" --build "$TMP/build"
  expect_code 0
  expect_program "$TMP/build/cc_shared" "$PREFIX"
  expect_program "$TMP/build/cc_static"
  expect_program "$TMP/build/c_shared" "$PREFIX"
  expect_program "$TMP/build/c_static"
  # A version that there is not.
  sed 's/wattle 0.1/wattle 99.0/' "$here/project/CMakeLists.txt" >"$TMP/project/CMakeLists.txt"
  capture "$CMAKE" -S "$TMP/project" -B "$TMP/build" -DCMAKE_PREFIX_PATH="$PREFIX"
  expect_code 1
  expect_err_has "99.0"
}

# Moved as a whole, since all paths in it are relative.
case_pkg_config() {
  skip_unless pkg-config
  cp -a "$PREFIX" "$TMP/moved"
  export PKG_CONFIG_PATH=$TMP/moved/lib/pkgconfig
  capture pkg-config --modversion wattle
  checks=$((checks + 1))
  [[ "wattle $out" == "$("$WATTLE" --version)" ]] || complain "expected the program's version"
  local c cc static
  read -ra c < <(pkg-config --cflags --libs wattle)
  read -ra cc < <(pkg-config --cflags --libs wattle)
  read -ra static < <(pkg-config --cflags --libs wattle-static)
  compile "$CXX" -std=c++23 "$here/project/main.cc" "${cc[@]}" -o "$TMP/cc_shared"
  compile "$CC" "$here/project/main.c" "${c[@]}" -o "$TMP/c_shared"
  compile "$CXX" -std=c++23 "$here/project/main.cc" "${static[@]}" -o "$TMP/cc_static"
  compile "$CC" "$here/project/main.c" "${static[@]}" -o "$TMP/c_static"
  expect_program "$TMP/cc_shared" "$TMP/moved"
  expect_program "$TMP/c_shared" "$TMP/moved"
  expect_program "$TMP/cc_static"
  expect_program "$TMP/c_static"
  # And with nothing shared where there is only libwattle.a.
  rm "$TMP"/moved/lib/libwattle.so*
  read -ra static < <(pkg-config --static --cflags --libs wattle)
  compile "$CC" "$here/project/main.c" "${static[@]}" -o "$TMP/c_private"
  expect_program "$TMP/c_private"
}

case_program() {
  cat >"$TMP/add.wat" <<<'(module (func (export "f") (result i32) (i32.const 42)))'
  run run --invoke f "$TMP/add.wat"
  expect_code 0
  expect_out 42
}

"case_${1:?}"
pass_or_fail
