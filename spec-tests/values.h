// Values of scripts and values of the runtime.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "frontend/text/wast.h"
#include "wattle/wattle.hpp"

namespace wattle::spec {

// Host and dynamic types of references, asked of the guest: a module of our own made for a store at first need.
class References {
 public:
  References(const Engine& engine, Store& store) : engine_(engine), store_(store) {}

  // The external reference numbered so; always the same one in a store.
  Val external(uint64_t number);
  // The same as a reference of the any hierarchy.
  Result<Val> host(uint64_t number);
  // The number behind a reference of either hierarchy; nothing when it is none of ours.
  std::optional<uint64_t> numberOf(const Val& value);
  // Whether a non-null reference of the any hierarchy is of this abstract type.
  Result<bool> isA(const Val& value, Heap heap);

 private:
  Result<Val> ask(const char* function, const Val& value);

  Engine engine_;
  Store& store_;
  std::map<uint64_t, std::shared_ptr<void>> externals_;
  std::optional<Instance> helper_;
};

Result<Val> toRuntime(References& references, const frontend::ScriptValue& value);

// Nothing when `value` is as expected, otherwise what was expected.
std::optional<std::string> mismatch(References& references, const frontend::ScriptResult& expected, const Val& value);

std::string describe(const Val& value);

}  // namespace wattle::spec
