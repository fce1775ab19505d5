// Raw frames to named ones.
#include <map>
#include <tuple>

#include "runtime/codecache/code_cache.h"
#include "runtime/compile/compile.h"
#include "runtime/vm/instance.h"
#include "runtime/vm/traps.h"

namespace wattle::vm {

Error trapError(abi::TrapReason reason) {
  static_assert(static_cast<int>(TrapCode::HostError) == static_cast<int>(abi::TrapReason::HostError));
  Error error = Error::make(ErrorKind::Trap, std::string(abi::toString(reason)));
  error.trap = static_cast<TrapCode>(reason);
  return error;
}

std::vector<Frame> symbolize(const RawFrame* frames, uint32_t count) {
  // Finding an offset compiles the function once more, and recursion repeats the same few places.
  // Still, some hostile module may have huge functions that call each other from many places: the budget is in bytes of
  // bodies.
  uint64_t budget = 4 << 20;
  std::map<std::tuple<const Module*, uint32_t, uint32_t>, std::optional<uint64_t>> offsets;
  std::vector<Frame> out;
  out.reserve(count);
  std::shared_ptr<void> holder;  // of the last frame's instance, which most often is the next one's
  for (uint32_t i = 0; i < count; ++i) {
    auto hit = codecache::CodeCache::process().lookup(frames[i].pc);
    if (!hit || !hit.range) continue;
    Instance& instance = *Instance::of(frames[i].context);
    const Module& module = instance.module();
    uint32_t function = hit.range->index;
    uint32_t codeOffset = hit.offset - hit.range->start;
    auto [known, isNew] = offsets.try_emplace({&module, function, codeOffset});
    uint64_t cost = isNew ? module.info().functions[function].body.size : 0;
    if (isNew && cost <= budget && module.hasBodies()) {
      budget -= cost;
      known->second =
          compile::sourceOffset(module.info(), module.bytes(), instance.code().settings(), function, codeOffset);
    }
    if (holder.get() != &instance) {
      instance.retain();
      holder = {&instance, [](Instance* i) { i->release(); }};
    }
    out.push_back({module.names().module, function, module.functionName(function), known->second, holder});
  }
  return out;
}

}  // namespace wattle::vm
