// How the library behaves in a process that is not its own. Each case has a process to itself, says nothing, and ends
// with 0.
#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "wattle/wattle.hpp"

namespace {

#define CHECK(condition)                                                           \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      _exit(1);                                                                    \
    }                                                                              \
  } while (false)

using wattle::TrapCode;

constexpr const char* kTraps = R"((module (memory 1)
  (func (export "unreachable") (unreachable))
  (func (export "load") (drop (i32.load offset=0xfffffff0 (i32.const 0x7fffffff))))
  (func (export "divide") (param i32) (drop (i32.div_s (i32.const 1) (local.get 0))))
  (func $deep (export "deep") (call $deep))
  (func (export "answer") (result i32) (i32.const 42))))";

void trapsAndGoesOn(const wattle::Engine& engine) {
  auto module = wattle::Module::fromText(engine, kTraps);
  CHECK(module);
  wattle::Store store(engine);
  auto instance = wattle::Instance::create(store, *module, {});
  CHECK(instance);
  for (int turn = 0; turn < 2; ++turn) {
    CHECK(instance->func("unreachable")->call({}).error().trap == TrapCode::Unreachable);
    CHECK(instance->func("load")->call({}).error().trap == TrapCode::MemoryOutOfBounds);
    CHECK(instance->func("divide")->call({0}).error().trap == TrapCode::IntegerDivideByZero);
    CHECK(instance->func("deep")->call({}).error().trap == TrapCode::StackOverflow);
    auto answer = instance->func("answer")->call({});
    CHECK(answer && (*answer)[0].i32() == 42);
  }
}

// --- the host's own handlers ----------------------------------------------------------------------------------------

sigjmp_buf gBack;
volatile sig_atomic_t gOwnFaults = 0;
void* gPage;
constexpr int kFaults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};

void ownHandler(int, siginfo_t* info, void*) {
  if (info->si_addr != gPage) _exit(9);
  gOwnFaults = gOwnFaults + 1;
  siglongjmp(gBack, 1);
}

void forwardingHandler(int signal, siginfo_t* info, void* context) {
  if (wattle::handleSignal(signal, info, context)) return;
  ownHandler(signal, info, context);
}

void install(void (*handler)(int, siginfo_t*, void*), int flags = 0) {
  struct sigaction action {};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | flags;
  for (int signal : kFaults) CHECK(sigaction(signal, &action, nullptr) == 0);
}

void hostFaultIsItsOwn() {
  const int before = gOwnFaults;
  if (sigsetjmp(gBack, 1) == 0) {
    *static_cast<volatile char*>(gPage) = 1;
    CHECK(!"the fault went by");
  }
  CHECK(gOwnFaults == before + 1);
}

void handlerBefore() {
  install(ownHandler);
  wattle::Engine engine;
  for (int turn = 0; turn < 2; ++turn) {
    trapsAndGoesOn(engine);
    hostFaultIsItsOwn();
  }
}

void handlerAfter() {
  wattle::Engine engine;
  trapsAndGoesOn(engine);
  install(forwardingHandler);
  wattle::Engine second;
  for (const auto& e : {engine, second}) {
    trapsAndGoesOn(e);
    hostFaultIsItsOwn();
  }
}

void noHandlers() {
  install(forwardingHandler);
  wattle::Config config;
  config.installSignalHandlers = false;
  wattle::Engine engine(config);
  for (int signal : kFaults) {
    struct sigaction now {};
    sigaction(signal, nullptr, &now);
    CHECK(now.sa_sigaction == forwardingHandler);
  }
  for (int turn = 0; turn < 2; ++turn) {
    trapsAndGoesOn(engine);
    hostFaultIsItsOwn();
  }
}

// Within a host function, beneath guest frames: still no trap.
void faultInCallback() {
  install(ownHandler);
  wattle::Engine engine;
  wattle::Store store(engine);
  auto module = wattle::Module::fromText(engine, R"((module (import "" "f" (func $f)) (func (export "g") (call $f))))");
  wattle::Func f = wattle::Func::wrap(store, hostFaultIsItsOwn);
  wattle::Extern imports[] = {f};
  auto instance = wattle::Instance::create(store, *module, imports);
  CHECK(instance->func("g")->call({}));
  CHECK(gOwnFaults == 1);
  trapsAndGoesOn(engine);
}

// --- the host's own threads -----------------------------------------------------------------------------------------

void* onThread(void* engine) {
  trapsAndGoesOn(*static_cast<wattle::Engine*>(engine));
  return nullptr;
}

void runOnSmallStack(wattle::Engine& engine, void* (*body)(void*)) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  CHECK(pthread_attr_setstacksize(&attributes, 512 << 10) == 0);
  pthread_t thread;
  CHECK(pthread_create(&thread, &attributes, body, &engine) == 0);
  CHECK(pthread_join(thread, nullptr) == 0);
}

void smallStack() {
  wattle::Engine engine;
  for (int n = 0; n < 4; ++n) runOnSmallStack(engine, onThread);
  trapsAndGoesOn(engine);
}

void* withAlternateStack(void* engine) {
  const size_t size = 64 << 10;
  auto memory = std::make_unique<char[]>(size);
  stack_t own{};
  own.ss_sp = memory.get();
  own.ss_size = size;
  CHECK(sigaltstack(&own, nullptr) == 0);
  trapsAndGoesOn(*static_cast<wattle::Engine*>(engine));
  hostFaultIsItsOwn();
  stack_t now{};
  CHECK(sigaltstack(nullptr, &now) == 0);
  CHECK(now.ss_sp == own.ss_sp && now.ss_size == size && now.ss_flags == 0);
  own.ss_flags = SS_DISABLE;
  CHECK(sigaltstack(&own, nullptr) == 0);
  return nullptr;
}

void alternateStack() {
  install(ownHandler, SA_ONSTACK);
  wattle::Engine engine;
  runOnSmallStack(engine, withAlternateStack);
  withAlternateStack(&engine);
}

// --- fork -----------------------------------------------------------------------------------------------------------

std::string largeText(int functions) {
  std::string text = "(module ";
  for (int i = 0; i < functions; ++i) {
    text += "(func (export \"f" + std::to_string(i) + "\") (param i32) (result i32)";
    for (int k = 0; k < 20; ++k)
      text += "(local.set 0 (i32.add (i32.mul (local.get 0) (i32.const 77)) (i32.const 12345)))";
    text += "(local.get 0))";
  }
  return text + ")";
}

void afterFork() {
  wattle::Engine engine;
  trapsAndGoesOn(engine);
  CHECK(wattle::Module::fromText(engine, largeText(1000)));  // threads compile
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    trapsAndGoesOn(engine);
    CHECK(wattle::Module::fromText(engine, largeText(1001)));
    wattle::Engine fresh;
    trapsAndGoesOn(fresh);
    _exit(0);
  }
  trapsAndGoesOn(engine);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK(wattle::Module::fromText(engine, largeText(1002)));
  trapsAndGoesOn(engine);
}

// --- in a library that comes late and goes early --------------------------------------------------------------------

void loadedLate() {
  const char* path = std::getenv("WATTLE_TEST_PLUGIN");
  CHECK(path);
  void* plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  CHECK(plugin);
  auto* run = reinterpret_cast<int (*)()>(dlsym(plugin, "plugin_run"));
  CHECK(run);
  std::thread([&] { CHECK(run() == 42); }).join();
  CHECK(run() == 42);
  CHECK(dlclose(plugin) == 0);
}

// --- out of memory --------------------------------------------------------------------------------------------------

void leb(std::vector<uint8_t>& to, size_t value) {
  for (; value >= 0x80; value >>= 7) to.push_back(static_cast<uint8_t>(value | 0x80));
  to.push_back(static_cast<uint8_t>(value));
}

void section(std::vector<uint8_t>& to, uint8_t id, const std::vector<uint8_t>& contents) {
  to.push_back(id);
  leb(to, contents.size());
  to.insert(to.end(), contents.begin(), contents.end());
}

// Written without the text format, whose memory would be left to whoever comes next.
std::vector<uint8_t> largeBinary(size_t functions) {
  std::vector<uint8_t> body{0};
  for (int i = 0; i < 30; ++i) {
    for (uint8_t byte : {0x20, 0x00, 0x41, 0x07, 0x6c, 0x41, 0x05, 0x6a, 0x21, 0x00}) body.push_back(byte);
  }
  for (uint8_t byte : {0x20, 0x00, 0x0b}) body.push_back(byte);
  std::vector<uint8_t> types, code;
  leb(types, functions);
  types.insert(types.end(), functions, 0);
  leb(code, functions);
  for (size_t i = 0; i < functions; ++i) {
    leb(code, body.size());
    code.insert(code.end(), body.begin(), body.end());
  }
  std::vector<uint8_t> binary{0, 'a', 's', 'm', 1, 0, 0, 0};
  section(binary, 1, {1, 0x60, 1, 0x7f, 1, 0x7f});
  section(binary, 3, types);
  section(binary, 10, code);
  return binary;
}

// With so much address space to spare, in a process of its own: 0 it was enough, 2 it was not, else a bug.
int compileWithin(const std::vector<uint8_t>& binary, bool lazy, uint64_t spare) {
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    wattle::Config config;
    config.lazy = lazy;
    wattle::Engine engine(config);
    trapsAndGoesOn(engine);
    std::FILE* statm = std::fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    CHECK(statm && std::fscanf(statm, "%lu", &pages) == 1);
    std::fclose(statm);
    const rlimit limit{pages * 4096 + spare, RLIM_INFINITY};
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    auto module = wattle::Module::compile(engine, binary);
    if (!module) CHECK(module.error().kind == wattle::ErrorKind::Resource);
    const bool enough = module.has_value();
    const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
    CHECK(setrlimit(RLIMIT_AS, &none) == 0);
    trapsAndGoesOn(engine);
    _exit(enough ? 0 : 2);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  return WEXITSTATUS(status);
}

void outOfMemory() {
  const auto binary = largeBinary(30'000);
  for (bool lazy : {false, true}) {
    int refused = 0, enough = 0;
    for (uint64_t spare = 0; spare <= 4096; spare = spare ? spare * 2 : 1) {
      const int result = compileWithin(binary, lazy, spare << 20);
      CHECK(result == 0 || result == 2);
      ++(result == 0 ? enough : refused);
    }
    CHECK(refused > 0);
    CHECK(enough > 0);
  }
}

const struct {
  const char* name;
  void (*run)();
} kCases[] = {{"handler_before", handlerBefore}, {"handler_after", handlerAfter},
              {"no_handlers", noHandlers},       {"fault_in_callback", faultInCallback},
              {"small_stack", smallStack},       {"alternate_stack", alternateStack},
              {"after_fork", afterFork},         {"loaded_late", loadedLate},
              {"out_of_memory", outOfMemory}};

}  // namespace

int main(int, char** arguments) {
  gPage = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(gPage != MAP_FAILED);
  for (const auto& c : kCases) {
    if (arguments[1] && std::strcmp(c.name, arguments[1]) == 0) return c.run(), 0;
  }
  std::fputs("no such case\n", stderr);
  return 1;
}
