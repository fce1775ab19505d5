// Functions of the host: any callable, with the types taken from it. What they may take, return, keep and refuse.
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "must.hpp"

using namespace wattle;

constexpr const char* kGuest = R"((module
  (import "math" "power" (func $power (param f64 f64) (result f64)))
  (import "math" "divmod" (func $divmod (param i32 i32) (result i32 i32)))
  (import "journal" "note" (func $note (param i32 i32)))
  (import "list" "new" (func $new (result externref)))
  (import "list" "push" (func $push (param externref i32)))
  (import "list" "each" (func $each (param externref funcref)))
  (memory (export "memory") 1)
  (data (i32.const 0) "dividingsquaring")
  (global $sum (export "sum") (mut i32) (i32.const 0))
  (func $add (param i32) (global.set $sum (i32.add (global.get $sum) (local.get 0))))
  (elem declare func $add)

  (func (export "numbers") (param i32 i32) (result i32 i32 f64)
    (call $note (i32.const 0) (i32.const 8))
    (call $divmod (local.get 0) (local.get 1))
    (call $note (i32.const 8) (i32.const 8))
    (call $power (f64.convert_i32_s (local.get 0)) (f64.const 2)))
  (func (export "objects") (local $list externref)
    (local.set $list (call $new))
    (call $push (local.get $list) (i32.const 30))
    (call $push (local.get $list) (i32.const 12))
    (call $each (local.get $list) (ref.func $add)))
  (func (export "careless") (call $note (i32.const 65530) (i32.const 8)))))";

// What this host keeps for each store.
struct Journal {
  std::vector<std::string> notes;
};

// An object of the host that guests hold by reference. It lives as long as anyone does.
using List = std::vector<int>;

Result<std::shared_ptr<List>> listOf(Caller caller, const ExternRef& reference) {
  auto value = caller.store().externValue(reference.value());
  if (!value) return std::unexpected(value.error());
  return std::static_pointer_cast<List>(*value);
}

void define(Linker& linker) {
  // A function as it is.
  linker.func("math", "power", [](double x, double y) { return std::pow(x, y); });

  // Several results; and an error, which ends the guest's call.
  linker.func("math", "divmod", [](int a, int b) -> Result<std::tuple<int, int>> {
    if (b == 0) return std::unexpected(Error::make(ErrorKind::Trap, "divmod by zero"));
    return std::tuple(a / b, a % b);
  });

  // The caller's memory, and the store's data.
  linker.func("journal", "note", [](Caller caller, uint32_t at, uint32_t length) -> Result<void> {
    auto text = caller.memory()->view().string(at, length);
    if (!text) return std::unexpected(text.error());
    caller.data<Journal>()->notes.push_back(*text);
    return {};
  });

  // Objects, and a function of the guest to call back.
  linker.func("list", "new",
              [](Caller caller) { return ExternRef(caller.store().externref(std::make_shared<List>())); });
  linker.func("list", "push", [](Caller caller, ExternRef reference, int value) -> Result<void> {
    auto list = listOf(caller, reference);
    if (!list) return std::unexpected(list.error());
    (*list)->push_back(value);
    return {};
  });
  linker.func("list", "each", [](Caller caller, ExternRef reference, Func function) -> Result<void> {
    auto list = listOf(caller, reference);
    auto call = function.typed<void(int)>();
    if (!list || !call) return std::unexpected(list ? call.error() : list.error());
    for (int value : **list) {
      if (auto done = (*call)(value); !done) return done;
    }
    return {};
  });
}

int main() {
  Engine engine;
  Linker linker(engine);
  define(linker);
  Module module = must(Module::fromText(engine, kGuest));
  Store store(engine);
  Journal& journal = store.emplaceData<Journal>();
  Instance instance = must(linker.instantiate(store, module));

  auto numbers = must(instance.func<std::tuple<int, int, double>(int, int)>("numbers"));
  auto [quotient, remainder, square] = must(numbers(17, 5));
  std::printf("17 / 5 = %d, remainder %d; 17 squared = %g\n", quotient, remainder, square);

  must(must(instance.func<void()>("objects"))());
  std::printf("sum of the list: %d\n", instance.global("sum")->get().i32());

  for (const std::string& note : journal.notes) std::printf("note: %s\n", note.c_str());

  // Errors of host functions come out of the outermost call, and the guest can be called again.
  std::printf("error: %s\n", numbers(1, 0).error().message.c_str());
  std::printf("error: %s\n", must(instance.func<void()>("careless"))().error().message.c_str());
  std::printf("again: %d\n", std::get<0>(must(numbers(84, 2))));
}
