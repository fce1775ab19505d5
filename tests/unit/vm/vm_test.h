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
