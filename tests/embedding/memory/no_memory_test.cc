// Every allocation fails once: whatever is done then ends with an error or does without, and everything goes on
// afterwards.
//
// This binary replaces operator new, malloc and realloc, on all threads. A scenario runs again and again, each time with a later allocation failing (that
// one only, or all from that one on), until it runs to its end without having met the failure. It says whether it got
// to its result; it throws nothing.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>

#include "tests/unit/vm/vm_test.h"
#include "wasm.h"
#include "wattle.h"
#include "wattle/async.hpp"

namespace {

enum class Fail : uint8_t { Never, Once, FromThenOn };

std::atomic<Fail> mode = Fail::Never;
std::atomic<int64_t> remaining = 0;
std::atomic<bool> hasFailed = false;

bool fails() {
  const Fail now = mode;
  if (now == Fail::Never) return false;
  const int64_t left = remaining.fetch_sub(1);
  if (left > 0 || (left < 0 && now == Fail::Once)) return false;
  hasFailed = true;
  return true;
}

extern "C" void* __real_malloc(std::size_t size);
extern "C" void* __real_realloc(void* at, std::size_t size);

void* allocate(std::size_t size, std::size_t alignment) {
  if (fails()) return nullptr;
  if (size == 0) size = 1;
  return alignment ? std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)
                   : __real_malloc(size);
}

void* allocateOrThrow(std::size_t size, std::size_t alignment) {
  if (void* at = allocate(size, alignment)) return at;
  throw std::bad_alloc();
}

}  // namespace

// By the linker's --wrap, in all that is linked in.
extern "C" void* __wrap_malloc(std::size_t size) { return fails() ? nullptr : __real_malloc(size); }
extern "C" void* __wrap_realloc(void* at, std::size_t size) { return fails() ? nullptr : __real_realloc(at, size); }

void* operator new(std::size_t size) { return allocateOrThrow(size, 0); }
void* operator new[](std::size_t size) { return allocateOrThrow(size, 0); }
void* operator new(std::size_t size, std::align_val_t a) { return allocateOrThrow(size, static_cast<std::size_t>(a)); }
void* operator new[](std::size_t size, std::align_val_t a) {
  return allocateOrThrow(size, static_cast<std::size_t>(a));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, 0); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, 0); }
void operator delete(void* at) noexcept { std::free(at); }
void operator delete[](void* at) noexcept { std::free(at); }
void operator delete(void* at, std::size_t) noexcept { std::free(at); }
void operator delete[](void* at, std::size_t) noexcept { std::free(at); }
void operator delete(void* at, std::align_val_t) noexcept { std::free(at); }
void operator delete[](void* at, std::align_val_t) noexcept { std::free(at); }
void operator delete(void* at, std::size_t, std::align_val_t) noexcept { std::free(at); }
void operator delete[](void* at, std::size_t, std::align_val_t) noexcept { std::free(at); }
void operator delete(void* at, const std::nothrow_t&) noexcept { std::free(at); }
void operator delete[](void* at, const std::nothrow_t&) noexcept { std::free(at); }

namespace wattle::testing {
namespace {

// How a scenario ended.
enum class End : uint8_t { Right, NoMemory, Wrong };

End endOf(const Error& error) {
  const bool says = error.kind == ErrorKind::Resource || error.trap == TrapCode::AllocationFailed ||
                    error.trap == TrapCode::OutOfMemory;
  return says ? End::NoMemory : End::Wrong;
}

// `prepare` makes what `run` works on; nothing fails meanwhile, nor in what prepare's result does when it goes. Of the
// allocations after the first `every` ones fewer and fewer are tried.
template <class Prepare, class Run>
void sweep(Prepare&& prepare, Run&& run, int64_t every = INT64_MAX) {
  for (Fail how : {Fail::Once, Fail::FromThenOn}) {
    uint64_t failures = 0;
    for (int64_t at = 0;; at += 1 + at / every) {
      auto prepared = prepare();
      hasFailed = false;
      remaining = at;
      mode = how;
      End end = End::Wrong;
      bool threw = false;
      try {
        end = run(prepared);
      } catch (...) {
        threw = true;
      }
      mode = Fail::Never;
      ASSERT_FALSE(threw) << "an exception got out, allocation " << at;
      ASSERT_NE(end, End::Wrong) << "allocation " << at;
      if (!hasFailed) {
        ASSERT_EQ(end, End::Right);
        break;
      }
      if (end == End::NoMemory) ++failures;
      ASSERT_EQ(run(prepared), End::Right) << "once there is memory again, allocation " << at;
    }
    EXPECT_GT(failures, 0u) << "nothing was allocated";
  }
}

// --- C++ -----------------------------------------------------------------------------------------------------------

constexpr const char* kModule = R"((module
  (type $pair (struct (field (ref null $pair)) (field i32)))
  (import "host" "twice" (func $twice (param i32) (result i32)))
  (import "host" "same" (func $same (param externref) (result externref)))
  (memory (export "m") 1 4) (table (export "t") 2 8 funcref) (global (export "g") (mut i32) (i32.const 1))
  (tag $e (export "e") (param i32))
  (data (i32.const 0) "some bytes") (elem (i32.const 0) func $f)
  (func $f (export "f") (param i32) (result i32) (call $twice (local.get 0)))
  (func (export "pass") (param externref) (result externref) (call $same (local.get 0)))
  (func (export "throw") (throw $e (i32.const 5)))
  (func (export "pairs") (param $n i32) (result i32) (local $list (ref null $pair)) (local $sum i32)
    (loop $make
      (local.set $list (struct.new $pair (local.get $list) (local.get $n)))
      (br_if $make (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (loop $add
      (local.set $sum (i32.add (local.get $sum) (struct.get $pair 1 (local.get $list))))
      (br_if $add (i32.eqz (ref.is_null (local.tee $list (struct.get $pair 0 (local.get $list)))))))
    (local.get $sum))))";

int32_t twice(int32_t x) { return 2 * x; }

struct Prepared : World {
  std::vector<uint8_t> binary = *wat2wasm(kModule);
  FuncType sameType{{ValType::externref()}, {ValType::externref()}};
  FuncType tagType{{ValType::i64(), ValType::i32()}, {}};
  explicit Prepared(const StoreLimits& limits = {}) { store = Store(engine, limits); }
};

End compileLinkCall(Prepared& w) {
  auto module = Module::compile(w.engine, w.binary);
  if (!module) return endOf(module.error());
  Func f = Func::wrap(w.store, twice);
  Func same = Func::host(w.store, w.sameType, [](Caller&, auto args, auto results) -> Result<void> {
    results[0] = args[0];
    return {};
  });
  if (!f.impl() || !same.impl()) return End::NoMemory;
  const Extern imports[] = {f, same};
  auto instance = Instance::create(w.store, *module, imports);
  if (!instance) return endOf(instance.error());
  auto function = instance->func("f");
  const Val args[] = {21};
  auto results = function->call(args);
  if (!results) return endOf(results.error());
  return (*results)[0].i32() == 42 ? End::Right : End::Wrong;
}

TEST(NoMemory, CompileLinkCall) {
  sweep([] { return std::make_unique<Prepared>(); }, [](auto& w) { return compileLinkCall(*w); });
}

// From nothing: each of the four says that there is no memory for it.
TEST(NoMemory, EngineStoreAndLinker) {
  auto run = [](const std::vector<uint8_t>& binary) {
    auto engine = Engine::create();
    if (!engine) return endOf(engine.error());
    auto store = Store::create(*engine);
    if (!store) return endOf(store.error());
    auto linker = Linker::create(*engine);
    if (!linker) return endOf(linker.error());
    linker->func("host", "twice", twice);
    linker->func("host", "same", [](ExternRef value) { return value; });
    auto module = Module::compile(*engine, binary);
    if (!module) return endOf(module.error());
    auto instance = linker->instantiate(*store, *module);
    if (!instance) return endOf(instance.error());
    auto again = Linker::create(*engine);
    if (!again) return endOf(again.error());
    again->defineInstance("lib", *instance);
    again->define("host", "twice", *instance->func("f"));
    again->func("host", "same", [](ExternRef value) { return value; });
    auto second = again->instantiate(*store, *module);
    if (!second) return endOf(second.error());
    const Val args[] = {21};
    auto results = second->func("f")->call(args);
    if (!results) return endOf(results.error());
    return (*results)[0].i32() == 42 ? End::Right : End::Wrong;
  };
  sweep([] { return *wat2wasm(kModule); }, run, 60);
}

// Enough functions for the worker threads, which run out of memory as well.
TEST(NoMemory, CompileOnManyThreads) {
  std::string text = "(module (memory 1)";
  for (int f = 0; f < 200; ++f) {
    text += "(func (export \"f" + std::to_string(f) + "\") (param i32) (result i32) (local.get 0)";
    for (int k = 0; k < 60; ++k) text += "(i32.xor (i32.load offset=" + std::to_string(4 * k) + " (local.get 0)))";
    text += ")";
  }
  const std::vector<uint8_t> binary = *wat2wasm(text + ")");
  struct World {
    Engine engine;
    Store store{engine};
    explicit World(bool lazy)
        : engine([&] {
            Config config;
            config.lazy = lazy;
            config.compileThreads = 4;
            return config;
          }()) {}
  };
  for (bool lazy : {false, true}) {
    auto run = [&](auto& w) {
      auto module = Module::compile(w->engine, binary);
      if (!module) return endOf(module.error());
      auto instance = Instance::create(w->store, *module, {});
      if (!instance) return endOf(instance.error());
      auto function = instance->func("f199");
      const Val args[] = {0};
      auto results = function->call(args);
      if (!results) return endOf(results.error());
      return (*results)[0].i32() == 0 ? End::Right : End::Wrong;
    };
    sweep([&] { return std::make_unique<World>(lazy); }, run, 20);
  }
}

struct WithInstance : Prepared {
  using Prepared::Prepared;
  Instance instance = make();
  Instance make() {
    Func same = Func::wrap(store, [](ExternRef value) { return value; });
    return instantiate(kModule, {Func::wrap(store, twice), same});
  }
};

End makeObjects(WithInstance& w) {
  Tag tag = Tag::create(w.store, w.tagType);
  if (!tag.impl()) return End::NoMemory;
  auto memory = Memory::create(w.store, {1, 2});
  if (!memory) return endOf(memory.error());
  auto table = Table::create(w.store, {ValType::funcref(), 1, 2}, Val::null(ValType::funcref()));
  if (!table) return endOf(table.error());
  auto global = Global::create(w.store, {ValType::i32(), true}, Val(1));
  if (!global) return endOf(global.error());
  const Val values[] = {int64_t{1}, 2};
  auto exception = Exception::create(w.store, tag, values);
  if (!exception) return endOf(exception.error());
  if (auto grown = memory->grow(1); !grown) return endOf(grown.error());
  if (auto grown = table->grow(1, Val::null(ValType::funcref())); !grown) return endOf(grown.error());
  return memory->pages() == 2 && table->size() == 2 ? End::Right : End::Wrong;
}

TEST(NoMemory, ObjectsOfAStore) {
  sweep([] { return std::make_unique<WithInstance>(); }, [](auto& w) { return makeObjects(*w); });
}

End throwAndTrap(WithInstance& w) {
  auto result = w.instance.func("throw")->call(std::span<const Val>{});
  if (result) return End::Wrong;
  if (result.error().kind != ErrorKind::Exception) return endOf(result.error());
  return Exception::from(result.error()) ? End::Right : End::Wrong;
}

TEST(NoMemory, AnUncaughtException) {
  sweep([] { return std::make_unique<WithInstance>(); }, [](auto& w) { return throwAndTrap(*w); });
}

TEST(NoMemory, TypedReferences) {
  struct World : WithInstance {
    std::shared_ptr<void> object = std::make_shared<int>(1);
  };
  sweep([] { return std::make_unique<World>(); },
        [](auto& w) {
          RootScope scope(w->store);
          auto pass = w->instance.template func<ExternRef(ExternRef)>("pass");
          if (!pass) return endOf(pass.error());
          Val value = w->store.externref(w->object);
          if (value.isNull()) return End::NoMemory;
          auto result = (*pass)(ExternRef(value));
          if (!result) return endOf(result.error());
          return result->value().ref() == value.ref() ? End::Right : End::Wrong;
        });
}

// Marking needs memory for what is yet to be traced; the heap must come out of it whole.
TEST(NoMemory, CollectionsOfTheHeap) {
  constexpr int32_t kCount = 3000;
  auto run = [](auto& w) {
    const Val args[] = {kCount};
    auto sum = w->instance.func("pairs")->call(args);
    if (!sum) return endOf(sum.error());
    return (*sum)[0].i32() == kCount * (kCount + 1) / 2 ? End::Right : End::Wrong;
  };
  sweep([] { return std::make_unique<WithInstance>(StoreLimits{.gcStress = 100}); }, run);
}

// A tree is what makes the list of objects to be traced long.
TEST(NoMemory, CollectionsOfATree) {
  constexpr const char* kTree = R"((module
    (type $node (struct (field (ref null $node)) (field (ref null $node))))
    (type $wide (array (mut (ref null $node))))
    (func $count (param $n (ref null $node)) (result i32)
      (if (result i32) (ref.is_null (local.get $n)) (then (i32.const 0)) (else
        (i32.add (i32.const 1) (i32.add (call $count (struct.get $node 0 (local.get $n))) (call $count (struct.get $node 1 (local.get $n))))))))
    (func $make (param $depth i32) (result (ref null $node))
      (if (result (ref null $node)) (i32.eqz (local.get $depth)) (then (ref.null $node)) (else
        (struct.new $node (call $make (i32.sub (local.get $depth) (i32.const 1))) (call $make (i32.sub (local.get $depth) (i32.const 1)))))))
    (func (export "run") (param $n i32) (result i32) (local $wide (ref $wide)) (local $i i32) (local $sum i32)
      (local.set $wide (array.new_default $wide (local.get $n)))
      (loop $l
        (array.set $wide (local.get $wide) (local.get $i) (call $make (i32.const 3)))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
      (local.set $i (i32.const 0))
      (loop $l
        (local.set $sum (i32.add (local.get $sum) (call $count (array.get $wide (local.get $wide) (local.get $i)))))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
      (local.get $sum))))";
  struct Tree : World {
    Instance instance;
    Tree() {
      store = Store(engine, {.gcStress = 500});
      instance = instantiate(kTree);
    }
  };
  auto run = [](auto& w) {
    const Val args[] = {400};
    auto count = w->instance.func("run")->call(args);
    if (!count) return endOf(count.error());
    return (*count)[0].i32() == 2800 ? End::Right : End::Wrong;
  };
  sweep([] { return std::make_unique<Tree>(); }, run);
}

// The collector of a store's objects, in the midst of many.
TEST(NoMemory, CollectionOfAStore) {
  auto run = [](auto& w) {
    for (int i = 0; i < 20; ++i) {
      if (auto global = Global::create(w->store, {ValType::i32(), true}, Val(1)); !global) return endOf(global.error());
    }
    w->store.collect();
    const Val args[] = {10};
    auto sum = w->instance.func("pairs")->call(args);
    if (!sum) return endOf(sum.error());
    w->store.collect();
    auto results = w->instance.func("f")->call(args);
    if (!results) return endOf(results.error());
    return (*results)[0].i32() == 20 && (*sum)[0].i32() == 55 ? End::Right : End::Wrong;
  };
  sweep([] { return std::make_unique<WithInstance>(); }, run);
}

// --- asynchronous calls ---------------------------------------------------------------------------------------------

struct AsyncWorld : World {
  std::optional<Completion> waiting;
  Func get =
      hostAsync(store, {{ValType::i32()}, {ValType::i32()}}, [this](Caller&, auto, Completion done) -> Result<void> {
        waiting = std::move(done);
        return {};
      });
  Instance instance = instantiate(R"((module (import "" "get" (func $get (param i32) (result i32)))
    (func (export "run") (param i32) (result i32) (i32.add (call $get (local.get 0)) (call $get (local.get 0))))))",
                                  {get});
};

TEST(NoMemory, AsynchronousCalls) {
  auto run = [](auto& w) {
    w->waiting.reset();
    const Val args[] = {1};
    auto call = callAsync(*w->instance.func("run"), args);
    if (!call) return endOf(call.error());
    for (int i = 0; i < 2 && !call->isDone(); ++i) {
      std::vector<Val> results;
      const bool hasRoom = [&] {
        try {
          return results.push_back(Val(21)), true;
        } catch (const std::bad_alloc&) {
          return false;
        }
      }();
      Completion done = *w->waiting;
      auto went = hasRoom ? done.resume(std::move(results)) : done.fail(Error::make(ErrorKind::Resource, "no room"));
      if (!went) return endOf(went.error());
    }
    if (!call->isDone()) return End::Wrong;
    auto results = call->take();
    if (!results) return endOf(results.error());
    return (*results)[0].i32() == 42 ? End::Right : End::Wrong;
  };
  sweep([] { return std::make_unique<AsyncWorld>(); }, run);
}

// --- C -------------------------------------------------------------------------------------------------------------

struct CWorld {
  wasm_engine_t* engine = wasm_engine_new();
  wasm_store_t* store = wasm_store_new(engine);
  wasm_byte_vec_t binary;
  int finalized = 0;
  CWorld() {
    constexpr const char* kText = R"((module
      (import "host" "f" (func $f (param i32 externref) (result externref i32)))
      (memory (export "m") 1) (table (export "t") 1 externref) (global (export "g") (mut i64) (i64.const 1))
      (func (export "run") (param i32 externref) (result externref i32) (call $f (local.get 0) (local.get 1)))
      (func (export "trap") unreachable)))";
    wattle_wat2wasm(kText, strlen(kText), &binary);
  }
  ~CWorld() {
    wasm_byte_vec_delete(&binary);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
  }
};

// Deletes C's objects when the scenario ends, wherever that is.
class Owned {
 public:
  Owned() = default;
  Owned(const Owned&) = delete;
  ~Owned() {
    for (; count_ > 0; --count_) actions_[count_ - 1].remove(actions_[count_ - 1].object);
  }
  template <auto kDelete, class T>
  T* operator()(std::integral_constant<decltype(kDelete), kDelete>, T* object) {
    actions_[count_++] = {object, [](void* o) { kDelete(static_cast<T*>(o)); }};
    return object;
  }

 private:
  struct Action {
    void* object;
    void (*remove)(void*);
  };
  Action actions_[64];
  size_t count_ = 0;
};
template <auto kDelete>
constexpr std::integral_constant<decltype(kDelete), kDelete> with{};

wasm_trap_t* swap(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  wasm_val_copy(&results->data[0], &args->data[1]);
  results->data[1] = args->data[0];
  if (args->data[1].of.ref && !results->data[0].of.ref) return wasm_trap_new(nullptr, nullptr);
  (void)env;
  return nullptr;
}
void countUp(void* env) { ++*static_cast<int*>(env); }

End endOfTrap(wasm_trap_t* trap) {
  Owned own;
  own(with<wasm_trap_delete>, trap);
  wattle_error_t* error = own(with<wattle_error_delete>, wattle_trap_error(trap));
  if (wattle_error_kind(error) == WATTLE_ERROR_RESOURCE) return End::NoMemory;
  // What the callback above returned.
  return wattle_error_trap_code(error) == WATTLE_TRAP_HOST_ERROR && hasFailed ? End::NoMemory : End::Wrong;
}

#define NEEDED(name, remove, expression)      \
  auto* name = own(with<remove>, expression); \
  if (!name) return End::NoMemory

wasm_functype_t* functionType() {
  wasm_valtype_t* ps[] = {wasm_valtype_new(WASM_I32), wasm_valtype_new(WASM_EXTERNREF)};
  wasm_valtype_t* rs[] = {wasm_valtype_new(WASM_EXTERNREF), wasm_valtype_new(WASM_I32)};
  const bool isWhole = ps[0] && ps[1] && rs[0] && rs[1];
  wasm_valtype_vec_t params, results;
  wasm_valtype_vec_new(&params, 2, ps);
  wasm_valtype_vec_new(&results, 2, rs);
  wasm_functype_t* type = wasm_functype_new(&params, &results);
  if (isWhole) return type;
  wasm_functype_delete(type);
  return nullptr;
}

End callInC(CWorld& w, wasm_instance_t* instance) {
  Owned own;
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  if (exports.size == 0) return End::NoMemory;
  own(with<wasm_extern_vec_delete>, &exports);
  NEEDED(foreign, wasm_foreign_delete, wasm_foreign_new(w.store));
  wasm_foreign_set_host_info_with_finalizer(foreign, &w.finalized, countUp);
  wasm_val_t args[] = {WASM_I32_VAL(7), WASM_REF_VAL(wasm_foreign_as_ref(foreign))};
  wasm_val_t results[] = {WASM_INIT_VAL, WASM_INIT_VAL};
  wasm_val_vec_t in = WASM_ARRAY_VEC(args), out = WASM_ARRAY_VEC(results);
  wasm_trap_t* trap = wasm_func_call(wasm_extern_as_func(exports.data[3]), &in, &out);
  if (trap) return endOfTrap(trap);
  own(with<wasm_val_delete>, &results[0]);
  if (results[1].of.i32 != 7 || !wasm_ref_same(results[0].of.ref, args[1].of.ref)) return End::Wrong;
  NEEDED(copy, wasm_ref_delete, wasm_ref_copy(results[0].of.ref));
  if (!wasm_table_set(wasm_extern_as_table(exports.data[1]), 0, copy)) return End::NoMemory;

  wasm_val_vec_t none = WASM_EMPTY_VEC;
  trap = own(with<wasm_trap_delete>, wasm_func_call(wasm_extern_as_func(exports.data[4]), &none, &none));
  if (!trap) return End::Wrong;
  wattle_error_t* error = own(with<wattle_error_delete>, wattle_trap_error(trap));
  if (wattle_error_kind(error) == WATTLE_ERROR_RESOURCE) return End::NoMemory;
  if (wattle_error_trap_code(error) != WATTLE_TRAP_UNREACHABLE) return End::Wrong;
  wasm_frame_vec_t frames;
  wasm_trap_trace(trap, &frames);
  own(with<wasm_frame_vec_delete>, &frames);
  NEEDED(origin, wasm_frame_delete, wasm_trap_origin(trap));
  wasm_name_t name;
  wattle_frame_func_name(origin, &name);
  own(with<wasm_byte_vec_delete>, &name);
  return frames.size == 1 && name.size == 4 ? End::Right : End::NoMemory;
}

End runInC(CWorld& w) {
  Owned own;
  NEEDED(module, wasm_module_delete, wasm_module_new(w.store, &w.binary));
  NEEDED(type, wasm_functype_delete, functionType());
  NEEDED(copy, wasm_functype_delete, wasm_functype_copy(type));
  NEEDED(function, wasm_func_delete, wasm_func_new_with_env(w.store, copy, swap, &w.finalized, countUp));
  wasm_importtype_vec_t imports;
  wasm_module_imports(module, &imports);
  own(with<wasm_importtype_vec_delete>, &imports);
  wasm_exporttype_vec_t exports, exportsCopy;
  wasm_module_exports(module, &exports);
  own(with<wasm_exporttype_vec_delete>, &exports);
  wasm_exporttype_vec_copy(&exportsCopy, &exports);
  own(with<wasm_exporttype_vec_delete>, &exportsCopy);
  if (imports.size != 1 || exports.size != 5 || exportsCopy.size != 5) return End::NoMemory;
  if (!wasm_importtype_type(imports.data[0]) || wasm_exporttype_name(exportsCopy.data[3])->size != 3) return End::Wrong;

  wasm_extern_t* import[] = {wasm_func_as_extern(function)};
  wasm_extern_vec_t given = WASM_ARRAY_VEC(import);
  wasm_trap_t* trap = nullptr;
  wasm_instance_t* instance = own(with<wasm_instance_delete>, wasm_instance_new(w.store, module, &given, &trap));
  if (!instance) return trap ? endOfTrap(trap) : End::Wrong;
  return callInC(w, instance);
}

TEST(NoMemory, InC) {
  sweep([] { return std::make_unique<CWorld>(); }, [](auto& w) { return runInC(*w); });
}

// What cannot be made is finalized, so that each environment is finalized as often as it was given away.
TEST(NoMemory, FinalizersInC) {
  for (uint64_t at = 0;; ++at) {
    int finalized = 0;
    auto w = std::make_unique<CWorld>();
    wasm_functype_t* type = functionType();
    hasFailed = false;
    remaining = at;
    mode = Fail::Once;
    wasm_func_t* function = wasm_func_new_with_env(w->store, type, swap, &finalized, countUp);
    mode = Fail::Never;
    if (function) {
      EXPECT_EQ(finalized, 0) << at;
    }
    wasm_func_delete(function);
    wasm_functype_delete(type);
    w.reset();
    EXPECT_EQ(finalized, 1) << at;
    if (!hasFailed) break;
  }
}

}  // namespace
}  // namespace wattle::testing
