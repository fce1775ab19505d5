// Process-wide canonical types: one small number for every distinct type of every living module.
//
// Types are iso-recursive (spec "Types / Recursive Types"): two types are equal when their recursion groups are equal
// as written, with references into the group by position and references out of it by canonical id. So a group is
// interned whole: its types are written down as words in that form, and the words are hashed and looked up. Canonical
// ids are what call_indirect compares, what VMFuncRef and VMTag carry, and what stands in frontend::HeapType in
// canonical value types.
//
// Groups are counted: by modules, host functions and the groups that refer to them. The last release frees the group
// and its ids, so that a million modules may come and go.
//
// Subtype tests take no lock: each type has a display, the ids of its ancestors by depth (Cohen 1991), reachable from
// the id through a table of chunks that never move. Whoever asks holds the types in question.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "frontend/module.h"
#include "frontend/types.h"
#include "runtime/compile/compile.h"
#include "runtime/vm/gc_types.h"
#include "wattle/error.hpp"

namespace wattle::vm {

struct RecGroup;

struct TypeEntry {
  uint32_t id = 0;
  uint32_t depth = 0;  // length of the supertype chain
  RecGroup* group = nullptr;
  std::vector<uint32_t> display;  // [d]: id of the ancestor at depth d; the last is the type's own
  frontend::SubType type;         // in canonical terms; `representative`, `groupStart` are meaningless here
  // Of a function type, for calls: how many values a buffer needs, and whether any is a reference.
  uint32_t valueCount = 0;
  bool hasReferences = false;
  // Stubs for functions of this type, made at first need.
  mutable std::atomic<compile::EntryStub> entryStub{nullptr};
  mutable std::atomic<const void*> hostStub{nullptr};
};

// A counted reference to one recursion group.
class GroupRef {
 public:
  GroupRef() = default;
  explicit GroupRef(RecGroup* adopted) : group_(adopted) {}
  GroupRef(GroupRef&& other) noexcept : group_(std::exchange(other.group_, nullptr)) {}
  GroupRef& operator=(GroupRef&& other) noexcept {
    std::swap(group_, other.group_);
    return *this;
  }
  GroupRef(const GroupRef& other);
  GroupRef& operator=(const GroupRef& other) { return *this = GroupRef(other); }
  ~GroupRef();
  RecGroup* get() const { return group_; }
  explicit operator bool() const { return group_ != nullptr; }

 private:
  RecGroup* group_ = nullptr;
};

// The types of one module.
struct ModuleTypes {
  std::vector<uint32_t> ids;  // canonical id by type index
  std::vector<GroupRef> groups;
};

// A function type and the reference that keeps it.
struct FuncTypeRef {
  uint32_t id = 0;
  GroupRef group;
};

class TypeRegistry {
 public:
  static TypeRegistry& process();

  Result<ModuleTypes> internModule(const frontend::ModuleInfo& module);
  // (type (func ...)): final, without supertype, a group of its own. `type` in canonical terms.
  Result<FuncTypeRef> internFunc(const frontend::FuncType& type);
  // A further reference to a type's group, which the caller knows to be alive.
  GroupRef hold(uint32_t id) const;

  const TypeEntry& entry(uint32_t id) const {
    return *chunks_[id >> kChunkBits].load(std::memory_order_acquire)[id & kChunkMask].load(std::memory_order_acquire);
  }
  // nullptr for an id that nobody has.
  const TypeEntry* find(uint32_t id) const;
  const frontend::FuncType& funcType(uint32_t id) const { return entry(id).type.func; }

  bool isSubtype(uint32_t sub, uint32_t super) const {
    if (sub == super) return true;
    const TypeEntry& a = entry(sub);
    const TypeEntry& b = entry(super);
    return b.depth < a.depth && a.display[b.depth] == super;
  }
  // Spec "Validation / Matching", on canonical types.
  bool matches(frontend::ValType sub, frontend::ValType super) const;
  bool matches(frontend::HeapType sub, frontend::HeapType super) const;

  size_t typeCount() const { return liveTypes_.load(std::memory_order_relaxed); }
  // What compiled code asks of types; by id.
  const abi::VMTypeRow* rows() const { return rows_.rows(); }

 private:
  friend class GroupRef;
  static constexpr uint32_t kChunkBits = 12;
  static constexpr uint32_t kChunkMask = (1u << kChunkBits) - 1;
  static constexpr uint32_t kMaxIds = frontend::HeapType::kAbstractBase & ~kChunkMask;
  static constexpr unsigned kShards = 16;
  using Slot = std::atomic<const TypeEntry*>;

  struct Shard {
    std::mutex mutex;
    std::unordered_multimap<uint64_t, RecGroup*> groups;
  };

  template <class MapHeap>
  Result<GroupRef> intern(std::span<const frontend::SubType> types, MapHeap&& mapHeap);
  bool allocateIds(std::vector<uint32_t>& ids);
  struct Unfinished;
  void releaseId(uint32_t id);
  void release(RecGroup* group);

  std::array<Shard, kShards> shards_;
  std::array<std::atomic<Slot*>, (kMaxIds >> kChunkBits)> chunks_{};
  std::mutex idMutex_;
  uint32_t nextId_ = 1;  // 0 is no type
  GcTypeTable rows_{kMaxIds};
  // Ids are used again in the order they were freed, so that a stale one is told from a live one for as long as
  // possible.
  std::deque<uint32_t> freeIds_;
  std::atomic<size_t> liveTypes_{0};
};

}  // namespace wattle::vm
