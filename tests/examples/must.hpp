// For examples: what has to work, or the program ends with the reason. A real host would go on; see script_host.cc.
#pragma once

#include <wattle/wattle.hpp>

#include <cstdio>
#include <cstdlib>

template <class T>
T must(wattle::Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().message.c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}
