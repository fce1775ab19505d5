// Wattle's C++ API.
//
//   wattle::Engine engine;
//   auto module = wattle::Module::compile(engine, bytes);
//   wattle::Store store(engine);
//   wattle::Linker linker(engine);
//   auto instance = linker.instantiate(store, *module);
//   auto results = instance->func("add")->call({1, 2});
//
// Ownership: Engine and Module are shared, immutable handles: copy them, use them from any thread. A Store and
// everything made in it (Instance, Func, Memory, Table, Global, Tag) belong to one thread at a time; their handles are
// cheap to copy, keep their object alive, and must not be used after the Store is gone. Units: memories in bytes unless
// a name says pages. Errors: see error.hpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <typeinfo>
#include <variant>
#include <vector>

#include "wattle/error.hpp"
#include "wattle/value.hpp"

namespace wattle {

namespace vm {  // the implementation; opaque here
struct Engine;
class Module;
class Store;
class Instance;
class Function;
class Memory;
class Table;
class Global;
class Tag;
class Exception;
struct SharedLinear;
}  // namespace vm

struct Stats;

enum class BoundsMode : uint8_t { Auto, Guarded, Checked };

// How a loop notices that its store is interrupted.
//   Segment  by a load through the gs base of the thread, at no measurable cost; it faults, as traps do, when the guest is
//            interrupted. Wattle then owns the gs base of each thread that calls guests; if somebody else uses it there,
//            the calls fail (Resource). Who takes it over afterwards makes loops deaf to interruption.
//   Compare  by comparing with a cell. gs is left alone; hot loops take some 2 %, and up to 10 %, longer.
enum class LoopCheck : uint8_t { Segment, Compare };

struct Config {
  unsigned compileThreads = 0;           // 0: one per processor
  BoundsMode bounds = BoundsMode::Auto;  // Auto: guarded until the budget of address space or mappings nears its end
  bool fuel = false;                     // compile fuel accounting into the code
  std::optional<bool> lazy{};            // compile functions at first call; unset: modules of over 2 MiB
  LoopCheck loopCheck = LoopCheck::Segment;
  bool installSignalHandlers = true;  // false: the host calls wattle::handleSignal from its own handlers
  size_t maxStackBytes = 1 << 20;     // stack a guest may use, within the thread's
  // False: modules that are compiled whole from bytes in memory let go of their functions' bytes. They have no source
  // offsets in backtraces, cannot be serialized, are not shared between compilations of equal bytes, and with
  // BoundsMode::Auto Instance::create fails (Resource) where it would need the other kind of code. Without effect on
  // lazy modules, files that are mapped, and with fuel.
  bool keepBytes = true;
  // Where compiled modules are kept for other processes (disk_cache.hpp): an absolute path, made if it is not there;
  // empty: nowhere. What cannot be used is done without. The directory must be the user's own: what is in it is run.
  std::string cacheDirectory{};
  uint64_t cacheBytes = 1ull << 30;  // most that its files may take together
};

class WATTLE_API Engine {
 public:
  Engine() : Engine(Config{}) {}
  explicit Engine(const Config& config);
  static Result<Engine> create(const Config& config = {}) noexcept;
  const Config& config() const;
  Stats stats() const;  // stats.hpp
  const std::shared_ptr<vm::Engine>& impl() const { return impl_; }

 private:
  std::shared_ptr<vm::Engine> impl_;
};

enum class ExternKind : uint8_t { Func, Table, Memory, Global, Tag };

struct TableType {
  ValType element{};
  uint64_t min = 0;
  std::optional<uint64_t> max{};
  bool is64 = false;
};
struct MemoryType {
  uint64_t minPages = 0;
  std::optional<uint64_t> maxPages{};
  bool is64 = false;
  bool isShared = false;
  uint8_t pageSizeLog2 = 16;
};
struct GlobalType {
  ValType type{};
  bool isMutable = false;
};
struct TagType {
  FuncType type;
};
using ExternType = std::variant<FuncType, TableType, MemoryType, GlobalType, TagType>;  // in ExternKind order
WATTLE_API std::string toString(const ExternType& type);

struct ImportType {
  std::string module;
  std::string name;
  ExternType type;
};
struct ExportType {
  std::string name;
  ExternType type;
};

// A module in the text format as a binary, with a name section. Malformed: the message begins with line and column
// ("3:14: …"), `offset` is the byte offset in the text. Limit: 4 GiB of text. What the text means is checked when it is
// compiled.
WATTLE_API Result<std::vector<uint8_t>> wat2wasm(std::string_view text);

class WATTLE_API Module {
 public:
  Module() = default;
  // Decodes, validates and compiles. The bytes are copied; the overload taking ownership does not copy.
  static Result<Module> compile(const Engine& engine, std::span<const uint8_t> bytes);
  static Result<Module> compile(const Engine& engine, std::vector<uint8_t>&& bytes);
  static Result<Module> fromText(const Engine& engine, std::string_view text);  // wat2wasm, then compile
  // Maps the file instead of copying it. Takes binaries, texts (.wat), and what `wattle compile` wrote.
  static Result<Module> fromFile(const Engine& engine, const std::string& path);
  static Result<void> validate(const Engine& engine, std::span<const uint8_t> bytes);

  // Compiled code in the format of the disk cache; only for the same Wattle, processor features and settings.
  Result<std::vector<uint8_t>> serialize() const;
  static Result<Module> deserialize(const Engine& engine, std::span<const uint8_t> bytes);

  std::vector<ImportType> imports() const;
  std::vector<ExportType> exports() const;
  std::string name() const;                        // from the name section
  std::string functionName(uint32_t index) const;  // name section, else an export's name, else empty
  const std::shared_ptr<vm::Module>& impl() const { return impl_; }
  explicit Module(std::shared_ptr<vm::Module> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<vm::Module> impl_;
};

struct StoreLimits {
  uint64_t maxMemoryBytes = ~0ull;         // per memory
  uint64_t maxTableElements = 10'000'000;  // per table
  uint64_t maxInstances = ~0ull;
  uint64_t maxGcHeapBytes =
      4ull << 30;         // structures and arrays (4 GiB is the most), and as much once more for exceptions
  uint32_t gcStress = 0;  // for tests: collect at every so many allocations
  uint64_t maxTotalMemoryBytes =
      ~0ull;  // of all memories together; shared ones by their size when they came, and what this store grew them by
  uint64_t maxTables = ~0ull;
  uint64_t maxMemories = ~0ull;
  size_t maxStackBytes = 0;  // as Config::maxStackBytes, which it lowers; 0: that one
};

// Asks the guests of a store to stop, from any thread or a signal handler; they trap with Interrupted. May outlive the
// store.
class WATTLE_API InterruptHandle {
 public:
  InterruptHandle() = default;
  void interrupt() const;

 private:
  friend class Store;
  std::shared_ptr<void> state_;
};

// May be dropped by a host function that its own guest has called: that guest is interrupted, and the store goes after
// its last call has come back.
class WATTLE_API Store {
 public:
  explicit Store(const Engine& engine, const StoreLimits& limits = {});
  static Result<Store> create(const Engine& engine, const StoreLimits& limits = {}) noexcept;
  ~Store();
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  InterruptHandle interruptHandle() const;
  void clearInterrupt();                                       // after an Interrupted trap, before the next call
  Result<void> setDeadline(std::chrono::nanoseconds fromNow);  // interrupts when it passes; 0 takes it back
  // Fuel, with Config::fuel; a store begins with none. Each instruction that is executed takes one unit, but for those
  // that only give structure (block, loop, else, end, try, try_table, catch, catch_all, delegate). Bulk operations on
  // memories, tables and arrays take one more for each 64 bytes (or 8 elements of a table), rounded down; a call of a
  // host function is one instruction, and what it does is free unless it calls consumeFuel. The count is the same in
  // all kinds of code, and exact whenever the host can see it: in host functions, after a call, after a trap. A
  // straight run of instructions that the rest does not pay for is not begun: the guest traps with OutOfFuel, and can
  // be called again after addFuel.
  Result<void> addFuel(uint64_t units);
  Result<uint64_t> fuel() const;  // left
  Result<void> consumeFuel(
      uint64_t units);  // for host functions; OutOfFuel, and nothing is taken, when there is not as much

  // A reference to a host value: the guest sees an opaque externref. Null: no value, or no memory.
  Val externref(std::shared_ptr<void> value);
  Result<std::shared_ptr<void>> externValue(const Val& value) const;

  // The host's own data, reached from host functions by Caller::data().
  void setData(std::shared_ptr<void> data);
  void* data() const;
  // The same of the host's own type. data<T>() is nullptr when there is none, or one of another type.
  template <class T>
  void setData(std::shared_ptr<T> data) {
    setTypedData(std::move(data), typeid(T));
  }
  template <class T, class... Args>
  T& emplaceData(Args&&... args) {
    auto made = std::make_shared<T>(std::forward<Args>(args)...);
    T& reference = *made;
    setData(std::move(made));
    return reference;
  }
  template <class T>
  T* data() const {
    return static_cast<T*>(typedData(typeid(T)));
  }

  // Frees what neither a handle nor the guest reaches: instances, memories, tables, globals, functions, external
  // references. Runs by itself whenever the number of objects has doubled, and then spares every reference that was
  // handed out; called by name it spares only those of RootScopes that still last.
  void collect();
  size_t objectCount() const;

  vm::Store& impl() const { return *impl_; }

 private:
  void setTypedData(std::shared_ptr<void> data, const std::type_info& type);
  void* typedData(const std::type_info& type) const;
  std::unique_ptr<vm::Store> impl_;
};

// References handed out while it lives (see Val) stay valid until it ends. Scopes nest; each call of a host function is
// one. Outside of any, references stay valid until Store::collect() or the end of the store.
class WATTLE_API RootScope {
 public:
  explicit RootScope(Store& store);
  ~RootScope();
  RootScope(const RootScope&) = delete;
  RootScope& operator=(const RootScope&) = delete;

 private:
  vm::Store& store_;
  size_t mark_;
};

class Func;
class Memory;
class MemoryView;
template <class Signature>
class TypedFunc;
class Table;
class Global;
class Tag;
class Instance;
using Extern = std::variant<Func, Table, Memory, Global, Tag>;  // in ExternKind order

// What a host function is handed besides its arguments.
class WATTLE_API Caller {
 public:
  Store& store() const;
  std::optional<Extern> get(std::string_view exportName) const;  // of the calling instance
  std::optional<Memory> memory() const;                          // its export "memory", else its memory 0
  void* data() const;                                            // see Store::setData
  template <class T>
  T* data() const {
    return store().template data<T>();
  }

  struct State {
    vm::Store* store;
    vm::Instance* instance;  // nullptr when the host calls its own function
  };
  explicit Caller(State& state) : state_(&state) {}

 private:
  State* state_;
};

// Arguments in, results out. `results` has the type's length and is to be filled; an error ends the guest's call and
// comes out of the outermost call() unchanged (a Trap gets the backtrace).
using HostCallback = std::function<Result<void>(Caller&, std::span<const Val> args, std::span<Val> results)>;

#define WATTLE_HANDLE(Name)                                         \
 public:                                                            \
  Name() = default;                                                 \
  explicit Name(vm::Name##Impl* impl);                              \
  Name(const Name&);                                                \
  Name(Name&&) noexcept;                                            \
  Name& operator=(Name) noexcept;                                   \
  ~Name();                                                          \
  vm::Name##Impl* impl() const { return impl_; }                    \
  bool operator==(const Name& o) const { return impl_ == o.impl_; } \
                                                                    \
 private:                                                           \
  vm::Name##Impl* impl_ = nullptr;

namespace vm {
using FuncImpl = Function;
using MemoryImpl = Memory;
using TableImpl = Table;
using GlobalImpl = Global;
using TagImpl = Tag;
using InstanceImpl = Instance;
using ExceptionImpl = Exception;
}  // namespace vm

class WATTLE_API Func {
  WATTLE_HANDLE(Func)
 public:
  // Empty: an impossible type, or no memory.
  static Func host(Store& store, const FuncType& type, HostCallback callback, std::string name = {});
  // From any callable, with the types of its parameters and result; see typed.hpp.
  template <class F>
  static Func wrap(Store& store, F&& callable, std::string name = {});
  FuncType type() const;
  // With C++ types, checked here once: func.typed<int(int, double)>().
  template <class Signature>
  Result<TypedFunc<Signature>> typed() const;
  Result<std::vector<Val>> call(std::span<const Val> args) const;
  Result<std::vector<Val>> call(std::initializer_list<Val> args) const {
    return call(std::span(args.begin(), args.size()));
  }
  // Without types or allocation: arguments in values[0..], results left there; as many as the longer of the two.
  // References are checked, numbers are taken as they are.
  Result<void> callRaw(std::span<RawVal> values) const;
  Val ref() const;  // as a funcref value; valid while this handle or the guest holds it
  static std::optional<Func> fromRef(Store& store, const Val& value);
};

// A shared memory apart from any store: to be made a Memory of several, on as many threads.
class WATTLE_API SharedMemory {
 private:
  friend class Memory;
  std::shared_ptr<vm::SharedLinear> impl_;
};

class WATTLE_API Memory {
  WATTLE_HANDLE(Memory)
 public:
  static Result<Memory> create(Store& store, const MemoryType& type);
  // The same memory in another store. (Engines of one process may differ.)
  static Result<Memory> create(Store& store, const SharedMemory& shared);
  std::optional<SharedMemory> share() const;  // nothing: its type is not shared
  MemoryType type() const;
  MemoryView view() const;           // stays valid when the memory grows
  std::span<uint8_t> bytes() const;  // valid until the memory grows or guest code runs
  uint64_t pages() const;
  Result<uint64_t> grow(uint64_t deltaPages) const;  // the old size
};

class WATTLE_API Table {
  WATTLE_HANDLE(Table)
 public:
  static Result<Table> create(Store& store, const TableType& type, const Val& init);
  TableType type() const;
  uint64_t size() const;
  Result<Val> get(uint64_t index) const;
  Result<void> set(uint64_t index, const Val& value) const;
  Result<uint64_t> grow(uint64_t delta, const Val& init) const;
};

class WATTLE_API Global {
  WATTLE_HANDLE(Global)
 public:
  static Result<Global> create(Store& store, const GlobalType& type, const Val& value);
  GlobalType type() const;
  Val get() const;
  Result<void> set(const Val& value) const;
};

class WATTLE_API Tag {
  WATTLE_HANDLE(Tag)
 public:
  static Tag create(Store& store, const FuncType& type);  // empty: an impossible type, or no memory
  FuncType type() const;
};

// An exception that a guest threw, or that a host function is about to.
class WATTLE_API Exception {
  WATTLE_HANDLE(Exception)
 public:
  static Result<Exception> create(Store& store, const Tag& tag, std::span<const Val> values);
  // What came out of a call: of an error of kind Exception.
  static std::optional<Exception> from(const Error& error);
  static std::optional<Exception> fromRef(Store& store, const Val& value);  // of an exnref
  Tag tag() const;
  std::vector<Val> values() const;
  Val ref() const;  // as an exnref; valid while this handle or the guest holds it
  // The error that a host callback returns to throw it in the guest. (Returning the error that a call came back with
  // does the same.)
  Error error() const;
};

class WATTLE_API Instance {
  WATTLE_HANDLE(Instance)
 public:
  // Imports in the module's order.
  static Result<Instance> create(Store& store, const Module& module, std::span<const Extern> imports);
  // Whose function the frame of a backtrace was.
  static std::optional<Instance> from(const Frame& frame);
  Module module() const;
  std::optional<Extern> get(std::string_view name) const;
  std::vector<std::pair<std::string, Extern>> exports() const;
  std::optional<Func> func(std::string_view name) const;
  // With C++ types: instance.func<int(int, double)>("f"). Errors: Link, if there is none; Argument, if its type is
  // another.
  template <class Signature>
  Result<TypedFunc<Signature>> func(std::string_view name) const;
  std::optional<Memory> memory(std::string_view name) const;
  std::optional<Table> table(std::string_view name) const;
  std::optional<Global> global(std::string_view name) const;
};

// Names to externs. Host functions given by name and callback are made anew in each store they are linked into. Where
// there was no memory for a definition, instantiate() says so.
class WATTLE_API Linker {
 public:
  explicit Linker(const Engine& engine);
  static Result<Linker> create(const Engine& engine) noexcept;
  Linker(Linker&&) noexcept;
  Linker& operator=(Linker&&) noexcept;
  ~Linker();
  // Later definitions of a name replace earlier ones.
  void define(std::string_view module, std::string_view name, Extern value) noexcept;
  void defineFunc(std::string_view module, std::string_view name, FuncType type, HostCallback callback) noexcept;
  // From any callable, see typed.hpp.
  template <class F>
  void func(std::string_view module, std::string_view name, F&& callable);
  // All exports of an instance under one module name.
  void defineInstance(std::string_view module, const Instance& instance) noexcept;
  // The error names every import that is missing or has the wrong type, with its type.
  Result<Instance> instantiate(Store& store, const Module& module) const;
  std::optional<Extern> get(Store& store, std::string_view module, std::string_view name) const;

 private:
  struct Impl;
  friend struct LinkerAccess;
  std::unique_ptr<Impl> impl_;
};

// For hosts with Config::installSignalHandlers off.
WATTLE_API bool handleSignal(int signal, void* siginfo, void* ucontext);

WATTLE_API std::string_view version();

}  // namespace wattle

#include "wattle/memory_view.hpp"  // IWYU pragma: export
#include "wattle/typed.hpp"        // IWYU pragma: export
