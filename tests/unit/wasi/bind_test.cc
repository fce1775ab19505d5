// The imports as a module sees them: names, types, memory, and the ways a call ends.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "frontend/text/wat.h"
#include "wattle/wasi.hpp"

namespace wattle {
namespace {

using namespace std::chrono_literals;

// Name and type of each function of wasi_snapshot_preview1.witx.
constexpr std::pair<const char*, const char*> kFunctions[] = {
    {"args_get", "(param i32 i32) (result i32)"},
    {"args_sizes_get", "(param i32 i32) (result i32)"},
    {"clock_res_get", "(param i32 i32) (result i32)"},
    {"clock_time_get", "(param i32 i64 i32) (result i32)"},
    {"environ_get", "(param i32 i32) (result i32)"},
    {"environ_sizes_get", "(param i32 i32) (result i32)"},
    {"fd_advise", "(param i32 i64 i64 i32) (result i32)"},
    {"fd_allocate", "(param i32 i64 i64) (result i32)"},
    {"fd_close", "(param i32) (result i32)"},
    {"fd_datasync", "(param i32) (result i32)"},
    {"fd_fdstat_get", "(param i32 i32) (result i32)"},
    {"fd_fdstat_set_flags", "(param i32 i32) (result i32)"},
    {"fd_fdstat_set_rights", "(param i32 i64 i64) (result i32)"},
    {"fd_filestat_get", "(param i32 i32) (result i32)"},
    {"fd_filestat_set_size", "(param i32 i64) (result i32)"},
    {"fd_filestat_set_times", "(param i32 i64 i64 i32) (result i32)"},
    {"fd_pread", "(param i32 i32 i32 i64 i32) (result i32)"},
    {"fd_prestat_get", "(param i32 i32) (result i32)"},
    {"fd_prestat_dir_name", "(param i32 i32 i32) (result i32)"},
    {"fd_pwrite", "(param i32 i32 i32 i64 i32) (result i32)"},
    {"fd_read", "(param i32 i32 i32 i32) (result i32)"},
    {"fd_readdir", "(param i32 i32 i32 i64 i32) (result i32)"},
    {"fd_renumber", "(param i32 i32) (result i32)"},
    {"fd_seek", "(param i32 i64 i32 i32) (result i32)"},
    {"fd_sync", "(param i32) (result i32)"},
    {"fd_tell", "(param i32 i32) (result i32)"},
    {"fd_write", "(param i32 i32 i32 i32) (result i32)"},
    {"path_create_directory", "(param i32 i32 i32) (result i32)"},
    {"path_filestat_get", "(param i32 i32 i32 i32 i32) (result i32)"},
    {"path_filestat_set_times", "(param i32 i32 i32 i32 i64 i64 i32) (result i32)"},
    {"path_link", "(param i32 i32 i32 i32 i32 i32 i32) (result i32)"},
    {"path_open", "(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)"},
    {"path_readlink", "(param i32 i32 i32 i32 i32 i32) (result i32)"},
    {"path_remove_directory", "(param i32 i32 i32) (result i32)"},
    {"path_rename", "(param i32 i32 i32 i32 i32 i32) (result i32)"},
    {"path_symlink", "(param i32 i32 i32 i32 i32) (result i32)"},
    {"path_unlink_file", "(param i32 i32 i32) (result i32)"},
    {"poll_oneoff", "(param i32 i32 i32 i32) (result i32)"},
    {"proc_exit", "(param i32)"},
    {"proc_raise", "(param i32) (result i32)"},
    {"random_get", "(param i32 i32) (result i32)"},
    {"sched_yield", "(result i32)"},
    {"sock_accept", "(param i32 i32 i32) (result i32)"},
    {"sock_recv", "(param i32 i32 i32 i32 i32 i32) (result i32)"},
    {"sock_send", "(param i32 i32 i32 i32 i32) (result i32)"},
    {"sock_shutdown", "(param i32 i32) (result i32)"},
};

class WasiBind : public ::testing::Test {
 protected:
  Instance load(const std::string& text, const WasiConfig& config = WasiConfig()) {
    auto bytes = frontend::parseWat(text);
    EXPECT_TRUE(bytes) << text;
    auto module = Module::compile(engine, std::move(*bytes));
    EXPECT_TRUE(module) << text;
    auto made = WasiContext::create(config);
    EXPECT_TRUE(made);
    context = *made;
    EXPECT_TRUE(addToLinker(linker, context));
    auto instance = linker.instantiate(store, *module);
    EXPECT_TRUE(instance) << instance.error().message;
    return *instance;
  }
  int32_t call(const Instance& instance, std::string_view name) {
    auto results = instance.func(name)->call({});
    EXPECT_TRUE(results) << results.error().message;
    return results ? (*results)[0].i32() : -1;
  }

  Engine engine;
  Store store{engine};
  Linker linker{engine};
  std::shared_ptr<WasiContext> context;
};

TEST_F(WasiBind, EveryFunctionHasItsType) {
  for (const char* module : {"wasi_snapshot_preview1", "wasi_unstable"}) {
    std::string imports;
    for (auto [name, type] : kFunctions) {
      imports += "(import \"" + std::string(module) + "\" \"" + name + "\" (func " + type + "))";
    }
    load("(module " + imports + " (memory (export \"memory\") 1))");
  }
}

TEST_F(WasiBind, ArgumentsArriveInOrder) {
  auto out = std::make_shared<std::string>();
  Instance instance = load(R"((module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "hello world")
    (data (i32.const 0) "\10\00\00\00\05\00\00\00\15\00\00\00\06\00\00\00")
    (func (export "write") (result i32) (call $write (i32.const 1) (i32.const 0) (i32.const 2) (i32.const 100)))
    (func (export "written") (result i32) (i32.load (i32.const 100)))
    (func (export "sizes") (result i32) (drop (call $sizes (i32.const 104) (i32.const 108)))
      (i32.add (i32.mul (i32.load (i32.const 104)) (i32.const 1000)) (i32.load (i32.const 108))))
    (func (export "closed") (result i32) (call $write (i32.const 7) (i32.const 0) (i32.const 2) (i32.const 100)))))",
                           WasiConfig().args({"ab", "cde"}).stdoutTo(out));
  EXPECT_EQ(call(instance, "write"), 0);
  EXPECT_EQ(*out, "hello world");
  EXPECT_EQ(call(instance, "written"), 11);
  EXPECT_EQ(call(instance, "sizes"), 2007);
  EXPECT_EQ(call(instance, "closed"), 8);
}

TEST_F(WasiBind, MemoryEndsWhereItEnds) {
  Instance instance = load(R"((module
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "last") (result i32) (call $random (i32.const 65535) (i32.const 1)))
    (func (export "beyond") (result i32) (call $random (i32.const 65535) (i32.const 2)))
    (func (export "far") (result i32) (call $random (i32.const 0x7fffffff) (i32.const 0x7fffffff)))
    (func (export "around") (result i32) (call $random (i32.const -1) (i32.const 2)))
    (func (export "grow") (result i32) (memory.grow (i32.const 1)))))");
  EXPECT_EQ(call(instance, "last"), 0);
  EXPECT_EQ(call(instance, "beyond"), 21);
  EXPECT_EQ(call(instance, "far"), 21);
  EXPECT_EQ(call(instance, "around"), 21);
  EXPECT_EQ(call(instance, "grow"), 1);
  EXPECT_EQ(call(instance, "beyond"), 0);
}

TEST_F(WasiBind, NoMemory) {
  Instance instance = load(R"((module
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
    (func (export "random") (result i32) (call $random (i32.const 0) (i32.const 1)))
    (func (export "yield") (result i32) (call $yield))))");
  EXPECT_EQ(call(instance, "random"), 21);
  EXPECT_EQ(call(instance, "yield"), 0);
}

TEST_F(WasiBind, SnapshotsDiffer) {
  auto out = std::make_shared<std::string>();
  // Seeking from the end is whence 2 now, and was 1.
  Instance instance = load(R"((module
    (import "wasi_snapshot_preview1" "fd_seek" (func $new (param i32 i64 i32 i32) (result i32)))
    (import "wasi_unstable" "fd_seek" (func $old (param i32 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_filestat_get" (func $stat (param i32 i32) (result i32)))
    (import "wasi_unstable" "fd_filestat_get" (func $oldstat (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "new") (result i32) (call $new (i32.const 3) (i64.const 0) (i32.const 3) (i32.const 0)))
    (func (export "old") (result i32) (call $old (i32.const 3) (i64.const 0) (i32.const 3) (i32.const 0)))
    (func (export "stat") (result i32) (call $stat (i32.const 1) (i32.const 65476)))
    (func (export "oldstat") (result i32) (call $oldstat (i32.const 1) (i32.const 65476)))))",
                           WasiConfig().stdoutTo(out));
  EXPECT_EQ(call(instance, "new"), 28);
  EXPECT_EQ(call(instance, "old"), 28);
  EXPECT_EQ(call(instance, "stat"), 21);    // 64 bytes do not fit there
  EXPECT_EQ(call(instance, "oldstat"), 0);  // 56 do
}

TEST_F(WasiBind, ExitEndsTheCall) {
  Instance instance = load(R"((module
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "wasi_snapshot_preview1" "proc_raise" (func $raise (param i32) (result i32)))
    (memory (export "memory") 1)
    (func $deep (param i32) (call $exit (local.get 0)) (unreachable))
    (func (export "exit") (param i32) (call $deep (local.get 0)))
    (func (export "raise") (param i32) (result i32) (call $raise (local.get 0)))))");
  for (int code : {0, 3, 255}) {
    auto result = instance.func("exit")->call({Val(code)});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::Exit);
    EXPECT_EQ(result.error().exitCode, code);
  }
  auto killed = instance.func("raise")->call({Val(6)});
  ASSERT_FALSE(killed);
  EXPECT_EQ(killed.error().exitCode, 134);
  EXPECT_EQ((*instance.func("raise")->call({Val(0)}))[0].i32(), 28);
}

TEST_F(WasiBind, CancelTraps) {
  Instance instance = load(R"((module
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 24) "\ff\ff\ff\ff\ff\ff\ff\ff")
    (data (i32.const 16) "\01")
    (func (export "sleep") (result i32) (call $poll (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 200)))))");
  std::thread canceller([&] {
    std::this_thread::sleep_for(30ms);
    context->cancel();
  });
  auto result = instance.func("sleep")->call({});
  canceller.join();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::Trap);
  EXPECT_EQ(result.error().trap, TrapCode::Interrupted);
  EXPECT_FALSE(result.error().backtrace.empty());
}

TEST_F(WasiBind, WithoutAContext) { EXPECT_EQ(addToLinker(linker, nullptr).error().kind, ErrorKind::Argument); }

}  // namespace
}  // namespace wattle
