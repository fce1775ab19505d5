// Functions with C++ types. Included by wattle.hpp.
//
//   auto add = instance->func<int(int, double)>("add");            // Result<TypedFunc<int(int, double)>>: the signature is checked here
//   Result<int> sum = (*add)(1, 2.0);
//
//   Func half = Func::wrap(store, [](double x) { return x / 2; });
//   linker.func("env", "read", [](Caller caller, uint32_t at) -> Result<int> { ... });
//
// Types: integers of 4 bytes and bool are i32, of 8 bytes i64; float f32, double f64; V128 v128; Func a funcref (an
// empty one is null), ExternRef an externref; several results are a std::tuple, none is void. In TypedFunc, Val stands
// for any other reference. A host function may take Caller or Caller& first, and may return Result<T>: an error ends
// the guest's call as HostCallback says. What it throws becomes an error of the guest's call (a Trap with HostError);
// nothing it throws gets past.
//
// Cost: arguments and result stay in registers on both ways, as long as there are at most six integers and references,
// eight floats and vectors, and one result; otherwise they go through memory. Nothing is allocated.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "wattle/wattle.hpp"

namespace wattle {

// An external reference; null by default. As Val, it stays valid while a RootScope, a handle or the guest holds it.
class ExternRef {
 public:
  ExternRef() : value_(Val::null(ValType::externref())) {}
  explicit ExternRef(const Val& value) : value_(value) {}
  const Val& value() const { return value_; }
  bool isNull() const { return value_.isNull(); }

 private:
  Val value_;
};

namespace detail {

// What a C++ type stands for in a signature.
enum class Slot : uint8_t { I32, I64, F32, F64, V128, Func, Extern, AnyRef };
constexpr bool isFloatSlot(Slot s) { return s == Slot::F32 || s == Slot::F64 || s == Slot::V128; }
constexpr bool isReferenceSlot(Slot s) { return s >= Slot::Func; }

using Vector = long long __attribute__((vector_size(16)));

// The layouts of runtime/compile/abi/entry.h; checked where both are known.
struct Target {
  const void* code;
  void* context;
  void* store;
  const void* entry;         // entry code: of the direct kind or of the one through memory
  const void* const* owner;  // null there: the store is gone
  const void* function;      // vm::Function
};
struct Activation {
  explicit Activation(const Target& target, RawVal* v = nullptr)
      : code(target.code), context(target.context), store(target.store), values(v) {}
  const void* code;
  void* context;
  void* store;
  RawVal* values;
  uint64_t reason = 0;
  void* lender = nullptr;
  uint64_t entryCode[6];
};
struct StoreCells {  // of abi::VMStoreContext
  uint64_t stackLimit;
  int64_t fuel;
  void* activation;
  vm::Store* store;
  uint64_t gc[4];
  uint64_t entry[4];
  uint64_t pins;
};
struct GuestContext {  // of abi::VMContext
  StoreCells* store;
  const void* words[4];
  vm::Instance* instance;
};
struct HostContext {  // abi::VMHostContext
  StoreCells* store;
  const void* words[8];
  const void* thunk;
  void* callable;
};
struct HostFrame {
  uint64_t status;
  GuestContext* caller;
  HostContext* host;
};

struct HostSpec {
  std::span<const ValType> params, results;
  const void* thunk = nullptr;  // nullptr: only through memory
  unsigned integers = 0;        // arguments of that class
  std::shared_ptr<void> callable;
  HostCallback boxed;
};

WATTLE_API Result<Target> bind(const Func& function, std::span<const Slot> params, std::span<const Slot> results,
                               bool direct);
WATTLE_API Error takeError(const Activation& activation);
WATTLE_API Error goneError();
WATTLE_API Result<uint64_t> lowerReference(const Target& target, unsigned index, const Val& value);
WATTLE_API Val raiseResult(const Target& target, unsigned index, uint64_t word);
WATTLE_API Result<uint64_t> lowerHostResult(HostFrame* frame, const Val& value);
WATTLE_API Val raiseArgument(HostFrame* frame, Slot slot, uint64_t word);
WATTLE_API Func functionOf(const Val& value);
WATTLE_API void hostFailed(HostFrame* frame, Error&& error);
WATTLE_API void hostThrew(HostFrame* frame, const char* what);
WATTLE_API void unpin(HostFrame* frame, uint64_t mark);
WATTLE_API Func makeHost(Store& store, HostSpec&& spec, std::string&& name);
WATTLE_API void linkHost(Linker& linker, std::string_view module, std::string_view name, HostSpec&& spec) noexcept;
WATTLE_API void linkFailed(Linker& linker) noexcept;  // no memory for a definition

// --- types ---------------------------------------------------------------------------------------------------------

template <class T>
struct WasmType;  // of a type that cannot be passed

template <class T, Slot theSlot, class TheNative>
struct Number {
  static constexpr Slot slot = theSlot;
  using Native = TheNative;
  static Native lower(T v) { return static_cast<Native>(v); }
  static T raise(Native v) { return static_cast<T>(v); }
};

template <class T>
requires(std::integral<T> && (sizeof(T) == 4 || std::same_as<T, bool>)) struct WasmType<T>
    : Number<T, Slot::I32, uint64_t> {
  static uint64_t lower(T v) { return static_cast<uint32_t>(v); }  // code counts on the upper half being zero
  static T raise(uint64_t v) { return static_cast<T>(static_cast<uint32_t>(v)); }
  static ValType type() { return ValType::i32(); }
  static T fromVal(const Val& v) { return raise(static_cast<uint32_t>(v.i32())); }
  static Val toVal(T v) { return Val(static_cast<int32_t>(v)); }
};
template <class T>
requires(std::integral<T> && sizeof(T) == 8) struct WasmType<T> : Number<T, Slot::I64, uint64_t> {
  static ValType type() { return ValType::i64(); }
  static T fromVal(const Val& v) { return static_cast<T>(v.i64()); }
  static Val toVal(T v) { return Val(static_cast<int64_t>(v)); }
};
template <>
struct WasmType<float> : Number<float, Slot::F32, float> {
  static ValType type() { return ValType::f32(); }
  static float fromVal(const Val& v) { return v.f32(); }
  static Val toVal(float v) { return Val(v); }
};
template <>
struct WasmType<double> : Number<double, Slot::F64, double> {
  static ValType type() { return ValType::f64(); }
  static double fromVal(const Val& v) { return v.f64(); }
  static Val toVal(double v) { return Val(v); }
};
template <>
struct WasmType<V128> {
  static constexpr Slot slot = Slot::V128;
  using Native = Vector;
  static Vector lower(const V128& v) { return std::bit_cast<Vector>(v.bytes); }
  static V128 raise(Vector v) { return {std::bit_cast<std::array<uint8_t, 16>>(v)}; }
  static ValType type() { return ValType::v128(); }
  static V128 fromVal(const Val& v) { return v.v128(); }
  static Val toVal(const V128& v) { return Val(v); }
};
template <>
struct WasmType<Func> {
  static constexpr Slot slot = Slot::Func;
  using Native = uint64_t;
  static ValType type() { return ValType::funcref(); }
  static Func fromVal(const Val& v) { return functionOf(v); }
  static Val toVal(const Func& v) { return v.ref(); }
};
template <>
struct WasmType<ExternRef> {
  static constexpr Slot slot = Slot::Extern;
  using Native = uint64_t;
  static ValType type() { return ValType::externref(); }
  static ExternRef fromVal(const Val& v) { return ExternRef(v); }
  static Val toVal(const ExternRef& v) { return v.value(); }
};
template <>
struct WasmType<Val> {
  static constexpr Slot slot = Slot::AnyRef;
  using Native = uint64_t;
  static Val fromVal(const Val& v) { return v; }
  static Val toVal(const Val& v) { return v; }
};

template <class T>
concept Passable = requires {
  WasmType<T>::slot;
};
template <class T>
constexpr bool isReference = isReferenceSlot(WasmType<T>::slot);

// void, one value, a tuple: as a list.
template <class R>
struct Results {
  static constexpr size_t count = 1;
  static constexpr std::array<Slot, 1> slots{WasmType<R>::slot};
  using Native = typename WasmType<R>::Native;
};
template <>
struct Results<void> {
  static constexpr size_t count = 0;
  static constexpr std::array<Slot, 0> slots{};
  using Native = void;
};
template <class... T>
struct Results<std::tuple<T...>> {
  static constexpr size_t count = sizeof...(T);
  static constexpr std::array<Slot, sizeof...(T)> slots{WasmType<T>::slot...};
  using Native = void;
};
template <class T>
constexpr bool isTuple = false;
template <class... T>
constexpr bool isTuple<std::tuple<T...>> = true;

template <class... A>
constexpr unsigned integerCount() {
  return (0u + ... + (isFloatSlot(WasmType<A>::slot) ? 0u : 1u));
}
template <class R, class... A>
constexpr bool isDirect = !isTuple<R> && integerCount<A...>() <= 6 && sizeof...(A) - integerCount<A...>() <= 8;

// Between a value and its place in memory.
template <class T>
void toRaw(RawVal& raw, const typename WasmType<T>::Native& v) {
  raw.words = {};
  if constexpr (WasmType<T>::slot == Slot::F32)
    raw.f32 = v;
  else if constexpr (WasmType<T>::slot == Slot::F64)
    raw.f64 = v;
  else if constexpr (WasmType<T>::slot == Slot::V128)
    raw.bytes = std::bit_cast<std::array<uint8_t, 16>>(v);
  else
    raw.words[0] = v;
}
template <class T>
typename WasmType<T>::Native fromRaw(const RawVal& raw) {
  if constexpr (WasmType<T>::slot == Slot::F32)
    return raw.f32;
  else if constexpr (WasmType<T>::slot == Slot::F64)
    return raw.f64;
  else if constexpr (WasmType<T>::slot == Slot::V128)
    return std::bit_cast<Vector>(raw.bytes);
  else
    return raw.words[0];
}

}  // namespace detail

// --- guest functions -----------------------------------------------------------------------------------------------

// A function whose signature has been checked. A handle like Func, which it holds.
template <class Signature>
class TypedFunc;

template <class R, class... A>
class TypedFunc<R(A...)> {
  static_assert((detail::Passable<A> && ...), "an argument of a type that WebAssembly has no equivalent of");

 public:
  TypedFunc() = default;
  // Made by Func::typed.
  TypedFunc(Func function, const detail::Target& target) : function_(std::move(function)), target_(target) {}
  const Func& func() const { return function_; }

  // Errors: as Func::call.
  Result<R> operator()(A... args) const { return call(args...); }
  Result<R> call(const A&... args) const {
    if (!target_.owner || !*target_.owner) [[unlikely]]
      return std::unexpected(detail::goneError());
    return callWith(std::index_sequence_for<A...>(), args...);
  }

 private:
  template <class T>
  using Native = typename detail::WasmType<T>::Native;

  template <size_t... i>
  Result<R> callWith(std::index_sequence<i...> indices, const A&... args) const {
    if constexpr ((detail::isReference<A> || ...)) {
      std::optional<Error> wrong;
      std::tuple<Native<A>...> lowered{lower<A, i>(args, wrong)...};
      if (wrong) [[unlikely]]
        return std::unexpected(std::move(*wrong));
      return enter(indices, std::get<i>(lowered)...);
    } else {
      return enter(indices, detail::WasmType<A>::lower(args)...);
    }
  }
  template <class T, size_t i>
  Native<T> lower(const T& arg, std::optional<Error>& wrong) const {
    if constexpr (!detail::isReference<T>) {
      return detail::WasmType<T>::lower(arg);
    } else {
      auto word = detail::lowerReference(target_, static_cast<unsigned>(i), detail::WasmType<T>::toVal(arg));
      if (!word && !wrong) wrong = std::move(word.error());
      return word.value_or(0);
    }
  }
  template <class T, size_t i>
  T raise(const Native<T>& v) const {
    if constexpr (detail::isReference<T>)
      return detail::WasmType<T>::fromVal(detail::raiseResult(target_, static_cast<unsigned>(i), v));
    else
      return detail::WasmType<T>::raise(v);
  }

  template <size_t... i>
  Result<R> enter(std::index_sequence<i...>, const Native<A>&... args) const {
    if constexpr (detail::isDirect<R, A...>) {
      detail::Activation activation(target_);
      using NativeResult = typename detail::Results<R>::Native;
      auto* entry =
          reinterpret_cast<NativeResult (*)(Native<A>..., detail::Activation*)>(const_cast<void*>(target_.entry));
      if constexpr (std::is_void_v<R>) {
        entry(args..., &activation);
        if (activation.reason) [[unlikely]]
          return std::unexpected(detail::takeError(activation));
        return {};
      } else {
        NativeResult result = entry(args..., &activation);
        if (activation.reason) [[unlikely]]
          return std::unexpected(detail::takeError(activation));
        return raise<R, 0>(result);
      }
    } else {
      constexpr size_t kResults = detail::Results<R>::count;
      std::array<RawVal, std::max<size_t>(std::max(sizeof...(A), kResults), 1)> values;
      (detail::toRaw<A>(values[i], args), ...);
      detail::Activation activation(target_, values.data());
      reinterpret_cast<void (*)(detail::Activation*)>(const_cast<void*>(target_.entry))(&activation);
      if (activation.reason) [[unlikely]]
        return std::unexpected(detail::takeError(activation));
      return collect(values.data(), static_cast<R*>(nullptr));
    }
  }
  Result<void> collect(const RawVal*, void*) const { return {}; }
  template <class T>
  Result<T> collect(const RawVal* values, T*) const {
    return raise<T, 0>(detail::fromRaw<T>(values[0]));
  }
  template <class... T>
  Result<std::tuple<T...>> collect(const RawVal* values, std::tuple<T...>*) const {
    return [&]<size_t... k>(std::index_sequence<k...>) {
      return std::tuple<T...>{raise<T, k>(detail::fromRaw<T>(values[k]))...};
    }
    (std::index_sequence_for<T...>());
  }

  Func function_;
  detail::Target target_{};
};

template <class Signature>
struct TypedBinder;
template <class R, class... A>
struct TypedBinder<R(A...)> {
  static Result<TypedFunc<R(A...)>> bind(const Func& function) {
    constexpr std::array<detail::Slot, sizeof...(A)> params{detail::WasmType<A>::slot...};
    auto target = detail::bind(function, params, detail::Results<R>::slots, detail::isDirect<R, A...>);
    if (!target) return std::unexpected(std::move(target.error()));
    return TypedFunc<R(A...)>(function, *target);
  }
};

template <class Signature>
Result<TypedFunc<Signature>> Func::typed() const {
  return TypedBinder<Signature>::bind(*this);
}

template <class Signature>
Result<TypedFunc<Signature>> Instance::func(std::string_view name) const {
  auto found = func(name);
  if (!found) return std::unexpected(Error::make(ErrorKind::Link, "no exported function " + std::string(name)));
  return found->template typed<Signature>();
}

// --- host functions ------------------------------------------------------------------------------------------------

namespace detail {

template <class T>
struct Unwrapped {
  using Type = T;
  static constexpr bool mayFail = false;
};
template <class T>
struct Unwrapped<Result<T>> {
  using Type = T;
  static constexpr bool mayFail = true;
};

// One callable: `F` is called with a Caller first if `withCaller`.
template <class F, class Returned, bool withCaller, class... A>
struct Host {
  static_assert((Passable<A> && ...), "an argument of a type that WebAssembly has no equivalent of");
  static_assert(((WasmType<A>::slot != Slot::AnyRef) && ...), "Val has no type of its own: take ExternRef or Func");
  using R = typename Unwrapped<Returned>::Type;
  template <class T>
  using Native = typename WasmType<T>::Native;
  using NativeResult = typename Results<R>::Native;

  template <class... Args>
  static Returned invoke(F& f, Caller& caller, Args&&... args) {
    if constexpr (withCaller)
      return std::invoke(f, caller, std::forward<Args>(args)...);
    else
      return std::invoke(f, std::forward<Args>(args)...);
  }

  // --- in registers
  template <class T>
  static T raise(HostFrame* frame, const Native<T>& v) {
    if constexpr (isReference<T>)
      return WasmType<T>::fromVal(raiseArgument(frame, WasmType<T>::slot, v));
    else
      return WasmType<T>::raise(v);
  }
  template <class T>
  static Native<T> lower(HostFrame* frame, const T& result) {
    if constexpr (isReference<T>) {
      auto word = lowerHostResult(frame, WasmType<T>::toVal(result));
      if (!word) hostFailed(frame, std::move(word.error()));
      return word.value_or(0);
    } else {
      return WasmType<T>::lower(result);
    }
  }
  static NativeResult run(F& f, Caller& caller, HostFrame* frame, const Native<A>&... args) {
    if constexpr (std::is_void_v<Returned>) {
      invoke(f, caller, raise<A>(frame, args)...);
    } else {
      Returned returned = invoke(f, caller, raise<A>(frame, args)...);
      if constexpr (Unwrapped<Returned>::mayFail) {
        if (!returned) [[unlikely]] {
          hostFailed(frame, std::move(returned.error()));
          return NativeResult();
        }
        if constexpr (!std::is_void_v<R>) return lower(frame, *returned);
      } else {
        return lower(frame, returned);
      }
    }
  }
  static NativeResult guarded(HostFrame* frame, const Native<A>&... args) {
    auto& f = *static_cast<F*>(frame->host->callable);
    Caller::State state{frame->host->store->store, frame->caller ? frame->caller->instance : nullptr};
    Caller caller(state);
    try {
      return run(f, caller, frame, args...);
    } catch (const std::exception& e) {
      hostThrew(frame, e.what());
    } catch (...) {
      hostThrew(frame, nullptr);
    }
    return NativeResult();
  }
  // Each call is a RootScope.
  static NativeResult thunk(Native<A>... args, HostFrame* frame) noexcept {
    StoreCells* store = frame->host->store;
    const uint64_t mark = store->pins;
    if constexpr (std::is_void_v<NativeResult>) {
      guarded(frame, args...);
      if (store->pins != mark) [[unlikely]]
        unpin(frame, mark);
    } else {
      NativeResult result = guarded(frame, args...);
      if (store->pins != mark) [[unlikely]]
        unpin(frame, mark);
      return result;
    }
  }

  // --- in memory
  template <size_t... i>
  static Result<void> runBoxed(F& f, Caller& caller, std::span<const Val> args, std::span<Val> results,
                               std::index_sequence<i...>) {
    if constexpr (std::is_void_v<Returned>) {
      invoke(f, caller, WasmType<A>::fromVal(args[i])...);
      return {};
    } else {
      Returned returned = invoke(f, caller, WasmType<A>::fromVal(args[i])...);
      if constexpr (Unwrapped<Returned>::mayFail) {
        if (!returned) return std::unexpected(std::move(returned.error()));
        if constexpr (!std::is_void_v<R>) place(results, *returned);
      } else {
        place(results, returned);
      }
      return {};
    }
  }
  template <class T>
  static void place(std::span<Val> results, const T& value) {
    if constexpr (isTuple<T>) {
      std::apply(
          [&](const auto&... v) {
            size_t k = 0;
            ((results[k++] = WasmType<std::decay_t<decltype(v)>>::toVal(v)), ...);
          },
          value);
    } else {
      results[0] = WasmType<T>::toVal(value);
    }
  }

  template <class... T>
  static std::vector<ValType> typesOf(std::tuple<T...>*) {
    return {WasmType<T>::type()...};
  }
  static std::vector<ValType> resultTypes() {
    if constexpr (std::is_void_v<R>)
      return {};
    else if constexpr (isTuple<R>)
      return typesOf(static_cast<R*>(nullptr));
    else
      return {WasmType<R>::type()};
  }

  template <class Use>
  static auto describe(F&& f, Use&& use) {
    const std::vector<ValType> params{WasmType<A>::type()...};
    const std::vector<ValType> results = resultTypes();
    auto callable = std::make_shared<F>(std::move(f));
    HostSpec spec;
    spec.params = params;
    spec.results = results;
    spec.integers = integerCount<A...>();
    if constexpr (isDirect<R, A...>) spec.thunk = reinterpret_cast<const void*>(&thunk);
    spec.boxed = [callable](Caller& caller, std::span<const Val> args, std::span<Val> out) -> Result<void> {
      return runBoxed(*callable, caller, args, out, std::index_sequence_for<A...>());
    };
    spec.callable = std::move(callable);
    return use(std::move(spec));
  }
};

// From a callable's type to its Host.
template <class F, class Signature>
struct Deduce;
template <class F, class R, class... A>
struct Deduce<F, R(A...)> {
  using Type = Host<F, R, false, std::remove_cvref_t<A>...>;
};
template <class F, class R, class C, class... A>
requires std::same_as<std::remove_cvref_t<C>, Caller>
struct Deduce<F, R(C, A...)> {
  using Type = Host<F, R, true, std::remove_cvref_t<A>...>;
};

template <class T>
struct SignatureOf : SignatureOf<decltype(&T::operator())> {};
template <class R, class... A>
struct SignatureOf<R (*)(A...)> {
  using Type = R(A...);
};
template <class R, class... A>
struct SignatureOf<R (*)(A...) noexcept> {
  using Type = R(A...);
};
template <class T, class R, class... A>
struct SignatureOf<R (T::*)(A...)> {
  using Type = R(A...);
};
template <class T, class R, class... A>
struct SignatureOf<R (T::*)(A...) const> {
  using Type = R(A...);
};
template <class T, class R, class... A>
struct SignatureOf<R (T::*)(A...) noexcept> {
  using Type = R(A...);
};
template <class T, class R, class... A>
struct SignatureOf<R (T::*)(A...) const noexcept> {
  using Type = R(A...);
};

template <class F>
using HostOf = typename Deduce<F, typename SignatureOf<F>::Type>::Type;

}  // namespace detail

template <class F>
Func Func::wrap(Store& store, F&& callable, std::string name) {
  using Callable = std::decay_t<F>;
  try {
    return detail::HostOf<Callable>::describe(Callable(std::forward<F>(callable)), [&](detail::HostSpec&& spec) {
      return detail::makeHost(store, std::move(spec), std::move(name));
    });
  } catch (const std::bad_alloc&) {
    return {};
  }
}

template <class F>
void Linker::func(std::string_view module, std::string_view name, F&& callable) {
  using Callable = std::decay_t<F>;
  try {
    detail::HostOf<Callable>::describe(Callable(std::forward<F>(callable)), [&](detail::HostSpec&& spec) {
      detail::linkHost(*this, module, name, std::move(spec));
    });
  } catch (const std::bad_alloc&) {
    detail::linkFailed(*this);
  }
}

}  // namespace wattle
