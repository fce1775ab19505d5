/* What the C tests share: checks that count, modules from text. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wasm.h"
#include "wattle.h"

static int failures = 0;

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                             \
    }                                                                         \
  } while (0)

/* For what the rest of the test needs. */
#define REQUIRE(condition)                                                    \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                \
    }                                                                         \
  } while (0)

/* An error ends the test, with its message. */
static inline void require_ok(wattle_error_t* error, const char* file, int line) {
  if (!error) return;
  wasm_message_t message;
  wattle_error_message(error, &message);
  fprintf(stderr, "%s:%d: %s\n", file, line, message.data);
  exit(1);
}
#define REQUIRE_OK(error) require_ok(error, __FILE__, __LINE__)

static inline void require_no_trap(wasm_trap_t* trap, const char* file, int line) {
  if (!trap) return;
  wasm_message_t message;
  wasm_trap_message(trap, &message);
  fprintf(stderr, "%s:%d: trap: %s\n", file, line, message.data);
  exit(1);
}
#define REQUIRE_NO_TRAP(trap) require_no_trap(trap, __FILE__, __LINE__)

static inline wasm_byte_vec_t wat(const char* text) {
  wasm_byte_vec_t binary;
  REQUIRE_OK(wattle_wat2wasm(text, strlen(text), &binary));
  return binary;
}

static inline wasm_module_t* compile(wasm_store_t* store, const char* text) {
  wasm_byte_vec_t binary = wat(text);
  wasm_module_t* module = wasm_module_new(store, &binary);
  REQUIRE(module);
  wasm_byte_vec_delete(&binary);
  return module;
}

static inline wasm_instance_t* instantiate(wasm_store_t* store, const char* text, const wasm_extern_vec_t* imports) {
  wasm_module_t* module = compile(store, text);
  wasm_trap_t* trap = NULL;
  wasm_instance_t* instance = wasm_instance_new(store, module, imports, &trap);
  REQUIRE_NO_TRAP(trap);
  REQUIRE(instance);
  wasm_module_delete(module);
  return instance;
}

/* Does the trap's message hold the text? Deletes the trap. */
static inline bool trap_says(wasm_trap_t* trap, const char* text) {
  if (!trap) return false;
  wasm_message_t message;
  wasm_trap_message(trap, &message);
  bool ends = message.size > 0 && message.data[message.size - 1] == 0;
  bool found = ends && strstr(message.data, text) != NULL;
  if (!found) fprintf(stderr, "the trap says: %.*s\n", (int)message.size, message.data);
  wasm_byte_vec_delete(&message);
  wasm_trap_delete(trap);
  return found;
}

static inline bool name_is(const wasm_name_t* name, const char* text) {
  return name->size == strlen(text) && memcmp(name->data, text, name->size) == 0;
}

static inline int report(void) {
  if (failures) fprintf(stderr, "%d failed\n", failures);
  return failures ? 1 : 0;
}

#endif /* CHECK_H */
