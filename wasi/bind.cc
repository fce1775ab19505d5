// The imports: one table of names and handlers. A handler's parameter types give the wasm signature.
#include <array>
#include <tuple>
#include <type_traits>
#include <utility>

#include "wasi/handlers.h"

namespace wattle {
namespace wasi {
namespace {

// How a handler's parameter is made of wasm values.
template <class T>
struct Param;

template <class T>
requires(std::is_integral_v<T> && sizeof(T) == 4) struct Param<T> {
  static constexpr size_t kValues = 1;
  static void types(std::vector<ValType>& out) { out.push_back(ValType::i32()); }
  static T from(const Val* v) { return static_cast<T>(v->i32()); }
};
template <class T>
requires(std::is_integral_v<T> && sizeof(T) == 8) struct Param<T> {
  static constexpr size_t kValues = 1;
  static void types(std::vector<ValType>& out) { out.push_back(ValType::i64()); }
  static T from(const Val* v) { return static_cast<T>(v->i64()); }
};
template <class T>
struct Param<Ptr<T>> {
  static constexpr size_t kValues = 1;
  static void types(std::vector<ValType>& out) { out.push_back(ValType::i32()); }
  static Ptr<T> from(const Val* v) { return {static_cast<uint32_t>(v->i32())}; }
};
template <>
struct Param<GuestString> {
  static constexpr size_t kValues = 2;
  static void types(std::vector<ValType>& out) { out.insert(out.end(), {ValType::i32(), ValType::i32()}); }
  static GuestString from(const Val* v) { return {Param<Ptr<char>>::from(v), static_cast<uint32_t>(v[1].i32())}; }
};

// Where each parameter's values start.
template <class... Params>
constexpr std::array<size_t, sizeof...(Params)> starts() {
  std::array<size_t, sizeof...(Params)> out{};
  constexpr size_t sizes[] = {Param<Params>::kValues..., 0};
  for (size_t i = 1; i < out.size(); ++i) out[i] = out[i - 1] + sizes[i - 1];
  return out;
}

// A handler that always ends the guest has no wasm result.
Outcome outcome(Errno error) { return error; }
Outcome outcome(Outcome&& either) { return std::move(either); }
Outcome outcome(Error&& error) { return std::unexpected(std::move(error)); }

// A handler behind its wasm signature.
struct Import {
  std::string_view name;
  void (*signature)(FuncType&);
  Outcome (*invoke)(const Call&, const Val*);
};

// The handlers that differ between the snapshots take one first.
template <Snapshot snapshot, auto handler, class Result, class... Params, size_t... i>
Outcome invokeWith(const Call& call, [[maybe_unused]] const Val* args, Result (*)(const Call&, Params...),
                   std::index_sequence<i...>) {
  [[maybe_unused]] constexpr auto at = starts<Params...>();
  return outcome(handler(call, Param<Params>::from(args + at[i])...));
}
template <Snapshot snapshot, auto handler, class Result, class... Params, size_t... i>
Outcome invokeWith(const Call& call, [[maybe_unused]] const Val* args, Result (*)(const Call&, Snapshot, Params...),
                   std::index_sequence<i...>) {
  [[maybe_unused]] constexpr auto at = starts<Params...>();
  return outcome(handler(call, snapshot, Param<Params>::from(args + at[i])...));
}

template <class Result, class... Params>
std::index_sequence_for<Params...> paramIndices(Result (*)(const Call&, Params...));
template <class Result, class... Params>
std::index_sequence_for<Params...> paramIndices(Result (*)(const Call&, Snapshot, Params...));

template <class Result, class... Params>
void addTypes(FuncType& type) {
  (Param<Params>::types(type.params), ...);
  if constexpr (!std::is_same_v<Result, Error>) type.results.push_back(ValType::i32());
}
template <class Result, class... Params>
void signatureOf(FuncType& type, Result (*)(const Call&, Params...)) {
  addTypes<Result, Params...>(type);
}
template <class Result, class... Params>
void signatureOf(FuncType& type, Result (*)(const Call&, Snapshot, Params...)) {
  addTypes<Result, Params...>(type);
}

template <Snapshot snapshot, auto handler>
constexpr Import bound(std::string_view name) {
  return {name, [](FuncType& type) { signatureOf(type, handler); },
          [](const Call& call, const Val* args) {
            return invokeWith<snapshot, handler>(call, args, handler, decltype(paramIndices(handler))());
          }};
}

template <Snapshot s>
constexpr auto allImports() {
  return std::array{
      bound<s, argsGet>("args_get"),
      bound<s, argsSizesGet>("args_sizes_get"),
      bound<s, clockResGet>("clock_res_get"),
      bound<s, clockTimeGet>("clock_time_get"),
      bound<s, environGet>("environ_get"),
      bound<s, environSizesGet>("environ_sizes_get"),
      bound<s, fdAdvise>("fd_advise"),
      bound<s, fdAllocate>("fd_allocate"),
      bound<s, fdClose>("fd_close"),
      bound<s, fdDatasync>("fd_datasync"),
      bound<s, fdFdstatGet>("fd_fdstat_get"),
      bound<s, fdFdstatSetFlags>("fd_fdstat_set_flags"),
      bound<s, fdFdstatSetRights>("fd_fdstat_set_rights"),
      bound<s, fdFilestatGet>("fd_filestat_get"),
      bound<s, fdFilestatSetSize>("fd_filestat_set_size"),
      bound<s, fdFilestatSetTimes>("fd_filestat_set_times"),
      bound<s, fdPread>("fd_pread"),
      bound<s, fdPrestatGet>("fd_prestat_get"),
      bound<s, fdPrestatDirName>("fd_prestat_dir_name"),
      bound<s, fdPwrite>("fd_pwrite"),
      bound<s, fdRead>("fd_read"),
      bound<s, fdReaddir>("fd_readdir"),
      bound<s, fdRenumber>("fd_renumber"),
      bound<s, fdSeek>("fd_seek"),
      bound<s, fdSync>("fd_sync"),
      bound<s, fdTell>("fd_tell"),
      bound<s, fdWrite>("fd_write"),
      bound<s, pathCreateDirectory>("path_create_directory"),
      bound<s, pathFilestatGet>("path_filestat_get"),
      bound<s, pathFilestatSetTimes>("path_filestat_set_times"),
      bound<s, pathLink>("path_link"),
      bound<s, pathOpen>("path_open"),
      bound<s, pathReadlink>("path_readlink"),
      bound<s, pathRemoveDirectory>("path_remove_directory"),
      bound<s, pathRename>("path_rename"),
      bound<s, pathSymlink>("path_symlink"),
      bound<s, pathUnlinkFile>("path_unlink_file"),
      bound<s, pollOneoff>("poll_oneoff"),
      bound<s, procExit>("proc_exit"),
      bound<s, procRaise>("proc_raise"),
      bound<s, randomGet>("random_get"),
      bound<s, schedYield>("sched_yield"),
      bound<s, sockAccept>("sock_accept"),  // came with preview 1; wasi_unstable guests do not ask for it
      bound<s, sockRecv>("sock_recv"),
      bound<s, sockSend>("sock_send"),
      bound<s, sockShutdown>("sock_shutdown"),
  };
}

HostCallback callbackFor(const Import& import, std::shared_ptr<WasiContext> context) {
  return [invoke = import.invoke, context = std::move(context)](Caller& caller, std::span<const Val> args,
                                                                std::span<Val> results) -> wattle::Result<void> {
    auto memory = caller.memory();
    Call call{context->impl(), memory ? GuestMemory(memory->bytes()) : GuestMemory()};
    Outcome outcome = invoke(call, args.data());
    if (!outcome) return std::unexpected(std::move(outcome.error()));
    results[0] = Val(static_cast<int32_t>(*outcome));
    return {};
  };
}

void define(Linker& linker, const std::string& module, std::span<const Import> imports,
            const std::shared_ptr<WasiContext>& context) {
  for (const Import& import : imports) {
    FuncType type;
    import.signature(type);
    linker.defineFunc(module, std::string(import.name), std::move(type), callbackFor(import, context));
  }
}

}  // namespace
}  // namespace wasi

Result<void> addToLinker(Linker& linker, std::shared_ptr<WasiContext> context) {
  if (!context) return std::unexpected(Error::make(ErrorKind::Argument, "no WASI context"));
  static constexpr auto kPreview1 = wasi::allImports<wasi::Snapshot::Preview1>();
  static constexpr auto kUnstable = wasi::allImports<wasi::Snapshot::Unstable>();
  wasi::define(linker, "wasi_snapshot_preview1", kPreview1, context);
  wasi::define(linker, "wasi_unstable", kUnstable, context);
  return {};
}

}  // namespace wattle
