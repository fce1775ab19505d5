// Many tenants: ten thousand instances of a module, each in a store of its own with a memory of its own, alive at once.
// The code is there once; what each costs is the memory that it touches.
#include <cstdint>
#include <cstdio>
#include <optional>
#include <vector>

#include "must.hpp"

using namespace wattle;

constexpr int kTenants = 10'000;

constexpr const char* kAccount = R"((module
  (memory 16)   ;; a megabyte, of which one page is touched
  (func (export "deposit") (param i64) (result i64)
    (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (local.get 0)))
    (i64.load (i32.const 0)))))";

struct Tenant {
  Store store;
  TypedFunc<int64_t(int64_t)> deposit;

  Tenant(const Engine& engine, const Module& module)
      : store(engine, {.maxMemoryBytes = 1 << 20}),
        deposit(must(must(Instance::create(store, module, {})).func<int64_t(int64_t)>("deposit"))) {}
};

int main() {
  Engine engine;
  Module module = must(Module::fromText(engine, kAccount));

  std::vector<Tenant> tenants;
  tenants.reserve(kTenants);
  for (int i = 0; i < kTenants; i++) tenants.emplace_back(engine, module);
  std::printf("%zu tenants\n", tenants.size());

  // Each has its own state.
  for (int64_t round : {1, 2}) {
    for (int i = 0; i < kTenants; i++) must(tenants[i].deposit(round * i));
  }
  int64_t sum = 0;
  for (Tenant& tenant : tenants) sum += must(tenant.deposit(0));
  std::printf("tenant 4321 has %ld, all have %ld\n", static_cast<long>(must(tenants[4321].deposit(0))),
              static_cast<long>(sum));

  // A tenant goes with its store. Whoever gets its memory next finds zeros.
  tenants.clear();
  Tenant next(engine, module);
  std::printf("a new one has %ld\n", static_cast<long>(must(next.deposit(0))));
}
