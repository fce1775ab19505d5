// Hello: the host calls the guest, the guest calls the host.
#include <cstdio>

#include "must.hpp"

using namespace wattle;

constexpr const char* kHello = R"((module
  (import "host" "print" (func $print (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "Hello from a module!")
  (func (export "hello") (call $print (i32.const 16) (i32.const 20)))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))))";

int main() {
  Engine engine;                                           // compiles; one for the whole program
  Module module = must(Module::fromText(engine, kHello));  // code; may be instantiated any number of times

  Linker linker(engine);
  linker.func("host", "print", [](Caller caller, uint32_t at, uint32_t length) -> Result<void> {
    auto text = caller.memory()->view().string(at, length);
    if (!text) return std::unexpected(text.error());  // beyond the memory's end: the guest traps
    std::printf("%s\n", text->c_str());
    return {};
  });

  Store store(engine);  // where instances live, and end with it
  Instance instance = must(linker.instantiate(store, module));

  auto hello = must(instance.func<void()>("hello"));  // the signature is checked here, once
  auto add = must(instance.func<int(int, int)>("add"));
  must(hello());
  std::printf("2 + 40 = %d\n", must(add(2, 40)));
}
