#include "runtime/compile/baseline/locals.h"

#include <algorithm>

namespace wattle::compile::baseline {

namespace {
constexpr size_t kMaxIntegerPins = std::size(kCalleeSavedPins) + std::size(kCallerSavedPins);
constexpr size_t kMaxFloatPins = 8;
// A pin that callees save costs a store and a load in the prologue and epilogue.
constexpr uint32_t kWorthSaving = 3;
}  // namespace

void LocalHomes::give(uint32_t local, uint8_t reg, bool isVolatile) {
  LocalHome& home = homes_[local];
  home.pinTo(reg, isVolatile);
  pinOwner_[lowest(home.factBit())] = local;
  (isFloat(home.type()) ? xmmPins_ : gprPins_) |= 1u << reg;
  if (isVolatile) volatilePins_ |= home.factBit();
}

void LocalHomes::pinIntegers(bool leaf) {
  uint8_t order[kMaxIntegerPins];
  size_t n = 0;
  auto addCallee = [&] {
    for (Gpr r : kCalleeSavedPins) order[n++] = static_cast<uint8_t>(r);
  };
  auto addCaller = [&] {
    for (Gpr r : kCallerSavedPins) order[n++] = static_cast<uint8_t>(r);
  };
  leaf ? (addCaller(), addCallee()) : (addCallee(), addCaller());
  RegSet free = 0;
  for (uint8_t r : order) free |= 1u << r;
  auto take = [&](uint32_t local, Gpr r) {
    bool saved = (regs(Gpr::rbx, Gpr::r12, Gpr::r15) & bit(r)) != 0;
    free &= ~bit(r);
    give(local, static_cast<uint8_t>(r), !saved);
  };
  for (const Candidate& c : integers_) {
    for (uint8_t r : order) {
      if (!(free & 1u << r)) continue;
      bool saved = (regs(Gpr::rbx, Gpr::r12, Gpr::r15) & 1u << r) != 0;
      if (saved && c.weight < kWorthSaving) continue;
      take(c.local, static_cast<Gpr>(r));
      break;
    }
  }
}

void LocalHomes::pinFloats() {
  uint8_t reg = 6;
  for (const Candidate& c : floats_) give(c.local, reg++, true);
}

int32_t LocalHomes::assign(std::span<const frontend::ValType> locals, const Prescan& scan, int32_t frameTop) {
  homes_.clear();
  homes_.resize(locals.size());
  integers_.clear();
  floats_.clear();
  gprPins_ = xmmPins_ = volatilePins_ = 0;
  for (uint32_t i = 0; i < locals.size(); ++i) {
    const Type type = typeOf(locals[i]);
    const uint32_t weight = scan.weight(i);
    homes_[i] = LocalHome(type, scan.complete() && weight == 0);
    if (weight) (isFloat(type) ? floats_ : integers_).push_back({weight, i});
  }
  auto keepBest = [](std::vector<Candidate>& list, size_t limit) {
    auto better = [](const Candidate& a, const Candidate& b) {
      return a.weight != b.weight ? a.weight > b.weight : a.local < b.local;
    };
    if (list.size() > limit) {
      std::nth_element(list.begin(), list.begin() + static_cast<ptrdiff_t>(limit), list.end(), better);
      list.resize(limit);
    }
    std::sort(list.begin(), list.end(), better);
  };
  keepBest(integers_, kMaxIntegerPins);
  keepBest(floats_, kMaxFloatPins);
  pinIntegers(!scan.hasCalls());
  pinFloats();
  int32_t at = frameTop;
  for (LocalHome& home : homes_) {
    if (home.pin() != kNoPin && !home.isVolatile()) continue;
    bool wide = home.type() == Type::V128;
    at -= wide ? 16 : 8;
    if (wide) at &= ~15;
    home.slot = at;
  }
  return at;
}

}  // namespace wattle::compile::baseline
