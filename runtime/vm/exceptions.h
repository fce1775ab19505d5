// Exceptions (spec "Runtime Structure / Exception Instances"). The unwinder's essay is in exceptions.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "runtime/compile/abi/handlers.h"
#include "runtime/compile/abi/vmcontext.h"
#include "runtime/vm/object.h"
#include "runtime/vm/tag.h"
#include "wattle/wattle.hpp"

namespace wattle::vm {

// An object of the store like any other: the guest's exnref is its address (as abi::VMException), which the collector
// finds on stacks, in globals, tables and other payloads; handles of the API and errors count. The payload follows it
// in the same allocation.
class Exception final : public Object, public abi::VMException {
 public:
  // The payload is zero. nullptr: out of memory.
  static Exception* create(Store& store, Tag& tag);
  static Exception* from(abi::VMException* exception) { return static_cast<Exception*>(exception); }
  static Exception* from(uint64_t word) { return from(reinterpret_cast<abi::VMException*>(word)); }
  static void operator delete(void* p) { ::operator delete(p); }

  uint64_t word() const { return reinterpret_cast<uint64_t>(static_cast<const abi::VMException*>(this)); }
  Tag& tag() { return *Tag::from(abi::VMException::tag); }
  const frontend::FuncType& type() { return tag().type(); }

  void trace(Tracer& tracer) override;
  size_t extent() const override;
  void close() override;

 private:
  Exception(Store& store, Tag& tag);
  static void* operator new(size_t, void* at) { return at; }
};

// As the error of a call that it came out of; the error counts as a handle.
Error uncaught(Exception& exception);
// The exception of such an error, if it is one of this store's.
Exception* exceptionOf(const Error& error, const Store& store);

// The builtin that the throw stub calls.
uint32_t unwind(abi::UnwindState* state, abi::VMException* exception, uintptr_t stubFrame, abi::VMContext* context);

}  // namespace wattle::vm
