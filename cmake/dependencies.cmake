# The packages of Debian that Wattle is built with. Static where Debian has it so: start-up time.
#   wattle_fmt wattle_uv wattle_xxhash    for any room (wattle_options brings wattle_fmt)
#   wattle_wabt                                       for the command line and the tests alone
# Zydis and Binaryen are opened when first used (dlopen); only their headers are needed here.

add_library(wattle_fmt_objects OBJECT ${CMAKE_SOURCE_DIR}/cmake/fmt.cc)
add_library(wattle_fmt STATIC $<TARGET_OBJECTS:wattle_fmt_objects>)
find_package(Threads REQUIRED)

function(wattle_dependency target header)
  add_library(${target} INTERFACE)
  find_path(${target}_header ${header} REQUIRED)
  find_library(${target}_library NAMES ${ARGN} REQUIRED)
  mark_as_advanced(${target}_header ${target}_library)
  target_include_directories(${target} SYSTEM INTERFACE ${${target}_header})
  target_link_libraries(${target} INTERFACE ${${target}_library})
endfunction()

wattle_dependency(wattle_uv uv.h uv_a libuv_a.a uv)
target_link_libraries(wattle_uv INTERFACE Threads::Threads ${CMAKE_DL_LIBS} rt)
wattle_dependency(wattle_xxhash xxhash.h libxxhash.a xxhash)
wattle_dependency(wattle_wabt wabt/ir.h libwabt.a)

foreach(header binaryen-c.h Zydis/Zydis.h CLI/CLI.hpp)
  string(MAKE_C_IDENTIFIER "found_${header}" found)
  find_path(${found} ${header} REQUIRED)
  mark_as_advanced(${found})
endforeach()
