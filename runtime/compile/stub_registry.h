// Stubs by name. Shared by all modules, made at first need, kept for the life of the process.
#pragma once

#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "runtime/codecache/code_cache.h"
#include "runtime/compile/baseline/frame.h"
#include "runtime/compile/baseline/operand.h"
#include "runtime/compile/x64/assembler.h"

namespace wattle::compile {

// Stubs depend on the shape of a signature only: i32, i64 or reference, f32, f64, v128.
inline std::string shapeOf(const frontend::FuncType& type) {
  auto letter = [](frontend::ValType t) { return "iIfFv"[static_cast<int>(baseline::typeOf(t))]; };
  std::string shape;
  for (auto t : type.params) shape += letter(t);
  shape += ':';
  for (auto t : type.results) shape += letter(t);
  return shape;
}

inline int32_t valueOffset(size_t i) { return static_cast<int32_t>(i * sizeof(abi::RawValue)); }

using baseline::loadXmm;
using baseline::storeXmm;
inline void copyValue(x64::Assembler& as, baseline::Type type, const x64::Mem& dst, const x64::Mem& src) {
  if (type == baseline::Type::V128) {
    as.movups(x64::Xmm::xmm15, src);
    as.movups(dst, x64::Xmm::xmm15);
  } else {
    as.mov(x64::w64, x64::Gpr::r11, src);
    as.mov(x64::w64, dst, x64::Gpr::r11);
  }
}

struct StubRegistry {
  std::mutex mutex;
  std::map<std::string, codecache::CodeRef> stubs;
  // Never destroyed: code that runs at exit may still trap.
  static StubRegistry& process() {
    static StubRegistry* instance = new StubRegistry;
    return *instance;
  }
};

// nullptr: the code cache is full, and its reserve used up.
template <class Emit>
const void* stub(const std::string& key, codecache::RangeKind kind, Emit&& emit) {
  StubRegistry& all = StubRegistry::process();
  std::lock_guard lock(all.mutex);
  auto& slot = all.stubs[key];
  if (slot) return slot->code();
  x64::Assembler as(1024);
  emit(as);
  auto block = codecache::CodeCache::process().allocateForGood(static_cast<uint32_t>(as.size()));
  if (!block) {
    all.stubs.erase(key);
    return nullptr;
  }
  std::memcpy((*block)->writable(), as.data(), as.size());
  codecache::CodeRange range;
  range.kind = static_cast<uint32_t>(kind) & 15;
  (*block)->publish({range});
  slot = std::move(*block);
  return slot->code();
}

}  // namespace wattle::compile
