// wattle.h: configuration, and what a store can be told.
#include <chrono>

#include "runtime/capi/wattle_capi.h"

using namespace wattle::capi;

static_assert(static_cast<int>(wattle::BoundsMode::Guarded) == WATTLE_BOUNDS_GUARDED);
static_assert(static_cast<int>(wattle::BoundsMode::Checked) == WATTLE_BOUNDS_CHECKED);
static_assert(static_cast<int>(wattle::LoopCheck::Compare) == WATTLE_LOOP_CHECK_COMPARE);

const char* wattle_version() {
  static const std::string version(wattle::version());
  return version.c_str();
}

void wattle_config_set_keep_bytes(wasm_config_t* config, bool on) { config->config.keepBytes = on; }
void wattle_config_set_fuel(wasm_config_t* config, bool on) { config->config.fuel = on; }
void wattle_config_set_lazy(wasm_config_t* config, bool on) { config->config.lazy = on; }
void wattle_config_set_bounds(wasm_config_t* config, wattle_bounds_t bounds) {
  config->config.bounds = static_cast<wattle::BoundsMode>(bounds);
}
void wattle_config_set_compile_threads(wasm_config_t* config, unsigned count) { config->config.compileThreads = count; }
void wattle_config_set_max_stack(wasm_config_t* config, size_t bytes) { config->config.maxStackBytes = bytes; }
void wattle_config_set_cache_directory(wasm_config_t* config, const char* path) {
  orNothing([&] { config->config.cacheDirectory = path; });
}
void wattle_config_set_cache_bytes(wasm_config_t* config, uint64_t most) { config->config.cacheBytes = most; }
void wattle_config_set_loop_check(wasm_config_t* config, wattle_loop_check_t check) {
  config->config.loopCheck = static_cast<wattle::LoopCheck>(check);
}
void wattle_config_set_signal_handlers(wasm_config_t* config, bool on) { config->config.installSignalHandlers = on; }
bool wattle_handle_signal(int signal, void* siginfo, void* ucontext) {
  return wattle::handleSignal(signal, siginfo, ucontext);
}

wattle_limits_t* wattle_limits_new() {
  return orNothing([] { return new wattle_limits_t; });
}
void wattle_limits_delete(wattle_limits_t* limits) { delete limits; }
void wattle_limits_set_memory_bytes(wattle_limits_t* limits, uint64_t most) { limits->limits.maxMemoryBytes = most; }
void wattle_limits_set_table_elements(wattle_limits_t* limits, uint64_t most) {
  limits->limits.maxTableElements = most;
}
void wattle_limits_set_instances(wattle_limits_t* limits, uint64_t most) { limits->limits.maxInstances = most; }
void wattle_limits_set_gc_heap_bytes(wattle_limits_t* limits, uint64_t most) { limits->limits.maxGcHeapBytes = most; }
void wattle_limits_set_total_memory_bytes(wattle_limits_t* limits, uint64_t most) {
  limits->limits.maxTotalMemoryBytes = most;
}
void wattle_limits_set_memories(wattle_limits_t* limits, uint64_t most) { limits->limits.maxMemories = most; }
void wattle_limits_set_tables(wattle_limits_t* limits, uint64_t most) { limits->limits.maxTables = most; }
void wattle_limits_set_stack_bytes(wattle_limits_t* limits, size_t most) { limits->limits.maxStackBytes = most; }

wasm_store_t* wattle_store_new(wasm_engine_t* engine, const wattle_limits_t* limits) {
  return orNothing([&] { return new wasm_store_t(engine->engine, limits ? limits->limits : wattle::StoreLimits{}); });
}

wattle_error_t* wattle_store_add_fuel(wasm_store_t* store, uint64_t units) {
  return errorOrNull(store->store.addFuel(units));
}
wattle_error_t* wattle_store_consume_fuel(wasm_store_t* store, uint64_t units) {
  return orError([&] { return store->store.consumeFuel(units); });
}
wattle_error_t* wattle_store_fuel(const wasm_store_t* store, uint64_t* out) {
  return give(out, [&] { return store->store.fuel(); });
}

wattle_interrupt_t* wattle_store_interrupt(const wasm_store_t* store) {
  return orNothing([&] { return new wattle_interrupt_t{store->store.interruptHandle()}; });
}
void wattle_interrupt_delete(wattle_interrupt_t* handle) { delete handle; }
void wattle_interrupt(const wattle_interrupt_t* handle) { handle->handle.interrupt(); }
void wattle_store_clear_interrupt(wasm_store_t* store) { store->store.clearInterrupt(); }

wattle_error_t* wattle_store_set_deadline(wasm_store_t* store, uint64_t nanoseconds) {
  auto span = std::min<uint64_t>(nanoseconds, INT64_MAX);
  return errorOrNull(store->store.setDeadline(std::chrono::nanoseconds(span)));
}

void wattle_store_collect(wasm_store_t* store) { store->store.collect(); }
size_t wattle_store_object_count(const wasm_store_t* store) { return store->store.objectCount(); }
