// wattle/inspect.hpp: layouts of modules and native code of functions.
#include "wattle/inspect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "frontend/binary/leb128.h"
#include "frontend/binary/module_decoder.h"
#include "runtime/codecache/code_cache.h"
#include "runtime/compile/baseline/function_compiler.h"
#include "runtime/compile/module_context.h"
#include "runtime/vm/module.h"

namespace wattle {

namespace {

std::string sectionName(uint8_t id) {
  static constexpr const char* kNames[] = {"custom", "type",  "import",  "function", "table", "memory",     "global",
                                           "export", "start", "element", "code",     "data",  "data count", "tag"};
  return id < std::size(kNames) ? kNames[id] : fmt::format("section {}", id);
}

// Most sections begin with the number of their entries.
uint64_t entryCount(uint8_t id, std::span<const uint8_t> contents) {
  constexpr uint8_t kCustom = 0, kStart = 8, kDataCount = 12;
  if (id == kCustom) return 0;
  if (id == kStart) return 1;
  const uint8_t* at = contents.data();
  uint32_t count = 0;
  frontend::readLeb<32>(at, contents.data() + contents.size(), count);
  return id == kDataCount ? 1 : count;
}

std::vector<SectionInfo> sectionsOf(const frontend::ModuleInfo& module, std::span<const uint8_t> bytes) {
  std::vector<SectionInfo> list;
  auto custom = module.customSections.begin();
  for (const frontend::SectionInfo& s : module.sections) {
    SectionInfo info;
    info.id = s.id;
    info.name = sectionName(s.id);
    info.offset = s.bytes.offset;
    info.size = s.bytes.size;
    info.count = entryCount(s.id, bytes.subspan(s.bytes.offset, s.bytes.size));
    if (s.id == 0 && custom != module.customSections.end()) info.name = custom++->name;
    list.push_back(std::move(info));
  }
  return list;
}

std::vector<FunctionInfo> functionsOf(const frontend::ModuleInfo& module, const frontend::Names& names) {
  std::unordered_map<uint32_t, std::string_view> exported;
  for (const frontend::Export& e : module.exports) {
    if (e.kind == frontend::ExternKind::Func) exported.emplace(e.index, e.name);
  }
  std::vector<FunctionInfo> list;
  for (uint32_t i = module.importedFunctions; i < module.functions.size(); i++) {
    FunctionInfo info;
    info.index = i;
    if (i < names.functions.size()) info.name = names.functions[i];
    if (auto found = exported.find(i); info.name.empty() && found != exported.end()) info.name = found->second;
    info.type = frontend::toString(module.funcType(i));
    info.offset = module.functions[i].body.offset;
    info.size = module.functions[i].body.size;
    list.push_back(std::move(info));
  }
  return list;
}

}  // namespace

Result<ModuleLayout> moduleLayout(std::span<const uint8_t> bytes) {
  auto module = frontend::decodeModule(bytes);
  if (!module) return std::unexpected(vm::toApi(module.error()));
  ModuleLayout layout;
  layout.sections = sectionsOf(*module, bytes);
  layout.functions = functionsOf(*module, frontend::decodeNames(*module, bytes));
  layout.hasStart = module->start.has_value();
  return layout;
}

Result<CompiledFunction> compiledFunction(const Module& module, uint32_t functionIndex) {
  const std::shared_ptr<vm::Module>& impl = module.impl();
  const frontend::ModuleInfo& info = impl->info();
  if (functionIndex < info.importedFunctions || functionIndex >= info.functions.size()) {
    return std::unexpected(Error::make(ErrorKind::Argument, fmt::format("function {} has no body", functionIndex)));
  }
  if (!impl->hasBodies()) return std::unexpected(vm::Module::withoutBodies("looked into"));
  bool guarded = impl->engine()->config.bounds != BoundsMode::Checked && impl->hasGuardableMemory();
  auto code = impl->code(guarded ? sandbox::Bounds::Guarded : sandbox::Bounds::Checked);
  if (!code) return std::unexpected(code.error());
  auto entry = (*code)->materialize(functionIndex);
  if (!entry) return std::unexpected(vm::toApi(entry.error()));
  auto hit = codecache::CodeCache::process().lookup(reinterpret_cast<uintptr_t>(*entry));
  if (!hit || !hit.range)
    return std::unexpected(Error::make(ErrorKind::Resource, "the function's code is not in the cache"));

  CompiledFunction result;
  const uint8_t* begin = hit.block->code() + hit.range->start;
  result.address = reinterpret_cast<uint64_t>(begin);
  // Neither where a function ends nor the map from code to module is kept: compiled once more, it comes out the same.
  auto context = compile::moduleContext(info, impl->bytes(), impl->layout(), (*code)->settings());
  compile::baseline::FunctionCompiler compiler(context);
  compiler.compiler().recordPositions(true);
  if (auto error = compiler.compile(functionIndex)) return std::unexpected(vm::toApi(*error));
  result.code.assign(begin, begin + compiler.compiler().code().size());
  for (const auto& p : compiler.compiler().positions()) result.positions.push_back({p.code, p.module});
  return result;
}

}  // namespace wattle
