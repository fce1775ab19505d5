/* Many rounds in one store with flat memory, and many things alive at once. Usage: scale ROUNDS LIVE */
#define _POSIX_C_SOURCE 200809L
#include <time.h>
#include <unistd.h>

#include "check.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OTHERS_MAPPINGS 2500 /* that a sanitizer makes for itself meanwhile */
#define GIVES_BACK 0         /* and it keeps what was freed for long */
#else
#define OTHERS_MAPPINGS 0
#define GIVES_BACK 1
#endif

static size_t resident(void) {
  FILE* file = fopen("/proc/self/statm", "r");
  size_t total = 0, pages = 0;
  REQUIRE(file && fscanf(file, "%zu %zu", &total, &pages) == 2);
  fclose(file);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t mappings(void) {
  FILE* file = fopen("/proc/self/maps", "r");
  REQUIRE(file);
  size_t lines = 0;
  for (int c; (c = getc(file)) != EOF;) lines += c == '\n';
  fclose(file);
  return lines;
}

/* Of the processor, since others may use it too. */
static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* (module (memory 1) (func (export "f") (param i32) (result i32)
 *   (i32.store (i32.const 8) (local.get 0)) (i32.add (local.get 0) (i32.const N)))), N of four bytes */
static wasm_byte_vec_t numbered(uint32_t n) {
  static const char kHead[] =
      "\0asm\1\0\0\0" "\1\6\1\x60\1\x7f\1\x7f" "\3\2\1\0" "\5\3\1\0\1" "\7\5\1\1f\0\0"
      "\x0a\x14\1\x12\0" "\x41\x08\x20\0\x36\2\0" "\x20\0\x41";
  static const char kTail[] = "\x6a\x0b";
  wasm_byte_vec_t bytes;
  wasm_byte_vec_new_uninitialized(&bytes, sizeof kHead - 1 + 5 + sizeof kTail - 1);
  char* at = bytes.data;
  memcpy(at, kHead, sizeof kHead - 1);
  at += sizeof kHead - 1;
  for (int i = 0; i < 4; ++i) *at++ = (char)(0x80 | (n >> (7 * i) & 0x7f));
  *at++ = 0;
  memcpy(at, kTail, sizeof kTail - 1);
  return bytes;
}

static void round_trip(wasm_store_t* store, uint32_t n, wasm_module_t** keepModule, wasm_instance_t** keepInstance) {
  wasm_byte_vec_t bytes = numbered(n);
  wasm_module_t* module = wasm_module_new(store, &bytes);
  wasm_byte_vec_delete(&bytes);
  REQUIRE(module);
  wasm_trap_t* trap = NULL;
  wasm_instance_t* instance = wasm_instance_new(store, module, NULL, &trap);
  REQUIRE_NO_TRAP(trap);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  wasm_val_t in[] = {WASM_I32_VAL(1)}, out[1];
  wasm_val_vec_t args = WASM_ARRAY_VEC(in), results = WASM_ARRAY_VEC(out);
  REQUIRE_NO_TRAP(wasm_func_call(wasm_extern_as_func(exports.data[0]), &args, &results));
  CHECK(out[0].of.i32 == (int32_t)(n + 1));
  wasm_extern_vec_delete(&exports);
  if (keepModule) *keepModule = module;
  else wasm_module_delete(module);
  if (keepInstance) *keepInstance = instance;
  else wasm_instance_delete(instance);
}

/* From round `first` on; the microseconds that each took. */
static double run_rounds(wasm_store_t* store, uint32_t first, uint32_t end) {
  double start = seconds();
  for (uint32_t i = first; i < end; ++i) round_trip(store, i, NULL, NULL);
  return (seconds() - start) * 1e6 / (end - first);
}

/* Different modules, so nothing is shared. The first rounds fill pools and caches. */
static void check_rounds(wasm_store_t* store, uint32_t rounds) {
  uint32_t part = rounds > 10000 ? 1000 : rounds / 10 + 1;
  double early = run_rounds(store, 0, part);
  run_rounds(store, part, rounds / 4);
  size_t before = resident(), mapped = mappings();
  double middle = run_rounds(store, rounds / 4, rounds - part);
  double late = run_rounds(store, rounds - part, rounds);
  size_t after = resident(), mappedAfter = mappings();
  printf("%u rounds: %.2f us each at first, %.2f us between, %.2f us at last\n", rounds, early, middle, late);
  printf("%zu KiB resident in %zu mappings, then %zu KiB in %zu\n", before >> 10, mapped, after >> 10, mappedAfter);
  CHECK(after < before + (16u << 20));
  /* Up to some hundred instances wait to be collected, each with a memory of two mappings. */
  CHECK(mappedAfter < mapped + 1500 + OTHERS_MAPPINGS);
}

int main(int argc, char** argv) {
  uint32_t rounds = argc > 1 ? (uint32_t)atoi(argv[1]) : 100000;
  uint32_t live = argc > 2 ? (uint32_t)atoi(argv[2]) : 20000;
  wasm_engine_t* engine = wasm_engine_new();
  wasm_store_t* store = wasm_store_new(engine);

  check_rounds(store, rounds);

  wasm_module_t** modules = calloc(live, sizeof *modules);
  wasm_instance_t** instances = calloc(live, sizeof *instances);
  REQUIRE(modules && instances);
  size_t before = resident();
  for (uint32_t i = 0; i < live; ++i) round_trip(store, i, &modules[i], &instances[i]);
  size_t each = (resident() - before) / live;
  printf("%u live modules and instances: %zu bytes each\n", live, each);
  CHECK(each < 32768);
  /* Each has its own memory. */
  for (uint32_t i = 0; i < live; i += live / 100 + 1) {
    wasm_extern_vec_t exports;
    wasm_instance_exports(instances[i], &exports);
    wasm_val_t in[] = {WASM_I32_VAL(0)}, out[1];
    wasm_val_vec_t args = WASM_ARRAY_VEC(in), results = WASM_ARRAY_VEC(out);
    REQUIRE_NO_TRAP(wasm_func_call(wasm_extern_as_func(exports.data[0]), &args, &results));
    CHECK(out[0].of.i32 == (int32_t)i);
    wasm_extern_vec_delete(&exports);
  }
  for (uint32_t i = 0; i < live; ++i) {
    wasm_instance_delete(instances[i]);
    wasm_module_delete(modules[i]);
  }
  /* What has been let go is taken back by what comes, without being asked. */
  for (uint32_t i = 0; i < 3 * live; ++i) round_trip(store, i, NULL, NULL);
  size_t grown = resident() - before;
  printf("after they went: %zu KiB more than before\n", grown >> 10);
  CHECK(!GIVES_BACK || resident() < before + (size_t)live * each / 2 + (16u << 20));
  free(modules);
  free(instances);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return report();
}
