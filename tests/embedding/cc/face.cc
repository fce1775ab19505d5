// wasm.hh: every class, from C++11 on.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "wasm.hh"
#include "wattle.h"

namespace {

int failures = 0;

#define CHECK(condition)                                                           \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                                  \
    }                                                                              \
  } while (0)
#define REQUIRE(condition)      \
  do {                          \
    CHECK(condition);           \
    if (failures) std::exit(1); \
  } while (0)

wasm::vec<byte_t> wat(const std::string& text) {
  wasm_byte_vec_t bytes;
  wattle_error_t* error = wattle_wat2wasm(text.data(), text.size(), &bytes);
  REQUIRE(!error);
  auto out = wasm::vec<byte_t>::make(std::string(bytes.data, bytes.size));
  wasm_byte_vec_delete(&bytes);
  return out;
}

std::string text(const wasm::vec<byte_t>& bytes) { return std::string(bytes.get(), bytes.size()); }

void vectors() {
  auto empty = wasm::vec<int>::make();
  CHECK(empty && empty.size() == 0 && empty.get() == nullptr);
  auto invalid = wasm::vec<int>::invalid();
  CHECK(!invalid);
  auto three = wasm::vec<int>::make(1, 2, 3);
  CHECK(three.size() == 3 && three[2] == 3);
  auto copy = three.copy();
  three[2] = 4;
  CHECK(copy[2] == 3);
  auto moved = std::move(three);
  CHECK(!three && moved.size() == 3 && moved[2] == 4);
  copy.reset(moved);
  CHECK(copy[2] == 4 && !moved);
  auto adopted = wasm::vec<int>::adopt(2, new int[2]{7, 8});
  CHECK(adopted[1] == 8);
  delete[] adopted.release();
  CHECK(!adopted);
  auto room = wasm::vec<wasm::Val>::make_uninitialized(2);
  CHECK(room.size() == 2 && room[0].kind() == wasm::ValKind::EXTERNREF && room[0].ref() == nullptr);
  CHECK(text(wasm::Name::make(std::string("abc"))) == "abc");
  CHECK(wasm::Message::make_nt(std::string("abc")).size() == 4);

  auto types = wasm::ownvec<wasm::ValType>::make(wasm::ValType::make(wasm::ValKind::I32),
                                                 wasm::ValType::make(wasm::ValKind::FUNCREF));
  auto deep = types.deep_copy();
  types.reset();
  CHECK(deep[0]->kind() == wasm::ValKind::I32 && deep[1]->is_ref());
}

void types() {
  auto func = wasm::FuncType::make(wasm::ownvec<wasm::ValType>::make(wasm::ValType::make(wasm::ValKind::I32),
                                                                     wasm::ValType::make(wasm::ValKind::F64)),
                                   wasm::ownvec<wasm::ValType>::make(wasm::ValType::make(wasm::ValKind::I64)));
  CHECK(func->params().size() == 2 && func->params()[1]->kind() == wasm::ValKind::F64);
  CHECK(func->results().size() == 1 && func->results()[0]->kind() == wasm::ValKind::I64);
  wasm::own<wasm::ExternType> external = func->copy();
  CHECK(external->kind() == wasm::ExternKind::FUNC && external->func() && !external->table() && !external->tag());
  CHECK(external->copy()->func()->params().size() == 2);

  auto global = wasm::GlobalType::make(wasm::ValType::make(wasm::ValKind::F32), wasm::Mutability::VAR);
  CHECK(global->copy()->content()->kind() == wasm::ValKind::F32 && global->mutability() == wasm::Mutability::VAR);
  auto table = wasm::TableType::make(wasm::ValType::make(wasm::ValKind::EXTERNREF), wasm::Limits(1, 5));
  CHECK(table->copy()->element()->is_ref() && table->limits().min == 1 && table->limits().max == 5);
  auto memory = wasm::MemoryType::make(wasm::Limits(3));
  CHECK(memory->copy()->limits().min == 3 && memory->limits().max == 0xffffffff);
  auto tag = wasm::TagType::make(wasm::FuncType::make());
  CHECK(tag->copy()->functype()->params().size() == 0 && tag->kind() == wasm::ExternKind::TAG);

  auto import =
      wasm::ImportType::make(wasm::Name::make(std::string("m")), wasm::Name::make(std::string("n")), memory->copy());
  CHECK(text(import->module()) == "m" && text(import->copy()->name()) == "n");
  CHECK(import->type()->memory()->limits().min == 3);
  auto exported = wasm::ExportType::make(wasm::Name::make(std::string("out")), global->copy());
  CHECK(text(exported->copy()->name()) == "out" && exported->type()->kind() == wasm::ExternKind::GLOBAL);
}

int finalized = 0;
void finalize(void* data) { finalized += *static_cast<int*>(data); }

auto twice(const wasm::vec<wasm::Val>& args, wasm::vec<wasm::Val>& results) -> wasm::own<wasm::Trap> {
  results[0] = wasm::Val::i32(args[0].i32() * 2);
  return nullptr;
}

struct Env {
  wasm::Store* store;
  int calls;
};

auto withEnv(void* data, const wasm::vec<wasm::Val>& args, wasm::vec<wasm::Val>& results) -> wasm::own<wasm::Trap> {
  auto env = static_cast<Env*>(data);
  ++env->calls;
  results[0] = args[0].copy();
  if (args[0].ref()) return nullptr;
  return wasm::Trap::make(env->store, wasm::Message::make_nt(std::string("no reference")));
}

const char* const kText =
    "(module $face"
    "  (import \"host\" \"twice\" (func $twice (param i32) (result i32)))"
    "  (import \"host\" \"pass\" (func $pass (param externref) (result externref)))"
    "  (func (export \"four\") (param i32) (result i32) (call $twice (call $twice (local.get 0))))"
    "  (func (export \"pass\") (param externref) (result externref) (call $pass (local.get 0)))"
    "  (global (export \"g\") (mut f64) (f64.const 1))"
    "  (table (export \"t\") 2 5 funcref)"
    "  (memory (export \"m\") 1 3)"
    "  (data (i32.const 0) \"data\"))";

void objects(wasm::Engine* engine) {
  auto storeOwner = wasm::Store::make(engine);
  auto store = storeOwner.get();
  auto binary = wat(kText);
  CHECK(wasm::Module::validate(store, binary));
  auto module = wasm::Module::make(store, binary);
  REQUIRE(module);
  CHECK(!wasm::Module::make(store, wasm::vec<byte_t>::make(std::string("no module"))));
  auto imports = module->imports();
  CHECK(imports.size() == 2 && text(imports[1]->name()) == "pass" && imports[1]->type()->func()->params().size() == 1);
  auto exportTypes = module->exports();
  CHECK(exportTypes.size() == 5 && text(exportTypes[4]->name()) == "m");

  auto i32 = [] { return wasm::ownvec<wasm::ValType>::make(wasm::ValType::make(wasm::ValKind::I32)); };
  auto ref = [] { return wasm::ownvec<wasm::ValType>::make(wasm::ValType::make(wasm::ValKind::EXTERNREF)); };
  auto first = wasm::Func::make(store, wasm::FuncType::make(i32(), i32()).get(), twice);
  Env env = {store, 0};
  auto second = wasm::Func::make(store, wasm::FuncType::make(ref(), ref()).get(), withEnv, &env, nullptr);
  auto given = wasm::vec<wasm::Extern*>::make(first.get(), second.get());
  wasm::own<wasm::Trap> trap;
  auto instance = wasm::Instance::make(store, module.get(), given, &trap);
  REQUIRE(instance && !trap);
  auto exports = instance->exports();
  REQUIRE(exports.size() == 5);

  auto four = exports[0]->func();
  CHECK(four && !exports[0]->memory() && four->param_arity() == 1 && four->result_arity() == 1);
  auto args = wasm::vec<wasm::Val>::make(wasm::Val::i32(5));
  auto results = wasm::vec<wasm::Val>::make_uninitialized(1);
  CHECK(!four->call(args, results) && results[0].kind() == wasm::ValKind::I32 && results[0].get<int32_t>() == 20);

  // References go through guest and host; a null one is this host's trap.
  auto foreign = wasm::Foreign::make(store);
  auto pass = exports[1]->func();
  args[0] = wasm::Val::ref(foreign->copy());
  CHECK(!pass->call(args, results) && results[0].ref()->same(foreign.get()) && env.calls == 1);
  CHECK(!pass->call(args, results) && results[0].release_ref()->same(foreign.get()));
  args[0].reset();
  trap = pass->call(args, results);
  REQUIRE(trap);
  CHECK(text(trap->message()) == std::string("no reference") + '\0');
  auto trace = trap->trace();
  CHECK(trace.size() == 1 && trace[0]->func_index() == 3 && trace[0]->instance()->same(instance.get()));
  CHECK(trap->origin()->module_offset() == trace[0]->copy()->module_offset() && trace[0]->func_offset() > 0);
  CHECK(trap->copy()->same(trap.get()));

  auto global = exports[2]->global();
  CHECK(global->get().f64() == 1);
  global->set(wasm::Val::f64(2.5));
  CHECK(global->get().get<float64_t>() == 2.5 && global->type()->mutability() == wasm::Mutability::VAR);
  auto own = wasm::Global::make(store, global->type().get(), wasm::Val(3.5));
  CHECK(own->get().f64() == 3.5 && !own->same(global));

  auto table = exports[3]->table();
  CHECK(table->size() == 2 && !table->get(0) && table->set(1, four) && table->get(1)->same(four));
  CHECK(!table->set(2, four) && table->grow(3, four) && table->size() == 5 && !table->grow(1) &&
        table->get(4)->same(four));
  CHECK(table->type()->limits().max == 5);

  auto memory = exports[4]->memory();
  CHECK(memory->size() == 1 && memory->data_size() == wasm::Memory::page_size &&
        std::string(memory->data(), 4) == "data");
  CHECK(memory->grow(2) && memory->size() == 3 && !memory->grow(1));
  auto madeMemory = wasm::Memory::make(store, wasm::MemoryType::make(wasm::Limits(1, 1)).get());
  auto madeTable =
      wasm::Table::make(store, wasm::TableType::make(wasm::ValType::make(wasm::ValKind::FUNCREF), 1).get());
  CHECK(madeMemory->data_size() == 65536 && madeTable->size() == 1);
  CHECK(exports[4]->type()->kind() == wasm::ExternKind::MEMORY && exports[4]->copy()->same(memory));

  // Missing imports.
  CHECK(!wasm::Instance::make(store, module.get(), wasm::vec<wasm::Extern*>::make(first.get()), &trap));
  CHECK(trap && text(trap->message()).find("unknown import for host.pass") != std::string::npos);
  CHECK(!wasm::Instance::make(store, module.get(), wasm::vec<wasm::Extern*>::make()));

  static int one = 1, ten = 10;
  foreign->set_host_info(&one, finalize);
  instance->set_host_info(&ten, finalize);
  CHECK(foreign->copy()->get_host_info() == &one && instance->copy()->get_host_info() == &ten);
  foreign.reset();
  CHECK(finalized <= 1);  // the guest's frames may still have been holding it
  exports.reset();
  instance.reset();
  trap.reset();
  trace.reset();
  first.reset();
  second.reset();
  own.reset();
  madeMemory.reset();
  madeTable.reset();
  storeOwner.reset();
  CHECK(finalized == 11);
}

auto sumOfArray(const wasm::Val args[], wasm::Val results[]) -> wasm::own<wasm::Trap> {
  results[0] = wasm::Val::i32(args[0].i32() + args[1].i32());
  return nullptr;
}

// The spelling of earlier versions of the standard.
void earlier(wasm::Engine* engine) {
  auto store = wasm::Store::make(engine);
  auto type = wasm::FuncType::make(
      wasm::ownvec<wasm::ValType>::make(wasm::ValType::make(wasm::I32), wasm::ValType::make(wasm::I32)),
      wasm::ownvec<wasm::ValType>::make(wasm::ValType::make(wasm::I32)));
  auto func = wasm::Func::make(store.get(), type.get(), sumOfArray);
  wasm::Value args[2] = {wasm::Val::i32(1), wasm::Value(2)}, results[1];
  CHECK(wasm::ValueType::make(wasm::ValueKind::I32)->kind() == wasm::I32);
  CHECK(!func->call(args, results) && results[0].i32() == 3 && func->kind() == wasm::EXTERN_FUNC);
  auto module =
      wasm::Module::make(store.get(), wat("(module (import \"\" \"f\" (func (param i32 i32) (result i32))))"));
  const wasm::Extern* imports[] = {func.get()};
  CHECK(wasm::Instance::make(store.get(), module.get(), imports));
  auto owning = wasm::ownvec<wasm::Extern>::make(imports[0]->copy());
  CHECK(wasm::Instance::make(store.get(), module.get(), owning) && owning[0]);
  wasm::own<wasm::Trap> trap;
  CHECK(!wasm::Instance::make(store.get(), module.get(), nullptr, &trap) && trap);
  auto fail = wasm::Func::make(
      store.get(), wasm::FuncType::make().get(),
      [](void* data, const wasm::Val[], wasm::Val[]) -> wasm::own<wasm::Trap> {
        return wasm::Trap::make(static_cast<wasm::Store*>(data), wasm::Message::make_nt(std::string("failed")));
      },
      store.get());
  CHECK(text(fail->call()->message()) == std::string("failed") + '\0');
}

void sharing(wasm::Engine* engine) {
  auto store = wasm::Store::make(engine);
  auto module = wasm::Module::make(store.get(), wat("(module (func (export \"f\") (result i32) (i32.const 3)))"));
  auto serialized = module->serialize();
  REQUIRE(serialized);
  CHECK(wasm::Module::deserialize(store.get(), serialized)->exports().size() == 1);
  auto shared = module->share();
  module.reset();
  auto other = wasm::Store::make(engine);
  auto obtained = wasm::Module::obtain(other.get(), shared.get());
  auto instance = wasm::Instance::make(other.get(), obtained.get(), wasm::vec<wasm::Extern*>::make());
  auto results = wasm::vec<wasm::Val>::make_uninitialized(1);
  CHECK(!instance->exports()[0]->func()->call(wasm::vec<wasm::Val>::make(), results) && results[0].i32() == 3);
}

}  // namespace

int main() {
  vectors();
  types();
  auto engine = wasm::Engine::make();
  objects(engine.get());
  sharing(engine.get());
  earlier(engine.get());
  engine = wasm::Engine::make(wasm::Config::make());
  CHECK(engine);
  if (failures) std::fprintf(stderr, "%d failed\n", failures);
  return failures ? 1 : 0;
}
