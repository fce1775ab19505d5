#include "runtime/vm/instance.h"

#include <algorithm>
#include <new>

#include "runtime/vm/builtins.h"
#include "runtime/vm/collect.h"
#include "runtime/vm/global.h"
#include "runtime/vm/memory.h"
#include "runtime/vm/store.h"
#include "runtime/vm/table.h"
#include "runtime/vm/tag.h"
#include "runtime/vm/types.h"

namespace wattle::vm {

Instance::Instance(Store& store, std::shared_ptr<Module> module, const compile::ModuleCode* code)
    : Object(store), module_(std::move(module)), code_(code) {
  ++store.instanceCount;
}

Instance* Instance::allocate(Store& store, const std::shared_ptr<Module>& module, const compile::ModuleCode* code) {
  size_t size = contextOffset() + module->layout().size();
  void* at = ::operator new(size);
  auto* instance = new (at) Instance(store, module, code);
  store.engine().heap.made(size);
  std::fill_n(instance->at<uint8_t>(0), module->layout().size(), 0);
  abi::VMContext* context = instance->context();
  context->storeContext = &store.context();
  context->builtins = &builtinTable();
  context->typeIds = module->typeIds().data();
  context->instance = instance;
  context->gcHeap = store.gcBase();
  context->typeRows = TypeRegistry::process().rows();
  store.gcTypes.retain(*module);
  return instance;
}

Instance::~Instance() = default;

Function* Instance::function(uint32_t index) {
  auto* reference = at<abi::VMFuncRef>(module_->layout().funcRef(index));
  // An import's record is a copy: the function lives elsewhere.
  return index < module_->info().importedFunctions ? Function::canonical(reference) : static_cast<Function*>(reference);
}

Memory* Instance::memory(uint32_t index) {
  return Memory::from(at<abi::VMMemorySlot>(module_->layout().memory(index))->memory);
}
Table* Instance::table(uint32_t index) { return Table::from(*at<abi::VMTable*>(module_->layout().table(index))); }
Tag* Instance::tag(uint32_t index) { return Tag::from(*at<abi::VMTag*>(module_->layout().tag(index))); }

abi::RawValue* Instance::globalCell(uint32_t index) {
  const abi::Layout& layout = module_->layout();
  return layout.isImportedGlobal(index) ? *at<abi::RawValue*>(layout.importedGlobal(index))
                                        : at<abi::RawValue>(layout.ownGlobal(index));
}

Global* Instance::global(uint32_t index) {
  if (!globals_) globals_ = std::make_unique<Global*[]>(module_->info().globals.size());
  if (!globals_[index]) globals_[index] = new Global(*this, index);
  return globals_[index];
}

void Instance::forgetGlobal(uint32_t index) { globals_[index] = nullptr; }

void Instance::memoryMoved(Memory* memory) {
  const auto& info = module_->info();
  for (uint32_t i = 0; i < info.memories.size(); ++i) {
    auto* slot = at<abi::VMMemorySlot>(module_->layout().memory(i));
    if (slot->memory == memory) slot->base = memory->base;
  }
  if (context()->memory0 == memory) context()->memory0Base = memory->base;
}

std::optional<Extern> Instance::exported(std::string_view name) {
  const auto* found = module_->findExport(name);
  if (!found) return std::nullopt;
  return externAt(found->kind, found->index);
}

Extern Instance::externAt(frontend::ExternKind kind, uint32_t index) {
  switch (kind) {
    case frontend::ExternKind::Func: return Func(function(index));
    case frontend::ExternKind::Table: return wattle::Table(table(index));
    case frontend::ExternKind::Memory: return wattle::Memory(memory(index));
    case frontend::ExternKind::Global: return wattle::Global(global(index));
    case frontend::ExternKind::Tag: break;
  }
  return wattle::Tag(tag(index));
}

std::span<const uint8_t> Instance::dataSegment(uint32_t index) const {
  if (!segments_ || !segments_->liveData[index]) return {};
  const auto& range = module_->info().data[index].bytes;
  return module_->bytes().subspan(range.offset, range.size);
}

void Instance::dropData(uint32_t index) {
  if (segments_) segments_->liveData[index] = false;
}

size_t Instance::elementCount(uint32_t index) const {
  if (!segments_ || !segments_->liveElements[index]) return 0;
  return module_->info().elements[index].count();
}

uint64_t Instance::element(uint32_t index, size_t item) {
  const auto& functions = module_->info().elements[index].functions;
  if (functions.empty()) return segments_->values[index][item];
  return function(functions[item])->word();
}

void Instance::dropElements(uint32_t index) {
  if (!segments_) return;
  segments_->liveElements[index] = false;
  segments_->values[index] = {};
}

void Instance::trace(Tracer& tracer) {
  const auto& info = module_->info();
  const abi::Layout& layout = module_->layout();
  for (uint32_t i = 0; i < info.importedFunctions; ++i) {
    if (auto* callee = at<abi::VMFunctionImport>(layout.functionImport(i))->context)
      tracer.mark(Function::ownerOf(callee));
  }
  // Slots may be empty while the instance is being made.
  for (uint32_t i = 0; i < info.memories.size(); ++i) {
    if (auto* memory = at<abi::VMMemorySlot>(layout.memory(i))->memory) tracer.mark(Memory::from(memory));
  }
  for (uint32_t i = 0; i < info.tables.size(); ++i) {
    if (auto* table = *at<abi::VMTable*>(layout.table(i))) tracer.mark(Table::from(table));
  }
  for (uint32_t i = 0; i < info.tags.size(); ++i) {
    if (auto* tag = *at<abi::VMTag*>(layout.tag(i))) tracer.mark(Tag::from(tag));
  }
  for (uint32_t i = 0; i < info.globals.size(); ++i) {
    if (i < info.importedGlobals) {
      if (globals_ && globals_[i]) tracer.mark(globals_[i]);
    } else if (auto type = info.globals[i].type.type; type.isRef()) {
      tracer.mark(globalCell(i)->ref, refKind(canonical(type, module_->typeIds())));
    }
    // Else made anew at need.
    if (globals_ && globals_[i] && globals_[i]->hasHostInfo()) tracer.mark(globals_[i]);
  }
  if (!segments_) return;
  for (size_t i = 0; i < segments_->values.size(); ++i) {
    if (segments_->values[i].empty()) continue;
    RefKind kind = refKind(canonical(info.elements[i].type, module_->typeIds()));
    for (uint64_t value : segments_->values[i]) tracer.mark(value, kind);
  }
}

void Instance::close() {
  if (!store()) return;
  --store()->instanceCount;
  // Memories that live on must not tell a dead instance that they moved.
  for (uint32_t i = 0; i < module_->info().memories.size(); ++i) {
    auto* slot = at<abi::VMMemorySlot>(module_->layout().memory(i));
    if (slot->memory) Memory::from(slot->memory)->removeUser(context());
    slot->memory = nullptr;
  }
}

}  // namespace wattle::vm
