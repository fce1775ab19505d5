#include "runtime/vm/types.h"

#include <fmt/format.h>

#include "runtime/vm/type_registry.h"

namespace wattle::vm {

using frontend::AbstractHeap;
using frontend::HeapType;
using frontend::ValKind;

// Heap's numbers are AbstractHeap's, with Concrete behind them.
static_assert(static_cast<int>(Heap::Func) == static_cast<int>(AbstractHeap::Func));
static_assert(static_cast<int>(Heap::Any) == static_cast<int>(AbstractHeap::Any));
static_assert(static_cast<int>(Heap::NoExn) == static_cast<int>(AbstractHeap::NoExn));
static_assert(static_cast<int>(Heap::Concrete) == static_cast<int>(AbstractHeap::NoExn) + 1);

frontend::ValType canonical(frontend::ValType local, std::span<const uint32_t> typeIds) {
  if (!local.isRef() || local.heap().isAbstract()) return local;
  return frontend::ValType::ref(HeapType::index(typeIds[local.heap().typeIndex()]), local.isNullable(),
                                local.isExact());
}

frontend::TableType canonical(const frontend::TableType& local, std::span<const uint32_t> typeIds) {
  frontend::TableType type = local;
  type.element = canonical(local.element, typeIds);
  return type;
}

frontend::GlobalType canonical(const frontend::GlobalType& local, std::span<const uint32_t> typeIds) {
  return {canonical(local.type, typeIds), local.isMutable};
}

wattle::ValType toApi(frontend::ValType type) {
  switch (type.kind()) {
    case ValKind::I64: return wattle::ValType::i64();
    case ValKind::F32: return wattle::ValType::f32();
    case ValKind::F64: return wattle::ValType::f64();
    case ValKind::V128: return wattle::ValType::v128();
    case ValKind::Ref: break;
    default: return wattle::ValType::i32();
  }
  wattle::ValType out{Kind::Ref, type.isNullable(), type.isExact(), Heap::Concrete, 0};
  if (type.heap().isAbstract()) {
    out.heap = static_cast<Heap>(type.heap().abstractKind());
  } else {
    out.typeId = type.heap().typeIndex();
  }
  return out;
}

wattle::FuncType toApi(const frontend::FuncType& type) {
  wattle::FuncType out;
  out.params.reserve(type.params.size());
  out.results.reserve(type.results.size());
  for (auto p : type.params) out.params.push_back(toApi(p));
  for (auto r : type.results) out.results.push_back(toApi(r));
  return out;
}

wattle::TableType toApi(const frontend::TableType& type) {
  return {toApi(type.element), type.limits.min, type.limits.max, type.is64};
}

wattle::MemoryType toApi(const frontend::MemoryType& type) {
  return {type.limits.min, type.limits.max, type.is64, type.isShared, type.pageSizeLog2};
}

wattle::GlobalType toApi(const frontend::GlobalType& type) { return {toApi(type.type), type.isMutable}; }

Result<frontend::ValType> fromApi(const wattle::ValType& type) {
  switch (type.kind) {
    case Kind::I32: return frontend::kI32;
    case Kind::I64: return frontend::kI64;
    case Kind::F32: return frontend::kF32;
    case Kind::F64: return frontend::kF64;
    case Kind::V128: return frontend::kV128;
    case Kind::Ref: break;
  }
  if (type.heap != Heap::Concrete) {
    return frontend::ValType::ref(HeapType::abstract(static_cast<AbstractHeap>(type.heap)), type.nullable, type.exact);
  }
  if (!TypeRegistry::process().find(type.typeId)) {
    return std::unexpected(
        Error::make(ErrorKind::Argument, fmt::format("there is no type with the id {}", type.typeId)));
  }
  return frontend::ValType::ref(HeapType::index(type.typeId), type.nullable, type.exact);
}

Result<frontend::FuncType> fromApi(const wattle::FuncType& type) {
  frontend::FuncType out;
  for (auto [from, to] : {std::pair{&type.params, &out.params}, std::pair{&type.results, &out.results}}) {
    for (const auto& t : *from) {
      auto converted = fromApi(t);
      if (!converted) return std::unexpected(converted.error());
      to->push_back(*converted);
    }
  }
  return out;
}

namespace {

std::optional<Error> checkLimits(uint64_t min, std::optional<uint64_t> max, uint64_t bound, const char* what) {
  if (max && *max < min) {
    return Error::make(ErrorKind::Argument,
                       fmt::format("size minimum must not be greater than maximum: {} > {}", min, *max));
  }
  if (min > bound || (max && *max > bound)) {
    return Error::make(ErrorKind::Argument, fmt::format("{} size must be at most {}", what, bound));
  }
  return std::nullopt;
}

}  // namespace

Result<frontend::TableType> fromApi(const wattle::TableType& type) {
  auto element = fromApi(type.element);
  if (!element) return std::unexpected(element.error());
  if (!element->isRef()) return std::unexpected(Error::make(ErrorKind::Argument, "table elements must be references"));
  if (auto e = checkLimits(type.min, type.max, type.is64 ? ~0ull : 0xffffffffull, "table")) return std::unexpected(*e);
  return frontend::TableType{*element, {type.min, type.max}, type.is64};
}

Result<frontend::MemoryType> fromApi(const wattle::MemoryType& type) {
  if (type.pageSizeLog2 != 0 && type.pageSizeLog2 != 16) {
    return std::unexpected(Error::make(ErrorKind::Argument, "invalid custom page size"));
  }
  if (type.isShared && !type.maxPages) {
    return std::unexpected(Error::make(ErrorKind::Argument, "shared memory must have maximum"));
  }
  uint64_t bound = type.is64 ? (type.pageSizeLog2 ? 1ull << (64 - type.pageSizeLog2) : ~0ull)
                             : (type.pageSizeLog2 ? 1ull << (32 - type.pageSizeLog2) : 0xffffffffull);
  if (auto e = checkLimits(type.minPages, type.maxPages, bound, "memory")) return std::unexpected(*e);
  return frontend::MemoryType{{type.minPages, type.maxPages}, type.is64, type.isShared, type.pageSizeLog2};
}

Result<frontend::GlobalType> fromApi(const wattle::GlobalType& type) {
  auto value = fromApi(type.type);
  if (!value) return std::unexpected(value.error());
  return frontend::GlobalType{*value, type.isMutable};
}

RefKind refKind(frontend::ValType type) {
  if (type.heap().isIndex()) {
    const auto& entry = TypeRegistry::process().entry(type.heap().typeIndex());
    return entry.type.kind == frontend::CompositeKind::Func ? RefKind::Func : RefKind::Any;
  }
  switch (type.heap().abstractKind()) {
    case AbstractHeap::Func:
    case AbstractHeap::NoFunc: return RefKind::Func;
    case AbstractHeap::Extern:
    case AbstractHeap::NoExtern: return RefKind::Extern;
    case AbstractHeap::Exn:
    case AbstractHeap::NoExn: return RefKind::Exn;
    default: return RefKind::Any;
  }
}

}  // namespace wattle::vm

namespace wattle {

namespace {

constexpr std::string_view kHeapNames[] = {"func", "nofunc", "extern", "noextern", "any", "eq",
                                           "i31",  "struct", "array",  "none",     "exn", "noexn"};

std::string list(const std::vector<ValType>& types) {
  std::string out = "(";
  for (const auto& t : types) out += (out.size() > 1 ? ", " : "") + toString(t);
  return out + ")";
}

std::string limits(uint64_t min, std::optional<uint64_t> max) {
  return max ? fmt::format("{} {}", min, *max) : fmt::format("{}", min);
}

}  // namespace

std::string toString(const ValType& type) {
  switch (type.kind) {
    case Kind::I32: return "i32";
    case Kind::I64: return "i64";
    case Kind::F32: return "f32";
    case Kind::F64: return "f64";
    case Kind::V128: return "v128";
    case Kind::Ref: break;
  }
  std::string heap = type.heap == Heap::Concrete ? fmt::format("{}", type.typeId)
                                                 : std::string(kHeapNames[static_cast<int>(type.heap)]);
  if (type.exact) heap = "(exact " + heap + ")";
  // The abbreviations of the text format; bottoms read "nullref", "nullfuncref", ...
  if (type.nullable && !type.exact && type.heap != Heap::Concrete) {
    switch (type.heap) {
      case Heap::None: return "nullref";
      case Heap::NoFunc: return "nullfuncref";
      case Heap::NoExtern: return "nullexternref";
      case Heap::NoExn: return "nullexnref";
      default: return heap + "ref";
    }
  }
  return fmt::format("(ref {}{})", type.nullable ? "null " : "", heap);
}

std::string toString(const FuncType& type) { return list(type.params) + " -> " + list(type.results); }

std::string toString(const ExternType& type) {
  switch (static_cast<ExternKind>(type.index())) {
    case ExternKind::Func: return "func " + toString(std::get<FuncType>(type));
    case ExternKind::Table: {
      const auto& t = std::get<TableType>(type);
      return fmt::format("table {}{} {}", t.is64 ? "i64 " : "", limits(t.min, t.max), toString(t.element));
    }
    case ExternKind::Memory: {
      const auto& m = std::get<MemoryType>(type);
      return fmt::format("memory {}{}{}{}", m.is64 ? "i64 " : "", limits(m.minPages, m.maxPages),
                         m.isShared ? " shared" : "",
                         m.pageSizeLog2 == 16 ? "" : fmt::format(" (pagesize {})", 1u << m.pageSizeLog2));
    }
    case ExternKind::Global: {
      const auto& g = std::get<GlobalType>(type);
      return g.isMutable ? fmt::format("global (mut {})", toString(g.type)) : "global " + toString(g.type);
    }
    case ExternKind::Tag: return "tag " + toString(std::get<TagType>(type).type);
  }
  return {};
}

}  // namespace wattle
