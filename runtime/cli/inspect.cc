// wattle inspect: what is in a module.
#include "wattle/inspect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "runtime/cli/asm_listing.h"
#include "runtime/cli/command.h"
#include "runtime/cli/exit_codes.h"
#include "runtime/cli/module_source.h"
#include "runtime/cli/quantities.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/wabt_text.h"

namespace wattle::cli {

namespace {

struct InspectOptions {
  std::string file;
  bool wat = false;
  bool decompile = false;
  bool asmAll = false;
  std::string asmFunction;
  CompileOptions compile;
};

void heading(std::string_view text) { print("{}\n", onOutput(Style::Bold, text)); }

std::string kindAndType(const ExternType& type) {
  static constexpr const char* kKinds[] = {"func", "table", "memory", "global", "tag"};
  std::string text = toString(type);
  std::string_view kind = kKinds[type.index()];
  // Some spellings begin with the kind, some do not.
  return text.starts_with(kind) ? text : fmt::format("{} {}", kind, text);
}

void printSections(const ModuleLayout& layout, uint64_t total) {
  heading("Sections");
  print("  {:<24} {:>10} {:>12} {:>10}\n", "name", "offset", "size", "entries");
  for (const SectionInfo& s : layout.sections) {
    std::string name = s.id == 0 ? fmt::format("custom \"{}\"", s.name) : s.name;
    print("  {:<24} {:>#10x} {:>12} {:>10}\n", name, s.offset, formatSize(s.size),
          s.id == 0 ? "" : fmt::format("{}", s.count));
  }
  print("  {:<24} {:>10} {:>12}\n", "whole module", "", formatSize(total));
}

void printImportsAndExports(const Module& module) {
  auto imports = module.imports();
  auto exports = module.exports();
  heading(fmt::format("\nImports: {}", imports.size()));
  for (const ImportType& i : imports) {
    print("  {}.{} {}\n", i.module, onOutput(Style::Cyan, i.name), kindAndType(i.type));
  }
  heading(fmt::format("\nExports: {}", exports.size()));
  for (const ExportType& e : exports) print("  {} {}\n", onOutput(Style::Cyan, e.name), kindAndType(e.type));
}

void printFunctions(const ModuleLayout& layout) {
  constexpr size_t kShown = 10;
  std::vector<const FunctionInfo*> bySize;
  uint64_t total = 0;
  for (const FunctionInfo& f : layout.functions) {
    bySize.push_back(&f);
    total += f.size;
  }
  heading(fmt::format("\nFunctions: {}, {} of code", layout.functions.size(), formatSize(total)));
  size_t shown = std::min(kShown, bySize.size());
  std::partial_sort(bySize.begin(), bySize.begin() + static_cast<ptrdiff_t>(shown), bySize.end(),
                    [](auto* a, auto* b) { return a->size > b->size; });
  if (bySize.size() > kShown) print("  the {} largest:\n", kShown);
  for (size_t i = 0; i < shown; i++) {
    const FunctionInfo& f = *bySize[i];
    print("  {:>8} {:>12}  {} {}\n", f.index, formatSize(f.size), onOutput(Style::Cyan, f.name), f.type);
  }
}

Result<void> printSummary(const ModuleSource& source, const ModuleLayout& layout) {
  Config config;
  config.lazy = true;  // validated, not compiled
  auto module = Module::compile(Engine(config), source.bytes);
  if (!module) return std::unexpected(module.error());
  print("{}{}{}\n", displayName(source.path), module->name().empty() ? "" : ": module ", module->name());
  printSections(layout, source.bytes.size());
  printImportsAndExports(*module);
  printFunctions(layout);
  return {};
}

Result<void> printText(const ModuleSource& source, TextForm form) {
  auto text = printModule(source.bytes, form);
  if (!text) return std::unexpected(Error::make(ErrorKind::Unsupported, text.error()));
  write(*text);
  return {};
}

// By index, or by name (of the name section or an export).
Result<std::vector<FunctionInfo>> chooseFunctions(const ModuleLayout& layout, const std::string& wanted) {
  if (wanted.empty()) return layout.functions;
  uint32_t index = 0;
  auto [end, error] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), index);
  bool isIndex = error == std::errc{} && end == wanted.data() + wanted.size();
  for (const FunctionInfo& f : layout.functions) {
    if (isIndex ? f.index == index : f.name == wanted) return std::vector{f};
  }
  return std::unexpected(Error::make(ErrorKind::Link, fmt::format("no function \"{}\" of its own", wanted)));
}

Result<void> printAsm(const ModuleSource& source, const ModuleLayout& layout, const InspectOptions& o) {
  auto functions = chooseFunctions(layout, o.asmFunction);
  if (!functions) return std::unexpected(functions.error());
  Config config;
  if (o.compile.apply(config)) return std::unexpected(Error::make(ErrorKind::Argument, "see above"));
  auto module = Module::compile(Engine(config), source.bytes);
  if (!module) return std::unexpected(module.error());
  for (const FunctionInfo& f : *functions) {
    auto compiled = compiledFunction(*module, f.index);
    if (!compiled) return std::unexpected(compiled.error());
    if (auto listed = printAsmListing(f, source.bytes, *compiled); !listed) return listed;
  }
  return {};
}

Result<void> inspect(const InspectOptions& o) {
  auto source = readSource(o.file);
  if (!source) return std::unexpected(source.error());
  if (auto assembled = assemble(*source); !assembled) return assembled;
  if (source->form == Form::Other) return std::unexpected(unknownFormat(*source));
  if (o.wat || o.decompile) return printText(*source, o.wat ? TextForm::Wat : TextForm::Decompiled);
  auto layout = moduleLayout(source->bytes);
  if (!layout) return std::unexpected(layout.error());
  if (o.asmAll || !o.asmFunction.empty()) return printAsm(*source, *layout, o);
  return printSummary(*source, *layout);
}

}  // namespace

int inspectCommand(const Invocation& invocation) {
  InspectOptions o;
  CommandLine line("Show what is in a module: sections, imports, exports, sizes.", "wattle inspect [OPTIONS] FILE");
  CLI::App& app = line.app();
  app.add_option("FILE", o.file, "Binary or text module; - is standard input")->required();
  auto* wat = app.add_flag("--wat", o.wat, "Print it in the text format (by wabt)");
  auto* decompile = app.add_flag("--decompile", o.decompile, "Print it as readable pseudo-code (by wabt)");
  auto* asmAll = app.add_flag("--asm", o.asmAll, "Print each function's native code beside its instructions");
  auto* asmOne = app.add_option("--asm-of", o.asmFunction, "The same for one function, by name or index");
  asmOne->type_name("FUNCTION");
  wat->excludes(decompile)->excludes(asmAll)->excludes(asmOne);
  decompile->excludes(asmAll)->excludes(asmOne);
  o.compile.add(app);
  line.footer(
      "Examples:\n"
      "  wattle inspect program.wasm\n"
      "  wattle inspect --wat program.wasm | less\n"
      "  wattle inspect --asm-of fib math.wat\n");
  if (auto done = line.parse(invocation)) return *done;
  auto result = inspect(o);
  return finishOutput(result ? int{kOk} : report(result.error(), displayName(o.file)));
}

}  // namespace wattle::cli
