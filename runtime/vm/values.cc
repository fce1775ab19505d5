#include "runtime/vm/values.h"

#include <fmt/format.h>

#include "runtime/vm/exceptions.h"
#include "runtime/vm/function.h"

namespace wattle::vm {

namespace {

Error mismatch(const std::string& found, frontend::ValType wanted) {
  return Error::make(ErrorKind::Argument, fmt::format("expected {}, got {}", toString(toApi(wanted)), found));
}

}  // namespace

uint64_t canonicalReference(uint64_t word, frontend::ValType type) {
  if (word == 0 || refKind(type) != RefKind::Func) return word;
  return Function::canonical(reinterpret_cast<const abi::VMFuncRef*>(word))->word();
}

namespace {

// An i31 or an object of the store's heap.
bool isAggregateWord(Store& store, uint64_t word) {
  if (word & 1) return word <= UINT32_MAX;
  return store.gc() && store.gc()->isObject(word);
}

// Of a word in the any hierarchy.
frontend::HeapType heapTypeOf(Store& store, uint64_t word) {
  if (word & 1) return frontend::HeapType::abstract(frontend::AbstractHeap::I31);
  if (word & (abi::kGcAlignment - 1)) return frontend::HeapType::abstract(frontend::AbstractHeap::Any);
  return frontend::HeapType::index(store.gc()->typeOf(word));
}

}  // namespace

std::optional<Error> checkReference(Store& store, uint64_t word, frontend::ValType type) {
  if (word == 0) {
    if (type.isNullable()) return std::nullopt;
    return mismatch("null", type);
  }
  const auto& registry = TypeRegistry::process();
  switch (refKind(type)) {
    case RefKind::Func: {
      auto* reference = reinterpret_cast<const abi::VMFuncRef*>(word);
      if (reference->context->storeContext != &store.context()) {
        return Error::make(ErrorKind::Argument, "a function of another store");
      }
      auto actual = frontend::ValType::ref(frontend::HeapType::index(reference->typeId), false, true);
      if (registry.matches(actual, type)) return std::nullopt;
      return mismatch(toString(toApi(registry.funcType(reference->typeId))), type);
    }
    case RefKind::Extern:
      if (isAggregateWord(store, word)) return std::nullopt;  // by extern.convert_any
      if (store.externs().contains(word)) return std::nullopt;
      return Error::make(ErrorKind::Argument, "an external reference that is not of this store or no longer valid");
    case RefKind::Exn:
      if (type.heap() == frontend::HeapType::abstract(frontend::AbstractHeap::NoExn))
        return mismatch("an exception", type);
      if (Exception::from(word)->store() == &store) return std::nullopt;
      return Error::make(ErrorKind::Argument, "an exception of another store");
    case RefKind::Any: {
      if (!isAggregateWord(store, word) && !store.externs().contains(word)) {
        return Error::make(ErrorKind::Argument, "a reference that is not of this store or no longer valid");
      }
      auto heap = heapTypeOf(store, word);
      auto actual = frontend::ValType::ref(heap, false, heap.isIndex());
      if (registry.matches(actual, type)) return std::nullopt;
      return mismatch(toString(toApi(actual)), type);
    }
    default: return Error::make(ErrorKind::Unsupported, fmt::format("values of type {}", toString(toApi(type))));
  }
}

std::optional<Error> toRaw(Store& store, const Val& value, frontend::ValType type, abi::RawValue& out) {
  out.words[0] = value.low();
  out.words[1] = value.high();
  bool fits = false;
  switch (type.kind()) {
    case frontend::ValKind::I32: fits = value.type().kind == Kind::I32; break;
    case frontend::ValKind::I64: fits = value.type().kind == Kind::I64; break;
    case frontend::ValKind::F32: fits = value.type().kind == Kind::F32; break;
    case frontend::ValKind::F64: fits = value.type().kind == Kind::F64; break;
    case frontend::ValKind::V128: fits = value.type().kind == Kind::V128; break;
    case frontend::ValKind::Ref: {
      // A null fits whatever hierarchy it claims to be of only if that is the right one.
      auto claimed = fromApi(value.type());
      if (!claimed) return claimed.error();
      fits = claimed->isRef() && refKind(*claimed) == refKind(type);
      if (fits) return checkReference(store, value.ref(), type);
      break;
    }
    default: break;
  }
  if (fits) [[likely]]
    return std::nullopt;
  return mismatch(toString(value.type()), type);
}

Val fromRaw(const abi::RawValue& raw, frontend::ValType type) {
  switch (type.kind()) {
    case frontend::ValKind::I32: return Val(raw.i32);
    case frontend::ValKind::F32: return Val::fromBits(wattle::ValType::f32(), raw.f32);
    case frontend::ValKind::V128: return Val::fromBits(wattle::ValType::v128(), raw.words[0], raw.words[1]);
    case frontend::ValKind::Ref: return Val::fromBits(toApi(type), canonicalReference(raw.ref, type));
    default: return Val::fromBits(toApi(type), raw.words[0]);
  }
}

Val handOut(Store& store, const abi::RawValue& raw, frontend::ValType type) {
  Val value = fromRaw(raw, type);
  if (type.isRef()) store.pin(value.ref(), refKind(type));
  return value;
}

}  // namespace wattle::vm
