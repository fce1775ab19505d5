#include "spec-tests/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include "frontend/binary/module_decoder.h"
#include "frontend/text/wast.h"
#include "spec-tests/spectest.h"
#include "spec-tests/values.h"

namespace wattle::spec {

using namespace frontend;  // NOLINT: the script's types; the runtime's are named in full below

namespace {

using wattle::Error;
using wattle::ErrorKind;
template <class T>
using Result = wattle::Result<T>;

std::unexpected<Error> scriptError(std::string message) {
  return std::unexpected(Error::make(ErrorKind::Argument, std::move(message)));
}

std::string_view kindName(ErrorKind kind) {
  static constexpr std::string_view kNames[] = {"malformed", "invalid",   "limit",      "unlinkable",
                                                "trap",      "exception", "exit",       "resource",
                                                "argument",  "io",        "unsupported"};
  return kNames[static_cast<size_t>(kind)];
}

std::string show(const Error& error) { return fmt::format("{}: {}", kindName(error.kind), error.message); }

// Either may be the longer one: "uninitialized element 2" against "uninitialized element".
bool sameWords(std::string_view expected, std::string_view actual) {
  return actual.starts_with(expected) || expected.starts_with(actual);
}

std::optional<std::string> secondMemoryOrTable(std::span<const uint8_t> bytes) {
  auto info = decodeModule(bytes);
  if (info && info->memories.size() > 1) return "multiple memories";
  if (info && info->tables.size() > 1) return "multiple tables";
  return std::nullopt;
}

// Named things of one kind, and the last one made.
template <class T>
class Named {
 public:
  void add(const std::string& name, T value) {
    if (!name.empty()) named_.insert_or_assign(name, value);
    last_ = std::move(value);
  }
  void forgetLast() { last_.reset(); }
  const T* find(const std::string& name) const {
    if (name.empty()) return last_ ? &*last_ : nullptr;
    auto found = named_.find(name);
    return found == named_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::string, T> named_;
  std::optional<T> last_;
};

StoreLimits limitsFor(const ScriptOptions& options) {
  StoreLimits limits;
  limits.gcStress = options.gcStress;
  return limits;
}

class Runner {
 public:
  Runner(const Engine& engine, const ScriptOptions& options)
      : engine_(engine),
        options_(options),
        store_(engine, limitsFor(options)),
        linker_(engine),
        references_(engine, store_) {
    if (engine.config().fuel) (void)store_.addFuel(~0ull);
    if (auto added = addSpectest(store_, linker_); !added) fail("spectest: " + show(added.error()));
  }

  void run(const std::vector<Command>& commands) {
    for (const Command& command : commands) {
      line_ = command.line;
      std::visit([&](const auto& what) { execute(what); }, command.what);
    }
  }

  ScriptResultCounts take() {
    for (auto& [name, thread] : threads_) join(*thread);
    threads_.clear();
    return std::move(counts_);
  }
  void fail(std::string message) {
    counts_.failed++;
    counts_.failures.push_back({line_, std::move(message)});
  }
  void setLine(uint32_t line) { line_ = line; }

 private:
  void pass() { counts_.passed++; }

  // A failure as it should be; says so when its words are others.
  void passWith(std::string_view expected, const Error& error) {
    pass();
    if (sameWords(expected, error.message)) return;
    counts_.otherWords++;
    counts_.wordings.push_back({line_, fmt::format("expected \"{}\", got \"{}\"", expected, error.message)});
  }

  Result<wattle::Module> compile(const ScriptModule& module) {
    if (!module.bytes) {
      bool limit = module.bytes.error().kind == frontend::ErrorKind::Limit;
      return std::unexpected(
          Error::make(limit ? ErrorKind::Limit : ErrorKind::Malformed, module.bytes.error().message));
    }
    auto compiled = wattle::Module::compile(engine_, *module.bytes);
    if (compiled && options_.singleMemoryAndTable) {
      if (auto excess = secondMemoryOrTable(*module.bytes))
        return std::unexpected(Error::make(ErrorKind::Invalid, *excess));
    }
    return compiled;
  }

  void execute(const ModuleCommand& c) {
    instances_.forgetLast();
    auto module = compile(c.module);
    if (!module) return fail("module: " + show(module.error()));
    definitions_.add(c.module.name, *module);
    if (c.definitionOnly) return pass();
    instantiate(c.module.name, *module);
  }

  void execute(const InstanceCommand& c) {
    instances_.forgetLast();
    const wattle::Module* module = definitions_.find(c.definition);
    if (!module) return fail(fmt::format("no module definition ${}", c.definition));
    instantiate(c.name, *module);
  }

  void instantiate(const std::string& name, const wattle::Module& module) {
    auto instance = linker_.instantiate(store_, module);
    if (!instance) return fail("instantiation: " + show(instance.error()));
    instances_.add(name, *instance);
    pass();
  }

  void execute(const RegisterCommand& c) {
    if (auto shared = shared_.find(c.module); !c.module.empty() && shared != shared_.end()) {
      for (const auto& [name, memory] : shared->second) {
        auto mine = wattle::Memory::create(store_, memory);
        if (!mine) return fail(fmt::format("register: {}", show(mine.error())));
        linker_.define(c.as, name, *mine);
      }
      return pass();
    }
    const Instance* instance = instances_.find(c.module);
    if (!instance) return fail(fmt::format("register: no instance ${}", c.module));
    linker_.defineInstance(c.as, *instance);
    pass();
  }

  Result<std::vector<Val>> act(const ScriptAction& action) {
    const Instance* instance = instances_.find(action.module);
    if (!instance) return scriptError(fmt::format("no instance ${}", action.module));
    if (action.kind == ScriptAction::Kind::Get) {
      auto global = instance->global(action.field);
      if (!global) return scriptError(fmt::format("no global \"{}\"", action.field));
      return std::vector{global->get()};
    }
    auto function = instance->func(action.field);
    if (!function) return scriptError(fmt::format("no function \"{}\"", action.field));
    std::vector<Val> arguments;
    for (const ScriptValue& value : action.arguments) {
      auto argument = toRuntime(references_, value);
      if (!argument) return std::unexpected(argument.error());
      arguments.push_back(*argument);
    }
    return function->call(arguments);
  }

  void execute(const ActionCommand& c) {
    auto results = act(c.action);
    results ? pass() : fail(fmt::format("{}: {}", c.action.field, show(results.error())));
  }

  void execute(const AssertReturn& c) {
    auto results = act(c.action);
    if (!results) return fail(fmt::format("assert_return {}: {}", c.action.field, show(results.error())));
    if (results->size() != c.results.size()) {
      return fail(fmt::format("assert_return {}: expected {} results, got {}", c.action.field, c.results.size(),
                              results->size()));
    }
    for (size_t i = 0; i < c.results.size(); i++) {
      auto expected = mismatch(references_, c.results[i], (*results)[i]);
      if (!expected) continue;
      return fail(
          fmt::format("assert_return {}: expected {}, got {}", c.action.field, *expected, describe((*results)[i])));
    }
    pass();
  }

  void execute(const AssertFailure& c) {
    using K = AssertFailure::Kind;
    static constexpr std::string_view kWords[] = {"trap", "exhaustion", "exception", "suspension"};
    std::string_view word = kWords[static_cast<size_t>(c.kind)];
    auto results = act(c.action);
    if (results) return fail(fmt::format("assert_{} {}: it returned", word, c.action.field));
    const Error& error = results.error();
    bool right = c.kind == K::Exception ? error.kind == ErrorKind::Exception : error.kind == ErrorKind::Trap;
    if (c.kind == K::Exhaustion) right = right && error.trap == TrapCode::StackOverflow;
    if (!right) return fail(fmt::format("assert_{} {}: {}", word, c.action.field, show(error)));
    passWith(c.message, error);
  }

  void execute(const AssertModule& c) {
    using K = AssertModule::Kind;
    static constexpr std::string_view kWords[] = {"malformed", "invalid",          "unlinkable",
                                                  "trap",      "malformed_custom", "invalid_custom"};
    std::string_view word = kWords[static_cast<size_t>(c.kind)];
    // Custom sections that are wrong may be ignored.
    if (c.kind == K::MalformedCustom || c.kind == K::InvalidCustom) return pass();
    auto module = compile(c.module);
    if (module && c.kind == K::Invalid && !options_.customDescriptors) {
      frontend::Features features;
      features.customDescriptors = false;
      auto valid = frontend::validateModule(*c.module.bytes, features);
      if (!valid) return passWith(c.message, Error::make(ErrorKind::Invalid, valid.error().message));
    }
    if (c.kind == K::Malformed || c.kind == K::Invalid) {
      if (module) return fail(fmt::format("assert_{} ({}): the module is accepted", word, c.message));
      return judgeRefusal(c, word, module.error());
    }
    if (!module) return fail(fmt::format("assert_{}: {}", word, show(module.error())));
    auto instance = linker_.instantiate(store_, *module);
    if (instance) return fail(fmt::format("assert_{} ({}): it instantiates", word, c.message));
    ErrorKind wanted = c.kind == K::Unlinkable ? ErrorKind::Link : ErrorKind::Trap;
    if (instance.error().kind != wanted) return fail(fmt::format("assert_{}: {}", word, show(instance.error())));
    passWith(c.message, instance.error());
  }

  void judgeRefusal(const AssertModule& c, std::string_view word, const Error& error) {
    bool refused =
        error.kind == ErrorKind::Malformed || error.kind == ErrorKind::Invalid || error.kind == ErrorKind::Limit;
    if (!refused) return fail(fmt::format("assert_{}: {}", word, show(error)));
    passWith(c.message, error);
  }

  // A thread has a store of its own; of the modules it is given it sees the shared memories.
  void execute(const ThreadCommand& c) {
    SharedModules given;
    for (const std::string& name : c.sharedModules) {
      const Instance* instance = instances_.find(name);
      if (!instance) return fail(fmt::format("thread: no instance ${}", name));
      auto& memories = given[name];
      for (const auto& [field, what] : instance->exports()) {
        const auto* memory = std::get_if<wattle::Memory>(&what);
        if (auto shared = memory ? memory->share() : std::nullopt) memories.emplace_back(field, *shared);
      }
    }
    auto thread = std::make_unique<Thread>();
    thread->system = std::thread([this, &c, &counts = thread->counts, given = std::move(given)]() mutable {
      Runner runner(engine_, options_);
      runner.shared_ = std::move(given);
      runner.run(c.commands);
      counts = runner.take();
    });
    threads_.insert_or_assign(c.name, std::move(thread));
    pass();
  }
  void execute(const WaitCommand& c) {
    auto found = threads_.find(c.thread);
    if (found == threads_.end()) return fail(fmt::format("wait: no thread ${}", c.thread));
    join(*found->second);
    threads_.erase(found);
    pass();
  }

  using SharedModules = std::map<std::string, std::vector<std::pair<std::string, wattle::SharedMemory>>>;
  struct Thread {
    std::thread system;
    ScriptResultCounts counts;
    ~Thread() {
      if (system.joinable()) system.join();
    }
  };
  void join(Thread& thread) {
    thread.system.join();
    counts_.passed += thread.counts.passed;
    counts_.failed += thread.counts.failed;
    counts_.otherWords += thread.counts.otherWords;
    std::ranges::move(thread.counts.failures, std::back_inserter(counts_.failures));
    std::ranges::move(thread.counts.wordings, std::back_inserter(counts_.wordings));
  }

  const Engine& engine_;
  const ScriptOptions options_;
  wattle::Store store_;
  Linker linker_;
  References references_;
  Named<wattle::Module> definitions_;
  Named<Instance> instances_;
  SharedModules shared_;  // what a thread was given
  std::map<std::string, std::unique_ptr<Thread>> threads_;
  ScriptResultCounts counts_;
  uint32_t line_ = 0;
};

}  // namespace

ScriptResultCounts runScript(const Engine& engine, std::string_view source, const ScriptOptions& options) {
  Runner runner(engine, options);
  auto script = parseScript(source);
  if (!script) {
    runner.setLine(lineColumn(source, script.error().offset).line);
    runner.fail("the script does not parse: " + script.error().message);
    return runner.take();
  }
  runner.run(script->commands);
  return runner.take();
}

}  // namespace wattle::spec
