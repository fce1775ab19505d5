// Traps and their frames. A trap carries the error of the C++ API that it stands for.
#include "runtime/capi/capi.h"
#include "runtime/vm/instance.h"

namespace wattle::capi {

wasm_trap_t* makeTrap(Error error) noexcept {
  return vm::orElse(outOfMemoryTrap(), [&] {
    auto box = error.kind == ErrorKind::Exception ? nullptr : boxOf(error.exception);
    if (!box || box->kind != Box::Kind::Trap) return new wasm_trap_t(makeBox<TrapBox>(std::move(error)));
    auto& known = static_cast<TrapBox&>(*box).error;
    if (known.backtrace.empty()) known.backtrace = std::move(error.backtrace);
    return new wasm_trap_t(std::move(box));
  });
}

// Made of static memory only, and never destroyed: a shared_ptr may name what nobody counts.
wasm_trap_t* outOfMemoryTrap() noexcept {
  struct Immortal {
    TrapBox box{vm::outOfMemory()};
    wasm_trap_t trap{std::shared_ptr<Box>(std::shared_ptr<Box>(), &box)};
  };
  alignas(Immortal) static unsigned char memory[sizeof(Immortal)];
  static auto* immortal = new (memory) Immortal;
  return &immortal->trap;
}

Error errorOf(wasm_trap_t* trap) noexcept {
  if (trap == outOfMemoryTrap()) return vm::outOfMemory();
  Own<wasm_trap_t, wasm_trap_delete> owned(trap);
  return vm::orElse(vm::outOfMemory(), [&] {
    Error error = trap->error();
    if (error.kind != ErrorKind::Exception) error.exception = opaque(trap->box);
    return error;
  });
}

void giveTrap(wasm_trap_t** out, Error error) noexcept {
  if (out) *out = makeTrap(std::move(error));
}

namespace {

wasm_frame_t* makeFrame(const Frame& frame) {
  auto instance = Instance::from(frame);
  Own<wasm_frame_t, wasm_frame_delete> made(new wasm_frame_t{frame, nullptr});
  if (instance) made->instance = new wasm_instance_t(std::move(*instance));
  return made.release();
}

}  // namespace

void makeTrace(const std::vector<Frame>& frames, wasm_frame_vec_t* out) noexcept {
  giveEach<wasm_frame_vec_new_uninitialized, wasm_frame_vec_delete>(
      out, [&]() -> auto& { return frames; }, [](auto*& to, auto& frame) { to = makeFrame(frame); });
}

}  // namespace wattle::capi

using namespace wattle::capi;

wasm_trap_t* wasm_trap_new(wasm_store_t*, const wasm_message_t* message) {
  return wattle::vm::orElse(outOfMemoryTrap(), [&] {
    std::string text;
    if (message && message->data) text.assign(message->data, message->size);
    if (!text.empty() && text.back() == '\0') text.pop_back();
    auto error = wattle::Error::make(wattle::ErrorKind::Trap, std::move(text));
    error.trap = wattle::TrapCode::HostError;
    return makeTrap(std::move(error));
  });
}

void wasm_trap_message(const wasm_trap_t* trap, wasm_message_t* out) {
  const std::string& message = trap->error().message;
  wasm_byte_vec_new(out, message.size() + 1, message.c_str());
}

wasm_frame_t* wasm_trap_origin(const wasm_trap_t* trap) {
  const auto& frames = trap->error().backtrace;
  return orNothing([&] { return frames.empty() ? nullptr : makeFrame(frames.front()); });
}

void wasm_trap_trace(const wasm_trap_t* trap, wasm_frame_vec_t* out) { makeTrace(trap->error().backtrace, out); }

wasm_frame_t* wasm_frame_copy(const wasm_frame_t* frame) {
  return orNothing([&] { return frame ? makeFrame(frame->frame) : nullptr; });
}

void wasm_frame_delete(wasm_frame_t* frame) {
  if (!frame) return;
  wasm_instance_delete(frame->instance);
  delete frame;
}

wasm_instance_t* wasm_frame_instance(const wasm_frame_t* frame) { return frame->instance; }
uint32_t wasm_frame_func_index(const wasm_frame_t* frame) { return frame->frame.functionIndex; }
size_t wasm_frame_module_offset(const wasm_frame_t* frame) { return frame->frame.moduleOffset.value_or(0); }

size_t wasm_frame_func_offset(const wasm_frame_t* frame) {
  if (!frame->instance || !frame->frame.moduleOffset) return 0;
  const auto& functions = frame->instance->handle.impl()->module().info().functions;
  return *frame->frame.moduleOffset - functions[frame->frame.functionIndex].body.offset;
}
