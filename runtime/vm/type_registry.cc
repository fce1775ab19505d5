#include "runtime/vm/type_registry.h"

#include <xxhash.h>

#include <algorithm>

#include "runtime/vm/boundary.h"

namespace wattle::vm {

using frontend::AbstractHeap;
using frontend::HeapType;
using frontend::SubType;
using frontend::ValType;

struct RecGroup {
  std::atomic<uint32_t> references{1};
  uint64_t hash = 0;
  std::vector<uint32_t> key;  // the group as words; see write()
  std::unique_ptr<TypeEntry[]> entries;
  uint32_t count = 0;
  std::vector<RecGroup*> dependencies;  // counted: groups that `key` refers to
};

namespace {

// Heap types in a key: canonical ids as they are, abstract types and positions in the group itself out of their way.
constexpr uint32_t kInGroup = 0x80000000;

// Writes one subtype so that equal words mean equal types. `mapHeap` gives the word of a heap type.
template <class MapHeap>
void write(const SubType& type, std::vector<uint32_t>& out, MapHeap&& mapHeap) {
  auto index = [&](uint32_t i) {
    out.push_back(i == frontend::kNoIndex ? frontend::kNoIndex : mapHeap(HeapType::index(i)));
  };
  auto value = [&](ValType t) {
    out.push_back(t.bits() & 63);
    if (t.isRef()) out.push_back(mapHeap(t.heap()));
  };
  out.push_back(static_cast<uint32_t>(type.kind) | (type.isFinal ? 16 : 0));
  index(type.supertype);
  index(type.describes);
  index(type.descriptor);
  out.push_back(static_cast<uint32_t>(type.func.params.size()));
  for (auto t : type.func.params) value(t);
  out.push_back(static_cast<uint32_t>(type.func.results.size()));
  for (auto t : type.func.results) value(t);
  out.push_back(static_cast<uint32_t>(type.fields.size()));
  for (const auto& f : type.fields) {
    value(f.type);
    out.push_back(f.isMutable);
  }
}

// The subtype with every heap index replaced.
template <class MapIndex>
SubType remap(const SubType& from, MapIndex&& mapIndex) {
  SubType type = from;
  auto index = [&](uint32_t& i) {
    if (i != frontend::kNoIndex) i = mapIndex(i);
  };
  auto value = [&](ValType& t) {
    if (t.isRef() && t.heap().isIndex())
      t = ValType::ref(HeapType::index(mapIndex(t.heap().typeIndex())), t.isNullable(), t.isExact());
  };
  index(type.supertype);
  index(type.describes);
  index(type.descriptor);
  for (auto& t : type.func.params) value(t);
  for (auto& t : type.func.results) value(t);
  for (auto& f : type.fields) value(f.type);
  return type;
}

}  // namespace

GroupRef::GroupRef(const GroupRef& other) : group_(other.group_) {
  if (group_) group_->references.fetch_add(1, std::memory_order_relaxed);
}

GroupRef::~GroupRef() {
  if (group_) TypeRegistry::process().release(group_);
}

TypeRegistry& TypeRegistry::process() {
  static auto* registry = new TypeRegistry;  // never destroyed: code may outlive static destructors
  return *registry;
}

// What a group that is being made has taken: given back if there is no memory for the rest, when the shard's lock is no
// longer held.
struct TypeRegistry::Unfinished {
  TypeRegistry& registry;
  std::vector<uint32_t> ids;
  std::vector<RecGroup*> dependencies;
  ~Unfinished() {
    for (uint32_t id : ids) {
      if (id != 0) registry.releaseId(id);
    }
    for (RecGroup* dependency : dependencies) registry.release(dependency);
  }
};

// `mapHeap` maps the heap types of `types` to canonical ids, or kInGroup | position for members of the group.
template <class MapHeap>
Result<GroupRef> TypeRegistry::intern(std::span<const SubType> types, MapHeap&& mapHeap) {
  auto group = std::make_unique<RecGroup>();
  group->count = static_cast<uint32_t>(types.size());
  for (const SubType& type : types) write(type, group->key, mapHeap);
  group->hash = XXH3_64bits(group->key.data(), group->key.size() * sizeof(uint32_t));

  Unfinished unfinished{*this, {}, {}};
  Shard& shard = shards_[group->hash % kShards];
  std::unique_lock lock(shard.mutex);
  auto [first, last] = shard.groups.equal_range(group->hash);
  for (auto it = first; it != last; ++it) {
    if (it->second->key != group->key) continue;
    it->second->references.fetch_add(1, std::memory_order_relaxed);
    return GroupRef(it->second);
  }

  auto& ids = unfinished.ids;
  ids.resize(types.size());
  if (!allocateIds(ids))
    return std::unexpected(Error::make(ErrorKind::Limit, "too many distinct types in this process"));
  auto mapIndex = [&](uint32_t i) {
    uint32_t code = mapHeap(HeapType::index(i));
    if (code & kInGroup) return ids[code & ~kInGroup];
    RecGroup* dependency = entry(code).group;
    auto& all = unfinished.dependencies;
    if (std::find(all.begin(), all.end(), dependency) == all.end()) {
      all.push_back(dependency);
      dependency->references.fetch_add(1, std::memory_order_relaxed);
    }
    return code;
  };
  group->entries = std::make_unique<TypeEntry[]>(types.size());
  for (size_t i = 0; i < types.size(); ++i) {
    TypeEntry& e = group->entries[i];
    e.id = ids[i];
    e.group = group.get();
    e.type = remap(types[i], mapIndex);
    const auto& [params, results] = e.type.func;
    e.valueCount = static_cast<uint32_t>(std::max(params.size(), results.size()));
    e.hasReferences = std::ranges::any_of(params, &ValType::isRef) || std::ranges::any_of(results, &ValType::isRef);
    // A supertype stands before its subtypes, so its entry is complete (spec "Validation / Types / Recursive Types").
    if (e.type.supertype != frontend::kNoIndex) e.display = entry(e.type.supertype).display;
    e.depth = static_cast<uint32_t>(e.display.size());
    e.display.push_back(e.id);
    chunks_[e.id >> kChunkBits].load(std::memory_order_relaxed)[e.id & kChunkMask].store(&e, std::memory_order_release);
  }
  for (size_t i = 0; i < types.size(); ++i) rows_.fill(group->entries[i]);  // now that all of the group have entries
  shard.groups.emplace(group->hash, group.get());
  liveTypes_.fetch_add(types.size(), std::memory_order_relaxed);
  group->dependencies = std::move(unfinished.dependencies);
  ids.clear();
  return GroupRef(group.release());
}

Result<ModuleTypes> TypeRegistry::internModule(const frontend::ModuleInfo& module) {
  ModuleTypes result;
  const auto& types = module.types;
  result.ids.resize(types.size());
  for (uint32_t start = 0; start < types.size(); start += types[start].groupSize) {
    uint32_t size = types[start].groupSize;
    // A group that repeats an earlier one of the module: its members' representatives are the earlier group's.
    if (types[start].representative != start) {
      for (uint32_t i = start; i < start + size; ++i) result.ids[i] = result.ids[types[i].representative];
      continue;
    }
    auto mapHeap = [&](HeapType heap) -> uint32_t {
      if (heap.isAbstract()) return heap.code();
      uint32_t i = heap.typeIndex();
      return i >= start && i < start + size ? kInGroup | (i - start) : result.ids[i];
    };
    auto group = intern(std::span(types).subspan(start, size), mapHeap);
    if (!group) return std::unexpected(group.error());
    for (uint32_t i = 0; i < size; ++i) result.ids[start + i] = group->get()->entries[i].id;
    result.groups.push_back(std::move(*group));
  }
  return result;
}

Result<FuncTypeRef> TypeRegistry::internFunc(const frontend::FuncType& type) {
  SubType sub;
  sub.func = type;
  auto group = intern(std::span(&sub, 1), [](HeapType heap) { return heap.code(); });
  if (!group) return std::unexpected(group.error());
  uint32_t id = group->get()->entries[0].id;
  return FuncTypeRef{id, std::move(*group)};
}

GroupRef TypeRegistry::hold(uint32_t id) const {
  RecGroup* group = entry(id).group;
  group->references.fetch_add(1, std::memory_order_relaxed);
  return GroupRef(group);
}

const TypeEntry* TypeRegistry::find(uint32_t id) const {
  if (id >= kMaxIds) return nullptr;
  const Slot* chunk = chunks_[id >> kChunkBits].load(std::memory_order_acquire);
  return chunk ? chunk[id & kChunkMask].load(std::memory_order_acquire) : nullptr;
}

bool TypeRegistry::allocateIds(std::vector<uint32_t>& ids) {
  std::lock_guard lock(idMutex_);
  if (ids.size() > freeIds_.size() + (rows_.capacity() - std::min(nextId_, rows_.capacity()))) return false;
  for (uint32_t& id : ids) {
    // A freed number rests for a while: a table of twice the size needed costs 8 bytes a number.
    if (freeIds_.size() > std::max<size_t>(kChunkMask, nextId_ / 2) || nextId_ >= rows_.capacity()) {
      id = freeIds_.front();
      freeIds_.pop_front();
      continue;
    }
    auto& chunk = chunks_[nextId_ >> kChunkBits];
    if (!chunk.load(std::memory_order_relaxed)) chunk.store(new Slot[1u << kChunkBits](), std::memory_order_release);
    id = nextId_++;
  }
  return true;
}

// A number that there is no memory to remember is not used again.
void TypeRegistry::releaseId(uint32_t id) {
  std::lock_guard lock(idMutex_);
  rows_.clear(id);
  chunks_[id >> kChunkBits].load(std::memory_order_relaxed)[id & kChunkMask].store(nullptr, std::memory_order_release);
  orElse(false, [&] { return freeIds_.push_back(id), true; });
}

void TypeRegistry::release(RecGroup* group) {
  // Not the last reference: no lock. The last one goes under the lock, since intern() may take another meanwhile.
  uint32_t count = group->references.load(std::memory_order_relaxed);
  while (count > 1) {
    if (group->references.compare_exchange_weak(count, count - 1, std::memory_order_acq_rel)) return;
  }
  {
    Shard& shard = shards_[group->hash % kShards];
    std::lock_guard lock(shard.mutex);
    if (group->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    auto [first, last] = shard.groups.equal_range(group->hash);
    shard.groups.erase(std::find_if(first, last, [&](const auto& item) { return item.second == group; }));
  }
  liveTypes_.fetch_sub(group->count, std::memory_order_relaxed);
  for (uint32_t i = 0; i < group->count; ++i) releaseId(group->entries[i].id);
  for (RecGroup* dependency : group->dependencies) release(dependency);
  delete group;
}

bool TypeRegistry::matches(ValType sub, ValType super) const {
  if (sub == super) return true;
  if (!sub.isRef() || !super.isRef()) return false;
  if (sub.isNullable() && !super.isNullable()) return false;
  if (super.isExact()) {
    if (sub.heap() == super.heap()) return sub.isExact();
    return sub.heap().isAbstract() && matches(sub.heap(), super.heap());  // bottoms match everything of their hierarchy
  }
  return matches(sub.heap(), super.heap());
}

bool TypeRegistry::matches(HeapType sub, HeapType super) const {
  if (sub == super) return true;
  if (sub.isIndex() && super.isIndex()) return isSubtype(sub.typeIndex(), super.typeIndex());
  // Abstract types by hierarchy: a concrete type stands just below func, struct or array.
  auto kindOf = [&](HeapType heap) {
    if (heap.isAbstract()) return heap.abstractKind();
    switch (entry(heap.typeIndex()).type.kind) {
      case frontend::CompositeKind::Struct: return AbstractHeap::Struct;
      case frontend::CompositeKind::Array: return AbstractHeap::Array;
      default: return AbstractHeap::Func;
    }
  };
  AbstractHeap a = kindOf(sub), b = kindOf(super);
  if (sub.isAbstract()) {
    switch (a) {
      case AbstractHeap::NoFunc: return b == AbstractHeap::Func;
      case AbstractHeap::NoExtern: return b == AbstractHeap::Extern;
      case AbstractHeap::NoExn: return b == AbstractHeap::Exn;
      case AbstractHeap::None:
        return b == AbstractHeap::Any || b == AbstractHeap::Eq || b == AbstractHeap::I31 || b == AbstractHeap::Struct ||
               b == AbstractHeap::Array;
      default: break;
    }
  }
  if (super.isIndex()) return false;
  if (a == b) return true;
  bool isEq = a == AbstractHeap::I31 || a == AbstractHeap::Struct || a == AbstractHeap::Array;
  if (b == AbstractHeap::Eq) return isEq;
  return b == AbstractHeap::Any && (isEq || a == AbstractHeap::Eq);
}

}  // namespace wattle::vm
