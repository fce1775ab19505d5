// wattle.h: WASI.
#include "runtime/capi/wattle_capi.h"
#include "wattle/wasi.hpp"

using namespace wattle::capi;

struct wattle_wasi_config_t {
  wattle::WasiConfig config;
  // What is captured is each context's own.
  bool captureStdout = false;
  bool captureStderr = false;
};

struct wattle_wasi_t {
  std::shared_ptr<wattle::WasiContext> context;
  std::shared_ptr<std::string> out;
  std::shared_ptr<std::string> err;
};

namespace {

wattle::WasiSink sinkOf(wattle_wasi_sink_t sink, void* env, void (*finalizer)(void*)) {
  std::shared_ptr<void> owner(env, [finalizer](void* e) {
    if (finalizer) finalizer(e);
  });
  return [sink, owner = std::move(owner)](std::span<const uint8_t> bytes) {
    return sink(owner.get(), bytes.data(), bytes.size());
  };
}

void take(const std::shared_ptr<std::string>& buffer, wasm_byte_vec_t* out) {
  if (!buffer) return wasm_byte_vec_new_empty(out);
  wasm_byte_vec_new(out, buffer->size(), buffer->data());
  if (out->size == buffer->size()) buffer->clear();  // else there is no memory, and it waits
}

}  // namespace

wattle_wasi_config_t* wattle_wasi_config_new() {
  return orNothing([] { return new wattle_wasi_config_t; });
}
void wattle_wasi_config_delete(wattle_wasi_config_t* config) { delete config; }
void wattle_wasi_config_arg(wattle_wasi_config_t* config, const char* argument) {
  orNothing([&] { config->config.arg(argument); });
}
void wattle_wasi_config_env(wattle_wasi_config_t* config, const char* name, const char* value) {
  orNothing([&] { config->config.env(name, value); });
}
void wattle_wasi_config_inherit_env(wattle_wasi_config_t* config) {
  orNothing([&] { config->config.inheritEnv(); });
}
void wattle_wasi_config_inherit_stdin(wattle_wasi_config_t* config) {
  orNothing([&] { config->config.inheritStdin(); });
}

void wattle_wasi_config_inherit_stdout(wattle_wasi_config_t* config) {
  orNothing([&] { config->config.inheritStdout(); });
  config->captureStdout = false;
}
void wattle_wasi_config_inherit_stderr(wattle_wasi_config_t* config) {
  orNothing([&] { config->config.inheritStderr(); });
  config->captureStderr = false;
}

void wattle_wasi_config_stdin_bytes(wattle_wasi_config_t* config, const wasm_byte_vec_t* bytes) {
  orNothing([&] { config->config.stdinFrom(std::string(bytes->data, bytes->size)); });
}
void wattle_wasi_config_capture_stdout(wattle_wasi_config_t* config) { config->captureStdout = true; }
void wattle_wasi_config_capture_stderr(wattle_wasi_config_t* config) { config->captureStderr = true; }

void wattle_wasi_config_stdout_to(wattle_wasi_config_t* config, wattle_wasi_sink_t sink, void* env,
                                  void (*finalizer)(void*)) {
  orNothing([&] { config->config.stdoutTo(sinkOf(sink, env, finalizer)); });
  config->captureStdout = false;
}
void wattle_wasi_config_stderr_to(wattle_wasi_config_t* config, wattle_wasi_sink_t sink, void* env,
                                  void (*finalizer)(void*)) {
  orNothing([&] { config->config.stderrTo(sinkOf(sink, env, finalizer)); });
  config->captureStderr = false;
}

wattle_error_t* wattle_wasi_config_preopen_dir(wattle_wasi_config_t* config, const char* host, const char* guest,
                                               bool read_only) {
  auto access = read_only ? wattle::DirAccess::ReadOnly : wattle::DirAccess::ReadWrite;
  return orError([&] { return config->config.preopenDir(host, guest, access); });
}

wattle_error_t* wattle_wasi_config_listen_tcp(wattle_wasi_config_t* config, const char* address, uint16_t port,
                                              uint16_t* out) {
  return orError([&] {
    auto listening = config->config.listenTcp(address, port);
    if (listening && out) *out = config->config.lastListenerPort();
    return listening;
  });
}

void wattle_wasi_config_max_open_files(wattle_wasi_config_t* config, uint32_t most) {
  config->config.maxOpenFiles(most);
}

void wattle_wasi_config_clocks(wattle_wasi_config_t* config, uint64_t (*realtime)(void*), uint64_t (*monotonic)(void*),
                               void* env) {
  if (realtime) orNothing([&] { config->config.realtimeClock([realtime, env] { return realtime(env); }); });
  if (monotonic) orNothing([&] { config->config.monotonicClock([monotonic, env] { return monotonic(env); }); });
}

void wattle_wasi_config_random(wattle_wasi_config_t* config, void (*fill)(void*, uint8_t*, size_t), void* env) {
  if (fill)
    orNothing([&] {
      config->config.randomSource([fill, env](std::span<uint8_t> bytes) { fill(env, bytes.data(), bytes.size()); });
    });
}

wattle_error_t* wattle_wasi_new(const wattle_wasi_config_t* config, wattle_wasi_t** out) {
  std::unique_ptr<wattle_wasi_t> own;
  wattle_error_t* error = orError([&]() -> wattle::Result<void> {
    own = std::make_unique<wattle_wasi_t>();
    wattle::WasiConfig settings = config->config;
    if (config->captureStdout) settings.stdoutTo(own->out = std::make_shared<std::string>());
    if (config->captureStderr) settings.stderrTo(own->err = std::make_shared<std::string>());
    auto context = wattle::WasiContext::create(settings);
    if (!context) return std::unexpected(std::move(context.error()));
    own->context = std::move(*context);
    return {};
  });
  if (!error) *out = own.release();
  return error;
}

void wattle_wasi_delete(wattle_wasi_t* wasi) { delete wasi; }

wattle_error_t* wattle_linker_define_wasi(wattle_linker_t* linker, const wattle_wasi_t* wasi) {
  return orError([&] { return wattle::addToLinker(linker->linker, wasi->context); });
}

void wattle_wasi_take_stdout(wattle_wasi_t* wasi, wasm_byte_vec_t* out) { take(wasi->out, out); }
void wattle_wasi_take_stderr(wattle_wasi_t* wasi, wasm_byte_vec_t* out) { take(wasi->err, out); }
void wattle_wasi_cancel(const wattle_wasi_t* wasi) { wasi->context->cancel(); }
void wattle_wasi_clear_cancel(wattle_wasi_t* wasi) { wasi->context->clearCancel(); }
