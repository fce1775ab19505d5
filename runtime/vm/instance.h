// A module instance (spec "Runtime Structure / Module Instances").
//
//   one allocation:   | Instance | VMContext head | imports, memories, tables, globals, tags, funcRefs |
//                                ^ what code has in r13; layout of the rest: abi::Layout
//
// What an instance owns besides (memories, tables, tags) are objects of the store, since other instances may import
// them and outlive it. Functions are parts of the instance (function.h), own globals too (global.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "runtime/compile/abi/vmcontext.h"
#include "runtime/vm/function.h"
#include "runtime/vm/module.h"
#include "runtime/vm/object.h"
#include "wattle/wattle.hpp"

namespace wattle::vm {

class Global;
class Memory;
class Table;
class Tag;

class Instance final : public Object {
 public:
  // Instantiation (spec "Execution / Modules"), start function included. Imports in the module's order. On success the
  // instance has one handle, which the caller takes over. After a trap the instance may live on: its functions may
  // stand in tables it imported.
  static Result<Instance*> create(Store& store, const std::shared_ptr<Module>& module, std::span<const Extern> imports);
  ~Instance() override;
  static void operator delete(void* p) { ::operator delete(p); }

  static Instance* of(const abi::VMContext* context) { return static_cast<Instance*>(context->instance); }
  abi::VMContext* context() {
    return reinterpret_cast<abi::VMContext*>(reinterpret_cast<uint8_t*>(this) + contextOffset());
  }
  const Module& module() const { return *module_; }
  const std::shared_ptr<Module>& sharedModule() const { return module_; }
  const compile::ModuleCode& code() const { return *code_; }
  size_t extent() const override { return contextOffset() + module_->layout().size(); }

  std::optional<Extern> exported(std::string_view name);
  Extern externAt(frontend::ExternKind kind, uint32_t index);

  // By index in the module's index spaces. `function` only for declared functions.
  Function* function(uint32_t index);
  Memory* memory(uint32_t index);
  Table* table(uint32_t index);
  Tag* tag(uint32_t index);
  Global* global(uint32_t index);  // made at first need
  abi::RawValue* globalCell(uint32_t index);
  void forgetGlobal(uint32_t index);
  void memoryMoved(Memory* memory);

  // Segments as memory.init, table.init, data.drop and elem.drop see them: empty once dropped.
  std::span<const uint8_t> dataSegment(uint32_t index) const;
  void dropData(uint32_t index);
  size_t elementCount(uint32_t index) const;
  uint64_t element(uint32_t index, size_t item);
  void dropElements(uint32_t index);

  void trace(Tracer& tracer) override;
  void close() override;

 private:
  friend class Instantiation;
  Instance(Store& store, std::shared_ptr<Module> module, const compile::ModuleCode* code);
  static Instance* allocate(Store& store, const std::shared_ptr<Module>& module, const compile::ModuleCode* code);
  static void* operator new(size_t, void* at) { return at; }
  static constexpr size_t contextOffset() { return (sizeof(Instance) + 15) & ~size_t{15}; }
  template <class T>
  T* at(uint32_t offset) {
    return reinterpret_cast<T*>(reinterpret_cast<uint8_t*>(context()) + offset);
  }

  // Only for modules whose segments can be used after instantiation.
  struct Segments {
    std::vector<bool> liveData;
    std::vector<bool> liveElements;
    std::vector<std::vector<uint64_t>> values;  // by element segment: evaluated items (empty when it lists functions)
  };

  std::shared_ptr<Module> module_;
  const compile::ModuleCode* code_;  // owned by the module
  std::unique_ptr<Segments> segments_;
  std::unique_ptr<Global*[]> globals_;  // by index; imported ones always set, own ones at first need
};

}  // namespace wattle::vm
