#!/usr/bin/env bash
# What is installed is complete: headers, both forms of the library, what finds them, manual pages, completions, packages.
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
: "${PREFIX:?}" "${CMAKE:?}" "${CPACK:?}" "${BUILD:?}" "${CC:?}" "${CXX:?}"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PKG_CONFIG_PATH=$PREFIX/lib/pkgconfig
unset LD_LIBRARY_PATH CFLAGS CXXFLAGS LDFLAGS
export LC_ALL=C
shopt -s extglob

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

# In a program with the address sanitizer and its leak checker, which the library was built without.
case_beside_asan() {
  [ -z "${SANITIZE:-}" ] || { echo "skipped: the library itself has a sanitizer"; exit 77; }
  local flags
  read -ra flags < <(pkg-config --cflags --libs wattle)
  compile "$CXX" -std=c++23 -fsanitize=address "$here/project/main.cc" "${flags[@]}" -o "$TMP/cc"
  compile "$CC" -fsanitize=address "$here/project/main.c" "${flags[@]}" -o "$TMP/c"
  expect_program "$TMP/cc" "$PREFIX"
  expect_program "$TMP/c" "$PREFIX"
}

case_program() {
  cat >"$TMP/add.wat" <<<'(module (func (export "f") (result i32) (i32.const 42)))'
  run run --invoke f "$TMP/add.wat"
  expect_code 0
  expect_out 42
}

# The commands, and the options in a command's help, as its reader sees them.
commands() { "$WATTLE" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z0-9]*\) .*/\1/p'; }
options() { "$WATTLE" "$1" --help | grep -oP '^  \K-\S*' | sed 's/\[.*//' | tr ',' '\n'; }

# completed WORD…: what bash offers for the last of the words.
completed() {
  local COMP_WORDS=(wattle "$@") COMP_CWORD=$#
  last="completion of: wattle $*" code=0 err=
  _wattle
  mapfile -t COMPREPLY < <(printf '%s\n' "${COMPREPLY[@]}" | sort)
  out=" ${COMPREPLY[*]} "
}

case_completions_bash() {
  . "$PREFIX/share/bash-completion/completions/wattle"
  mkdir "$TMP/work"
  cd "$TMP/work" || exit 1
  mkdir folder
  touch file.wasm
  local command option count=0
  completed ''
  expect_out_has " file.wasm " " run " " completions "
  completed --
  expect_out_has " --dir " " --version "
  for command in $(commands); do
    completed "$command" -
    for option in $(options "$command"); do
      expect_out_has " $option "
      count=$((count + 1))
    done
  done
  [ "$count" -gt 50 ] || complain "expected more options than $count"
  completed run --dir ''
  expect_out " folder "
  completed run --missing = ze
  expect_out " zero "
  completed run --stats = ''
  expect_out " json text "
  completed run --stats fi
  expect_out " file.wasm "
  completed run --bounds guarded --lazy --m
  expect_out " --max-memory --max-stack --missing "
  completed run --env A = B --timeout 2s f
  expect_out " file.wasm folder "
  # After the file everything is the program's.
  completed run --lazy file.wasm --m
  expect_out "  "
  completed file.wasm fi
  expect_out " file.wasm "
  completed completions z
  expect_out " zsh "
  completed inspect file.wasm --asm
  expect_out " --asm --asm-of "
}

case_completions_zsh() {
  local script=$PREFIX/share/zsh/site-functions/_wattle command option
  for command in $(commands); do
    capture cat "$script"
    expect_out_has "    '$command:" "    $command)"
    capture sed -n "/^    $command)\$/,/;;/p" "$script"
    for option in $(options "$command"); do
      checks=$((checks + 1))
      [[ $out == *"'"?(\(*\)|\*)"$option"[[=+]* ]] || complain "expected an entry for $option"
    done
  done
  skip_unless zsh
  capture zsh -n "$script"
  expect_code 0
  expect_err ""
}

case_completions_fish() {
  skip_unless fish
  local script=$PREFIX/share/fish/vendor_completions.d/wattle.fish command option
  export HOME=$TMP
  offered() { capture fish --no-config -c "source '$script'; complete -C 'wattle $1'"; }
  offered ''
  expect_out_has run wat2wasm completions
  for command in $(commands); do
    offered "$command -"
    for option in $(options "$command"); do
      # Where there is a long name fish offers that, the letter otherwise.
      [[ $option == --* || $option == -O ]] && expect_out_has "$option"
    done
  done
  offered 'run --missing '
  expect_out_has trap zero
  offered 'validate --'
  checks=$((checks + 1))
  [[ $out != *--timeout* ]] || complain "expected only the command's own options"
}

case_manual() {
  local command option page
  for command in '' $(commands); do
    page=$PREFIX/share/man/man1/wattle${command:+-$command}.1.gz
    expect_there "$page"
    gzip -dc "$page" >"$TMP/page.1"
    capture cat "$TMP/page.1"
    [ "$command" ] || continue
    for option in $(options "$command"); do expect_out_has "\\fB${option//-/\\-}\\fR"; done
  done
  skip_unless man
  for page in "$PREFIX"/share/man/man1/*.gz; do
    capture env LC_ALL=C.UTF-8 MANWIDTH=100 man --warnings -l "$page"
    expect_code 0
    expect_err ""
    expect_out_has SYNOPSIS DESCRIPTION
  done
}

case_packages() {
  skip_unless dpkg-shlibdeps
  local package field
  cd "$BUILD" || exit 1
  capture "$CPACK" -G DEB -B "$TMP" -D CPACK_OUTPUT_FILE_PREFIX="$TMP/packages" -D CPACK_DEBIAN_COMPRESSION_TYPE=gzip
  expect_code 0
  for package in libwattle0 libwattle-dev wattle; do
    dpkg-deb -x "$TMP/packages/$package"*_amd64.deb "$TMP/root"
    capture dpkg-deb -c "$TMP/packages/$package"*_amd64.deb
    expect_code 0
    expect_out_has /copyright /changelog
    checks=$((checks + 1))
    [[ $out != *"./tmp"* && $out != *"$BUILD"* ]] || complain "expected no paths of the build"
    capture dpkg-deb -f "$TMP/packages/$package"*_amd64.deb Depends
    case $package in
      libwattle0) expect_out_has libc6 libstdc++6 libuv1 ;;
      libwattle-dev) expect_out_has "libwattle0" "(= " libuv1-dev libxxhash-dev ;;
      wattle) expect_out_has libc6 ;;
    esac
  done
  # Together they hold what an installation holds, and it runs.
  (cd "$PREFIX" && find . ! -type d | sort) >"$TMP/installed"
  capture bash -c "cd '$TMP/root/usr' && find . ! -type d | sed s/vendor-completions/site-functions/ | sort"
  expect_out_file "$TMP/installed"
  WATTLE=$TMP/root/usr/bin/wattle run --version
  expect_out "$("$WATTLE" --version)"
}

"case_${1:?}"
pass_or_fail
