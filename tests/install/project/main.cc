// Uses something of each part of the library: text, code, a memory, an exception as an error, WASI.
#include <wattle/wasi.hpp>
#include <wattle/wattle.hpp>

#include <cstdio>
#include <memory>
#include <string>

constexpr std::string_view kProgram = R"((module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\06\00\00\00")
  (data (i32.const 16) "hello\n")
  (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12))))
  (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))))";

int main() {
  wattle::Engine engine;
  auto module = wattle::Module::fromText(engine, kProgram);
  if (!module) return std::puts(module.error().message.c_str()), 1;

  auto output = std::make_shared<std::string>();
  wattle::WasiConfig config;
  config.arg("hello").stdoutTo(output);
  auto wasi = wattle::WasiContext::create(config);
  wattle::Store store(engine);
  wattle::Linker linker(engine);
  if (!wasi || !wattle::addToLinker(linker, *wasi)) return 1;
  auto instance = linker.instantiate(store, *module);
  if (!instance) return std::puts(instance.error().message.c_str()), 1;

  if (!instance->func("_start")->call({})) return 1;
  std::printf("%s", output->c_str());
  std::printf("%d\n", instance->func("divide")->call({84, 2})->at(0).i32());
  std::printf("%s\n", instance->func("divide")->call({1, 0}).error().message.c_str());
}
