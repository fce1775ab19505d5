// wattle.h: errors.
#include "runtime/capi/wattle_capi.h"

using wattle::ErrorKind;
using wattle::TrapCode;
using wattle::capi::giveName;

static_assert(static_cast<int>(ErrorKind::Malformed) == WATTLE_ERROR_MALFORMED);
static_assert(static_cast<int>(ErrorKind::Exit) == WATTLE_ERROR_EXIT);
static_assert(static_cast<int>(ErrorKind::Unsupported) == WATTLE_ERROR_UNSUPPORTED);
static_assert(static_cast<int>(TrapCode::StackOverflow) == WATTLE_TRAP_STACK_OVERFLOW);
static_assert(static_cast<int>(TrapCode::ArrayOutOfBounds) == WATTLE_TRAP_ARRAY_OUT_OF_BOUNDS);
static_assert(static_cast<int>(TrapCode::OutOfFuel) == WATTLE_TRAP_OUT_OF_FUEL);
static_assert(static_cast<int>(TrapCode::HostError) == WATTLE_TRAP_HOST_ERROR);

// As outOfMemoryTrap().
wattle_error_t* wattle::capi::outOfMemoryError() noexcept {
  alignas(wattle_error_t) static unsigned char memory[sizeof(wattle_error_t)];
  static auto* immortal = new (memory) wattle_error_t{wattle::vm::outOfMemory()};
  return immortal;
}

void wattle_error_delete(wattle_error_t* error) {
  if (error != wattle::capi::outOfMemoryError()) delete error;
}

wattle_errorkind_t wattle_error_kind(const wattle_error_t* error) {
  return static_cast<wattle_errorkind_t>(error->error.kind);
}

void wattle_error_message(const wattle_error_t* error, wasm_message_t* out) {
  wasm_byte_vec_new(out, error->error.message.size() + 1, error->error.message.c_str());
}

wattle_trapcode_t wattle_error_trap_code(const wattle_error_t* error) {
  return static_cast<wattle_trapcode_t>(error->error.trap);
}

void wattle_error_trace(const wattle_error_t* error, wasm_frame_vec_t* out) {
  wattle::capi::makeTrace(error->error.backtrace, out);
}

bool wattle_error_exit_status(const wattle_error_t* error, int* out) {
  if (error->error.kind != ErrorKind::Exit) return false;
  *out = error->error.exitCode;
  return true;
}

bool wattle_error_offset(const wattle_error_t* error, uint64_t* out) {
  if (!error->error.offset) return false;
  *out = *error->error.offset;
  return true;
}

wattle_error_t* wattle_trap_error(const wasm_trap_t* trap) {
  return wattle::vm::orElse(wattle::capi::outOfMemoryError(), [&] { return new wattle_error_t{trap->error()}; });
}

wasm_trap_t* wattle_error_as_trap(wattle_error_t* error) {
  if (error == wattle::capi::outOfMemoryError()) return wattle::capi::outOfMemoryTrap();
  auto* trap = wattle::capi::makeTrap(std::move(error->error));
  delete error;
  return trap;
}

wasm_trap_t* wattle_trap_new_exit(int status) {
  return wattle::vm::orElse(wattle::capi::outOfMemoryTrap(), [&] {
    auto error = wattle::Error::make(ErrorKind::Exit, "exit with status " + std::to_string(status));
    error.exitCode = status;
    return wattle::capi::makeTrap(std::move(error));
  });
}

void wattle_frame_func_name(const wasm_frame_t* frame, wasm_name_t* out) {
  giveName(
      out, [&]() -> auto& { return frame->frame.function; });
}
void wattle_frame_module_name(const wasm_frame_t* frame, wasm_name_t* out) {
  giveName(
      out, [&]() -> auto& { return frame->frame.module; });
}
