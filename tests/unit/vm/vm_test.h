// Modules from text, run through the public API.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/text/wat.h"
#include "wattle/wattle.hpp"

namespace wattle::testing {

inline Module compileWat(const Engine& engine, std::string_view text) {
  auto bytes = frontend::parseWat(text);
  if (!bytes) {
    ADD_FAILURE() << bytes.error().message << " at " << bytes.error().offset << " in\n" << text;
    return {};
  }
  auto module = Module::compile(engine, std::move(*bytes));
  if (!module) {
    ADD_FAILURE() << module.error().message << " in\n" << text;
    return {};
  }
  return *module;
}

inline Result<Instance> tryInstantiate(Store& store, const Engine& engine, std::string_view text,
                                       std::vector<Extern> imports = {}) {
  return Instance::create(store, compileWat(engine, text), imports);
}

inline Instance instantiate(Store& store, const Engine& engine, std::string_view text,
                            std::vector<Extern> imports = {}) {
  auto instance = tryInstantiate(store, engine, text, std::move(imports));
  if (!instance) {
    ADD_FAILURE() << instance.error().message << " in\n" << text;
    return {};
  }
  return *instance;
}

// The only result, as an i32.
inline int32_t callI32(const Instance& instance, std::string_view name, std::initializer_list<Val> args = {}) {
  auto function = instance.func(name);
  if (!function) {
    ADD_FAILURE() << "no function " << name;
    return -1;
  }
  auto results = function->call(args);
  if (!results) {
    ADD_FAILURE() << name << ": " << results.error().message;
    return -1;
  }
  if (results->size() != 1) {
    ADD_FAILURE() << name << " has " << results->size() << " results";
    return -1;
  }
  return (*results)[0].i32();
}

// The error of a call that has to fail.
inline Error callError(const Instance& instance, std::string_view name, std::initializer_list<Val> args = {}) {
  auto function = instance.func(name);
  if (!function) {
    ADD_FAILURE() << "no function " << name;
    return {};
  }
  auto results = function->call(args);
  if (results) {
    ADD_FAILURE() << name << " did not fail";
    return {};
  }
  return results.error();
}

// For a module whose test wants something to be free: the stack is searched for references, and scrub(1000) overwrites
// the old ones there.
inline constexpr const char* kScrub = R"(
    (func $scrub (export "scrub") (param i32) (local i64 i64 i64 i64 i64 i64 i64 i64)
      (if (local.get 0) (then (call $scrub (i32.sub (local.get 0) (i32.const 1)))))
      (drop (i64.add (i64.add (i64.add (local.get 1) (local.get 2)) (i64.add (local.get 3) (local.get 4)))
                     (i64.add (i64.add (local.get 5) (local.get 6)) (i64.add (local.get 7) (local.get 8)))))))";

struct World {
  explicit World(const Config& config = {}, const StoreLimits& limits = {}) : engine(config), store(engine, limits) {}
  Instance instantiate(std::string_view text, std::vector<Extern> imports = {}) {
    return testing::instantiate(store, engine, text, std::move(imports));
  }
  Func host(std::vector<ValType> params, std::vector<ValType> results, HostCallback callback) {
    return Func::host(store, {std::move(params), std::move(results)}, std::move(callback));
  }
  Engine engine;
  Store store;
};

}  // namespace wattle::testing
