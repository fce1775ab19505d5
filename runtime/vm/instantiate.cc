// Instantiation (spec "Execution / Modules / Instantiation"): imports are matched, everything is allocated, then
// segments are applied and the start function runs.
#include <fmt/format.h>

#include "runtime/vm/builtins.h"
#include "runtime/vm/call.h"
#include "runtime/vm/const_expr.h"
#include "runtime/vm/global.h"
#include "runtime/vm/instance.h"
#include "runtime/vm/link.h"
#include "runtime/vm/memory.h"
#include "runtime/vm/store.h"
#include "runtime/vm/table.h"
#include "runtime/vm/tag.h"

namespace wattle::vm {

using frontend::ModuleInfo;
using frontend::SegmentMode;

// The steps, each leaving the instance in a state that the collector can trace.
class Instantiation {
 public:
  Instantiation(Store& store, const std::shared_ptr<Module>& module, std::span<const Extern> imports)
      : store_(store), module_(module), info_(module->info()), layout_(module->layout()), imports_(imports) {}

  Result<Instance*> run();

 private:
  Result<void> makeMemories();
  Result<void> createMemories(sandbox::Bounds bounds);
  Result<void> createMemoriesAfterCollection(sandbox::Bounds bounds);
  sandbox::Bounds chooseBounds(bool& mayFallBack) const;
  void placeImports();
  void placeMemories();
  void placeFunctions();
  Result<void> initGlobals();
  Result<void> makeTables();
  Result<void> prepareSegments();
  Result<void> applyElements();
  Result<void> applyData();
  Result<void> start();

  template <class T>
  T* at(uint32_t offset) {
    return instance_->at<T>(offset);
  }
  template <class Handle>
  auto* import(uint32_t i) const {
    return std::get<Handle>(imports_[i]).impl();
  }

  Store& store_;
  const std::shared_ptr<Module>& module_;
  const ModuleInfo& info_;
  const abi::Layout& layout_;
  std::span<const Extern> imports_;
  std::vector<Memory*> ownMemories_;
  std::vector<bool> imaged_;  // by own memory: its data is there already
  const compile::ModuleCode* code_ = nullptr;
  Instance* instance_ = nullptr;
};

Result<Instance*> Instance::create(Store& store, const std::shared_ptr<Module>& module,
                                   std::span<const Extern> imports) {
  if (!store.isOpen()) return std::unexpected(Error::make(ErrorKind::Argument, "the store is gone"));
  if (module->engine().get() != &store.engine()) {
    return std::unexpected(Error::make(ErrorKind::Argument, "the module was compiled for another engine"));
  }
  if (store.instanceCount >= store.limits().maxInstances) store.collect(false);
  if (store.instanceCount >= store.limits().maxInstances) {
    return std::unexpected(Error::make(
        ErrorKind::Resource, fmt::format("the store's limit of {} instances is reached", store.limits().maxInstances)));
  }
  if (auto linked = checkImports(store, *module, imports); !linked) return std::unexpected(linked.error());
  const auto& info = module->info();
  if (store.tableCount + info.tables.size() - info.importedTables > store.limits().maxTables) store.collect(false);
  store.collectIfDue();
  return Instantiation(store, module, imports).run();
}

Result<Instance*> Instantiation::run() {
  if (auto made = makeMemories(); !made) return std::unexpected(made.error());
  instance_ = Instance::allocate(store_, module_, code_);
  wattle::Instance hold(instance_);  // of this class' own reference, whatever happens
  placeImports();
  placeMemories();
  placeFunctions();
  for (auto step : {&Instantiation::initGlobals, &Instantiation::makeTables, &Instantiation::prepareSegments,
                    &Instantiation::applyElements, &Instantiation::applyData, &Instantiation::start}) {
    if (auto done = (this->*step)(); !done) return std::unexpected(std::move(done.error()));
  }
  instance_->retain();
  return instance_;
}

// Guarded code needs every 32-bit memory guarded; one that is imported and checked decides for all.
sandbox::Bounds Instantiation::chooseBounds(bool& mayFallBack) const {
  using sandbox::Bounds;
  bool importsGuardable = false;
  for (uint32_t i = 0; i < info_.imports.size(); ++i) {
    if (info_.imports[i].kind != frontend::ExternKind::Memory) continue;
    auto* memory = import <wattle::Memory>(i);
    if (!Module::canGuard(memory->declaredType())) continue;
    if (memory->bounds() == Bounds::Checked) return Bounds::Checked;
    importsGuardable = true;
  }
  if (info_.memories.size() == info_.importedMemories && importsGuardable) return Bounds::Guarded;
  switch (store_.engine().config.bounds) {
    case BoundsMode::Guarded: return Bounds::Guarded;
    case BoundsMode::Checked: return Bounds::Checked;
    case BoundsMode::Auto: break;
  }
  mayFallBack = true;
  return sandbox::preferredBounds();
}

Result<void> Instantiation::makeMemories() {
  auto bounds = sandbox::Bounds::Guarded;
  if (module_->hasGuardableMemory()) {
    bool mayFallBack = false;
    bounds = chooseBounds(mayFallBack);
    auto made = createMemories(bounds);
    // Address space may end sooner than the budget says.
    if (!made && mayFallBack && bounds == sandbox::Bounds::Guarded) {
      bounds = sandbox::Bounds::Checked;
      made = createMemories(bounds);
    }
    if (!made) made = createMemoriesAfterCollection(bounds);
    if (!made) return made;
  } else if (auto made = createMemories(bounds); !made) {
    if (auto again = createMemoriesAfterCollection(bounds); !again) return again;
  }
  auto code = module_->code(bounds);
  if (!code) return std::unexpected(code.error());
  code_ = *code;
  return {};
}

Result<void> Instantiation::createMemories(sandbox::Bounds bounds) {
  ownMemories_.clear();
  imaged_.clear();
  for (uint32_t i = info_.importedMemories; i < info_.memories.size(); ++i) {
    const auto& type = info_.memories[i].type;
    auto image = module_->memoryImage(i);
    imaged_.push_back(image != nullptr);
    auto memory =
        Memory::create(store_, type, Module::canGuard(type) ? bounds : sandbox::Bounds::Checked, std::move(image));
    if (!memory) return std::unexpected(memory.error());
    ownMemories_.push_back(*memory);
  }
  return {};
}

// Dead instances may hold what is missing.
Result<void> Instantiation::createMemoriesAfterCollection(sandbox::Bounds bounds) {
  ownMemories_.clear();
  store_.collect(false);
  return createMemories(bounds);
}

void Instantiation::placeImports() {
  if (info_.importedGlobals) instance_->globals_ = std::make_unique<Global*[]>(info_.globals.size());
  for (uint32_t i = 0; i < info_.imports.size(); ++i) {
    uint32_t index = info_.imports[i].index;
    switch (info_.imports[i].kind) {
      case frontend::ExternKind::Func: {
        auto* function = import <Func>(i);
        *at<abi::VMFunctionImport>(layout_.functionImport(index)) = {function->code, function->context};
        if (info_.functions[index].isDeclared) *at<abi::VMFuncRef>(layout_.funcRef(index)) = *function;
        break;
      }
      case frontend::ExternKind::Table: *at<abi::VMTable*>(layout_.table(index)) = import <wattle::Table>(i); break;
      case frontend::ExternKind::Memory:
        at<abi::VMMemorySlot>(layout_.memory(index))->memory = import <wattle::Memory>(i);
        break;
      case frontend::ExternKind::Global: {
        auto* global = import <wattle::Global>(i);
        instance_->globals_[index] = global;
        *at<abi::RawValue*>(layout_.importedGlobal(index)) = global->cell();
        break;
      }
      case frontend::ExternKind::Tag: *at<abi::VMTag*>(layout_.tag(index)) = import <wattle::Tag>(i); break;
    }
  }
  for (uint32_t i = info_.importedTags; i < info_.tags.size(); ++i) {
    *at<abi::VMTag*>(layout_.tag(i)) = new Tag(store_, module_->typeIds()[info_.tags[i].typeIndex]);
  }
}

void Instantiation::placeMemories() {
  abi::VMContext* context = instance_->context();
  for (uint32_t i = 0; i < info_.memories.size(); ++i) {
    auto* slot = at<abi::VMMemorySlot>(layout_.memory(i));
    if (i >= info_.importedMemories) slot->memory = ownMemories_[i - info_.importedMemories];
    Memory* memory = Memory::from(slot->memory);
    slot->base = memory->base;
    memory->addUser(context);
    if (i == 0) {
      context->memory0 = memory;
      context->memory0Base = memory->base;
    }
  }
}

void Instantiation::placeFunctions() {
  for (uint32_t index : layout_.declaredFunctions()) {
    if (index < info_.importedFunctions) continue;
    *at<abi::VMFuncRef>(layout_.funcRef(index)) = {code_->entry(index), instance_->context(),
                                                   module_->functionTypeId(index), index};
  }
}

Result<void> Instantiation::initGlobals() {
  for (uint32_t i = info_.importedGlobals; i < info_.globals.size(); ++i) {
    auto value = evaluate(*instance_, info_.globals[i].init);
    if (!value) return std::unexpected(value.error());
    *at<abi::RawValue>(layout_.ownGlobal(i)) = *value;
  }
  return {};
}

Result<void> Instantiation::makeTables() {
  for (uint32_t i = info_.importedTables; i < info_.tables.size(); ++i) {
    const auto& table = info_.tables[i];
    uint64_t init = 0;
    if (table.init) {
      auto value = evaluate(*instance_, *table.init);
      if (!value) return std::unexpected(value.error());
      init = value->ref;
    }
    auto made = Table::create(store_, canonical(table.type, module_->typeIds()), init);
    if (!made) return std::unexpected(made.error());
    *at<abi::VMTable*>(layout_.table(i)) = *made;
  }
  return {};
}

// Items are evaluated once, before any segment is applied.
Result<void> Instantiation::prepareSegments() {
  if (info_.elements.empty() && info_.data.empty()) return {};
  auto segments = std::make_unique<Instance::Segments>();
  segments->liveData.assign(info_.data.size(), true);
  segments->liveElements.assign(info_.elements.size(), true);
  segments->values.resize(info_.elements.size());
  instance_->segments_ = std::move(segments);
  for (uint32_t i = 0; i < info_.elements.size(); ++i) {
    auto& values = instance_->segments_->values[i];
    values.reserve(info_.elements[i].items.size());
    for (const auto& item : info_.elements[i].items) {
      auto value = evaluate(*instance_, item);
      if (!value) return std::unexpected(value.error());
      values.push_back(value->ref);
    }
  }
  return {};
}

Result<void> Instantiation::applyElements() {
  bool anyPassive = false;
  for (uint32_t i = 0; i < info_.elements.size(); ++i) {
    const auto& segment = info_.elements[i];
    if (segment.mode == SegmentMode::Passive) {
      anyPassive = true;
      continue;
    }
    if (segment.mode == SegmentMode::Active) {
      auto offset = evaluateAddress(*instance_, segment.offset);
      if (!offset) return std::unexpected(offset.error());
      auto reason = initTable(instance_->context(), segment.table, i, *offset, 0, segment.count());
      if (reason != abi::TrapReason::None) return std::unexpected(trapError(reason));
    }
    instance_->dropElements(i);
  }
  for (const auto& segment : info_.data) anyPassive |= segment.mode == SegmentMode::Passive;
  if (!anyPassive) instance_->segments_.reset();
  return {};
}

Result<void> Instantiation::applyData() {
  for (uint32_t i = 0; i < info_.data.size(); ++i) {
    const auto& segment = info_.data[i];
    if (segment.mode != SegmentMode::Active) continue;
    if (segment.memory >= info_.importedMemories && imaged_[segment.memory - info_.importedMemories]) {
      instance_->dropData(i);
      continue;
    }
    auto offset = evaluateAddress(*instance_, segment.offset);
    if (!offset) return std::unexpected(offset.error());
    auto bytes = module_->bytes().subspan(segment.bytes.offset, segment.bytes.size);
    auto reason = initMemory(instance_->context(), segment.memory, bytes, *offset, 0, bytes.size());
    if (reason != abi::TrapReason::None) return std::unexpected(trapError(reason));
    instance_->dropData(i);
  }
  return {};
}

Result<void> Instantiation::start() {
  if (!info_.start) return {};
  uint32_t index = *info_.start;
  abi::RawValue none{};
  if (index < info_.importedFunctions) {
    const auto& callee = *at<abi::VMFunctionImport>(layout_.functionImport(index));
    return callCode(store_, module_->functionTypeId(index), callee.code, callee.context, &none);
  }
  return callCode(store_, module_->functionTypeId(index), code_->entry(index), instance_->context(), &none);
}

}  // namespace wattle::vm
