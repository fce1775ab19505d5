// The C++ face of the standard WebAssembly C API (wasm.h), as github.com/WebAssembly/wasm-c-api defines it.
//
// Programs written against another engine's copy of this header compile and run unchanged. It is a thin layer: the
// rules of ownership, threads and errors are those of wasm.h. own<T> is a pointer that deletes; an own<T> parameter is
// consumed. (Wattle's own C++ API, with errors as values and typed calls, is wattle/wattle.hpp.)
#ifndef WASM_HH
#define WASM_HH

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <utility>

#ifndef WASM_API_EXTERN
#if defined(__GNUC__)
#define WASM_API_EXTERN __attribute__((visibility("default")))
#else
#define WASM_API_EXTERN
#endif
#endif

using byte_t = char;
using float32_t = float;
using float64_t = double;

static_assert(sizeof(float32_t) == 4 && sizeof(float64_t) == 8, "IEEE 754 numbers");
static_assert(sizeof(void*) == 8, "64-bit addresses");

namespace wasm {

// --- Vectors ---------------------------------------------------------------------------------------------------------

// An array with its size; owns its elements, can be moved, not copied. It may be invalid (false), which is not the same
// as empty.
template <class T>
class vec {
 public:
  using elem_type = T;

  vec(vec&& that) : size_(that.size_), data_(std::move(that.data_)) { that.size_ = invalid_size; }
  vec& operator=(vec&& that) {
    reset(that);
    return *this;
  }

  operator bool() const { return size_ != invalid_size; }
  auto size() const -> size_t { return size_; }
  auto get() const -> const T* { return data_.get(); }
  auto get() -> T* { return data_.get(); }

  // Gives the array away, to be deleted with delete[].
  auto release() -> T* {
    size_ = invalid_size;
    return data_.release();
  }
  void reset() {
    size_ = invalid_size;
    data_.reset();
  }
  void reset(vec& that) {
    if (this == &that) return;
    data_ = std::move(that.data_);
    size_ = that.size_;
    that.size_ = invalid_size;
  }

  auto operator[](size_t i) -> T& {
    assert(i < size_);
    return data_[i];
  }
  auto operator[](size_t i) const -> const T& {
    assert(i < size_);
    return data_[i];
  }

  // Element by element, by assignment.
  auto copy() const -> vec {
    vec out = like();
    for (size_t i = 0; out.data_ && i < size_; ++i) out.data_[i] = data_[i];
    return out;
  }
  // Of owned elements, by their copy().
  auto deep_copy() const -> vec {
    vec out = like();
    for (size_t i = 0; out.data_ && i < size_; ++i) {
      if (data_[i]) out.data_[i] = data_[i]->copy();
    }
    return out;
  }

  static auto make_uninitialized(size_t size = 0) -> vec { return vec(size); }
  // Moves the elements out of the array.
  static auto make(size_t size, T init[]) -> vec {
    vec out(size);
    for (size_t i = 0; out.data_ && i < size; ++i) out.data_[i] = std::move(init[i]);
    return out;
  }
  static auto make(std::string s) -> vec<char> { return characters(s, s.size()); }
  // With a terminating zero.
  static auto make_nt(std::string s) -> vec<char> { return characters(s, s.size() + 1); }
  static auto make() -> vec { return vec(0); }
  template <class... Ts>
  static auto make(Ts&&... elements) -> vec {
    T array[] = {std::forward<Ts>(elements)...};
    return make(sizeof...(Ts), array);
  }
  // Takes over an array made with new[].
  static auto adopt(size_t size, T data[]) -> vec { return vec(size, data); }
  static auto invalid() -> vec { return vec(invalid_size, nullptr); }

 private:
  template <class>
  friend class vec;
  static constexpr size_t invalid_size = SIZE_MAX;

  explicit vec(size_t size) : vec(size, size ? new (std::nothrow) T[size]() : nullptr) {
    if (size && !data_) size_ = invalid_size;
  }
  vec(size_t size, T* data) : size_(size), data_(data) {}
  auto like() const -> vec { return *this ? vec(size_) : invalid(); }
  static auto characters(const std::string& s, size_t size) -> vec<char> {
    vec<char> out(size);
    if (out && size) std::memcpy(out.get(), s.c_str(), size);
    return out;
  }

  size_t size_;
  std::unique_ptr<T[]> data_;
};

// --- Ownership -------------------------------------------------------------------------------------------------------

class destroyer {
 public:
  template <class T>
  void operator()(T* object) {
    object->destroy();
  }
};

template <class T>
using own = std::unique_ptr<T, destroyer>;
template <class T>
using ownvec = vec<own<T>>;

template <class T>
own<T> make_own(T* object) {
  return own<T>(object);
}

// What each class has: it cannot be made but by its make(), nor deleted but by own<>.
#define WASM_HH_OPAQUE(Name) \
  friend class destroyer;    \
  void destroy();            \
                             \
 protected:                  \
  Name() = default;          \
  ~Name() = default;         \
                             \
 public:

// --- Configuration, engine, store ------------------------------------------------------------------------------------

class WASM_API_EXTERN Config {
  WASM_HH_OPAQUE(Config)
  static auto make() -> own<Config>;
};

class WASM_API_EXTERN Engine {
  WASM_HH_OPAQUE(Engine)
  static auto make(own<Config>&& = Config::make()) -> own<Engine>;
};

class WASM_API_EXTERN Store {
  WASM_HH_OPAQUE(Store)
  static auto make(Engine*) -> own<Store>;
};

// --- Types -----------------------------------------------------------------------------------------------------------

enum class Mutability : uint8_t { CONST, VAR };

// Of memories in pages of 64 KiB, of tables in elements.
struct Limits {
  uint32_t min;
  uint32_t max;

  Limits(uint32_t least, uint32_t most = std::numeric_limits<uint32_t>::max()) : min(least), max(most) {}
};

enum class ValKind : uint8_t {
  I32,
  I64,
  F32,
  F64,
  EXTERNREF = 128,
  FUNCREF,
  ANYREF = EXTERNREF,
};

// As earlier versions of the standard spelled them.
static constexpr auto CONST = Mutability::CONST;
static constexpr auto VAR = Mutability::VAR;
static constexpr auto I32 = ValKind::I32;
static constexpr auto I64 = ValKind::I64;
static constexpr auto F32 = ValKind::F32;
static constexpr auto F64 = ValKind::F64;
static constexpr auto ANYREF = ValKind::ANYREF;
static constexpr auto FUNCREF = ValKind::FUNCREF;

using ValueKind = ValKind;

inline bool is_num(ValKind kind) { return kind < ValKind::EXTERNREF; }
inline bool is_ref(ValKind kind) { return kind >= ValKind::EXTERNREF; }

class WASM_API_EXTERN ValType {
  WASM_HH_OPAQUE(ValType)
  static auto make(ValKind) -> own<ValType>;
  auto copy() const -> own<ValType>;

  auto kind() const -> ValKind;
  auto is_num() const -> bool { return wasm::is_num(kind()); }
  auto is_ref() const -> bool { return wasm::is_ref(kind()); }
};

using ValueType = ValType;

enum class ExternKind : uint8_t { FUNC, GLOBAL, TABLE, MEMORY, TAG };

static constexpr auto EXTERN_FUNC = ExternKind::FUNC;
static constexpr auto EXTERN_GLOBAL = ExternKind::GLOBAL;
static constexpr auto EXTERN_TABLE = ExternKind::TABLE;
static constexpr auto EXTERN_MEMORY = ExternKind::MEMORY;

class FuncType;
class GlobalType;
class TableType;
class MemoryType;
class TagType;

class WASM_API_EXTERN ExternType {
  WASM_HH_OPAQUE(ExternType)
  auto copy() const -> own<ExternType>;
  auto kind() const -> ExternKind;

  // The same, as what it is; else nullptr.
  auto func() -> FuncType*;
  auto global() -> GlobalType*;
  auto table() -> TableType*;
  auto memory() -> MemoryType*;
  auto tag() -> TagType*;
  auto func() const -> const FuncType*;
  auto global() const -> const GlobalType*;
  auto table() const -> const TableType*;
  auto memory() const -> const MemoryType*;
  auto tag() const -> const TagType*;
};

class WASM_API_EXTERN FuncType : public ExternType {
  WASM_HH_OPAQUE(FuncType)
  static auto make(ownvec<ValType>&& params = ownvec<ValType>::make(),
                   ownvec<ValType>&& results = ownvec<ValType>::make()) -> own<FuncType>;
  auto copy() const -> own<FuncType>;

  auto params() const -> const ownvec<ValType>&;
  auto results() const -> const ownvec<ValType>&;
};

class WASM_API_EXTERN GlobalType : public ExternType {
  WASM_HH_OPAQUE(GlobalType)
  static auto make(own<ValType>&&, Mutability) -> own<GlobalType>;
  auto copy() const -> own<GlobalType>;

  auto content() const -> const ValType*;
  auto mutability() const -> Mutability;
};

class WASM_API_EXTERN TableType : public ExternType {
  WASM_HH_OPAQUE(TableType)
  static auto make(own<ValType>&&, Limits) -> own<TableType>;
  auto copy() const -> own<TableType>;

  auto element() const -> const ValType*;
  auto limits() const -> const Limits&;
};

class WASM_API_EXTERN MemoryType : public ExternType {
  WASM_HH_OPAQUE(MemoryType)
  static auto make(Limits) -> own<MemoryType>;
  auto copy() const -> own<MemoryType>;

  auto limits() const -> const Limits&;
};

class WASM_API_EXTERN TagType : public ExternType {
  WASM_HH_OPAQUE(TagType)
  static auto make(own<FuncType>&&) -> own<TagType>;
  auto copy() const -> own<TagType>;

  auto functype() const -> const FuncType*;
};

using Name = vec<byte_t>;

class WASM_API_EXTERN ImportType {
  WASM_HH_OPAQUE(ImportType)
  static auto make(Name&& module, Name&& name, own<ExternType>&&) -> own<ImportType>;
  auto copy() const -> own<ImportType>;

  auto module() const -> const Name&;
  auto name() const -> const Name&;
  auto type() const -> const ExternType*;
};

class WASM_API_EXTERN ExportType {
  WASM_HH_OPAQUE(ExportType)
  static auto make(Name&&, own<ExternType>&&) -> own<ExportType>;
  auto copy() const -> own<ExportType>;

  auto name() const -> const Name&;
  auto type() const -> const ExternType*;
};

// --- References and values -------------------------------------------------------------------------------------------

class WASM_API_EXTERN Ref {
  WASM_HH_OPAQUE(Ref)
  auto copy() const -> own<Ref>;
  auto same(const Ref*) const -> bool;

  auto get_host_info() const -> void*;
  void set_host_info(void* info, void (*finalizer)(void*) = nullptr);
};

// A number or an owned reference. Laid out as wasm_val_t.
class Val {
 public:
  Val() : kind_(ValKind::EXTERNREF) { of_.ref = nullptr; }
  explicit Val(int32_t x) : kind_(ValKind::I32) { of_.i32 = x; }
  explicit Val(int64_t x) : kind_(ValKind::I64) { of_.i64 = x; }
  explicit Val(float32_t x) : kind_(ValKind::F32) { of_.f32 = x; }
  explicit Val(float64_t x) : kind_(ValKind::F64) { of_.f64 = x; }
  explicit Val(own<Ref>&& r) : kind_(ValKind::EXTERNREF) { of_.ref = r.release(); }
  Val(Val&& that) : kind_(that.kind_), of_(that.of_) { that.forget(); }
  ~Val() { reset(); }
  auto operator=(Val&& that) -> Val& {
    reset(that);
    return *this;
  }

  static auto i32(int32_t x) -> Val { return Val(x); }
  static auto i64(int64_t x) -> Val { return Val(x); }
  static auto f32(float32_t x) -> Val { return Val(x); }
  static auto f64(float64_t x) -> Val { return Val(x); }
  static auto ref(own<Ref>&& x) -> Val { return Val(std::move(x)); }
  template <class T>
  inline static auto make(T x) -> Val;
  template <class T>
  inline static auto make(own<T>&& x) -> Val;

  auto kind() const -> ValKind { return kind_; }
  auto is_num() const -> bool { return wasm::is_num(kind_); }
  auto is_ref() const -> bool { return wasm::is_ref(kind_); }

  auto i32() const -> int32_t {
    assert(kind_ == ValKind::I32);
    return of_.i32;
  }
  auto i64() const -> int64_t {
    assert(kind_ == ValKind::I64);
    return of_.i64;
  }
  auto f32() const -> float32_t {
    assert(kind_ == ValKind::F32);
    return of_.f32;
  }
  auto f64() const -> float64_t {
    assert(kind_ == ValKind::F64);
    return of_.f64;
  }
  auto ref() const -> Ref* {
    assert(is_ref());
    return of_.ref;
  }
  template <class T>
  inline auto get() const -> T;

  // To a null reference; numbers stay.
  void reset() {
    if (is_ref() && of_.ref) {
      destroyer()(of_.ref);
      of_.ref = nullptr;
    }
  }
  void reset(Val& that) {
    if (this == &that) return;
    reset();
    kind_ = that.kind_;
    of_ = that.of_;
    that.forget();
  }
  auto release_ref() -> own<Ref> {
    assert(is_ref());
    auto ref = of_.ref;
    of_.ref = nullptr;
    return own<Ref>(ref);
  }

  auto copy() const -> Val {
    Val out;
    out.kind_ = kind_;
    out.of_ = of_;
    if (is_ref() && of_.ref) out.of_.ref = of_.ref->copy().release();
    return out;
  }

 private:
  void forget() {
    if (is_ref()) of_.ref = nullptr;
  }

  ValKind kind_;
  union {
    int32_t i32;
    int64_t i64;
    float32_t f32;
    float64_t f64;
    Ref* ref;
  } of_;
};

using Value = Val;

template <>
inline auto Val::make<int32_t>(int32_t x) -> Val {
  return Val(x);
}
template <>
inline auto Val::make<int64_t>(int64_t x) -> Val {
  return Val(x);
}
template <>
inline auto Val::make<float32_t>(float32_t x) -> Val {
  return Val(x);
}
template <>
inline auto Val::make<float64_t>(float64_t x) -> Val {
  return Val(x);
}
template <>
inline auto Val::make<uint32_t>(uint32_t x) -> Val {
  return Val(static_cast<int32_t>(x));
}
template <>
inline auto Val::make<uint64_t>(uint64_t x) -> Val {
  return Val(static_cast<int64_t>(x));
}
template <>
inline auto Val::make<Ref>(own<Ref>&& x) -> Val {
  return Val(std::move(x));
}

template <>
inline auto Val::get<int32_t>() const -> int32_t {
  return i32();
}
template <>
inline auto Val::get<int64_t>() const -> int64_t {
  return i64();
}
template <>
inline auto Val::get<float32_t>() const -> float32_t {
  return f32();
}
template <>
inline auto Val::get<float64_t>() const -> float64_t {
  return f64();
}
template <>
inline auto Val::get<uint32_t>() const -> uint32_t {
  return static_cast<uint32_t>(i32());
}
template <>
inline auto Val::get<uint64_t>() const -> uint64_t {
  return static_cast<uint64_t>(i64());
}
template <>
inline auto Val::get<Ref*>() const -> Ref* {
  return ref();
}

// --- Frames and traps ------------------------------------------------------------------------------------------------

using Message = vec<byte_t>;  // with a terminating zero

class Instance;

class WASM_API_EXTERN Frame {
  WASM_HH_OPAQUE(Frame)
  auto copy() const -> own<Frame>;

  auto instance() const -> Instance*;  // the frame's
  auto func_index() const -> uint32_t;
  auto func_offset() const -> size_t;
  auto module_offset() const -> size_t;
};

class WASM_API_EXTERN Trap : public Ref {
  WASM_HH_OPAQUE(Trap)
  static auto make(Store*, const Message& msg) -> own<Trap>;
  auto copy() const -> own<Trap>;

  auto message() const -> Message;
  auto origin() const -> own<Frame>;    // may be null
  auto trace() const -> ownvec<Frame>;  // may be empty, begins with the origin
};

// --- Modules ---------------------------------------------------------------------------------------------------------

template <class T>
class Shared;

class WASM_API_EXTERN Module : public Ref {
  WASM_HH_OPAQUE(Module)
  static auto validate(Store*, const vec<byte_t>& binary) -> bool;
  static auto make(Store*, const vec<byte_t>& binary) -> own<Module>;
  auto copy() const -> own<Module>;

  auto imports() const -> ownvec<ImportType>;
  auto exports() const -> ownvec<ExportType>;

  auto share() const -> own<Shared<Module>>;
  static auto obtain(Store*, const Shared<Module>*) -> own<Module>;

  auto serialize() const -> vec<byte_t>;  // invalid: failed
  static auto deserialize(Store*, const vec<byte_t>&) -> own<Module>;
};

// To be given to other threads.
template <>
class WASM_API_EXTERN Shared<Module> {
  WASM_HH_OPAQUE(Shared)
};

// --- Objects of a store ----------------------------------------------------------------------------------------------

class WASM_API_EXTERN Foreign : public Ref {
  WASM_HH_OPAQUE(Foreign)
  static auto make(Store*) -> own<Foreign>;
  auto copy() const -> own<Foreign>;
};

class Func;
class Global;
class Table;
class Memory;

class WASM_API_EXTERN Extern : public Ref {
  WASM_HH_OPAQUE(Extern)
  auto copy() const -> own<Extern>;

  auto kind() const -> ExternKind;
  auto type() const -> own<ExternType>;

  // The same, as what it is; else nullptr.
  auto func() -> Func*;
  auto global() -> Global*;
  auto table() -> Table*;
  auto memory() -> Memory*;
  auto func() const -> const Func*;
  auto global() const -> const Global*;
  auto table() const -> const Table*;
  auto memory() const -> const Memory*;
};

class WASM_API_EXTERN Func : public Extern {
  WASM_HH_OPAQUE(Func)
  using callback = auto(*)(const vec<Val>&, vec<Val>&) -> own<Trap>;
  using callback_with_env = auto(*)(void*, const vec<Val>&, vec<Val>&) -> own<Trap>;

  static auto make(Store*, const FuncType*, callback) -> own<Func>;
  static auto make(Store*, const FuncType*, callback_with_env, void*, void (*finalizer)(void*) = nullptr) -> own<Func>;
  auto copy() const -> own<Func>;

  auto type() const -> own<FuncType>;
  auto param_arity() const -> size_t;
  auto result_arity() const -> size_t;

  // Null: it returned, and `results` is filled.
  auto call(const vec<Val>& args, vec<Val>& results) const -> own<Trap>;

  // The same as in earlier versions of the standard: arrays as long as the type says.
  using array_callback = auto(*)(const Val[], Val[]) -> own<Trap>;
  using array_callback_with_env = auto(*)(void*, const Val[], Val[]) -> own<Trap>;
  static auto make(Store*, const FuncType*, array_callback) -> own<Func>;
  static auto make(Store*, const FuncType*, array_callback_with_env, void*, void (*finalizer)(void*) = nullptr)
      -> own<Func>;
  auto call(const Val args[] = nullptr, Val results[] = nullptr) const -> own<Trap>;
};

class WASM_API_EXTERN Global : public Extern {
  WASM_HH_OPAQUE(Global)
  static auto make(Store*, const GlobalType*, const Val&) -> own<Global>;
  auto copy() const -> own<Global>;

  auto type() const -> own<GlobalType>;
  auto get() const -> Val;
  void set(const Val&);
};

class WASM_API_EXTERN Table : public Extern {
  WASM_HH_OPAQUE(Table)
  using size_t = uint32_t;

  static auto make(Store*, const TableType*, const Ref* init = nullptr) -> own<Table>;
  auto copy() const -> own<Table>;

  auto type() const -> own<TableType>;
  auto get(size_t index) const -> own<Ref>;
  auto set(size_t index, const Ref*) -> bool;
  auto size() const -> size_t;
  auto grow(size_t delta, const Ref* init = nullptr) -> bool;
};

class WASM_API_EXTERN Memory : public Extern {
  WASM_HH_OPAQUE(Memory)
  static auto make(Store*, const MemoryType*) -> own<Memory>;
  auto copy() const -> own<Memory>;

  using pages_t = uint32_t;
  static const size_t page_size = 0x10000;

  auto type() const -> own<MemoryType>;
  auto data() const -> byte_t*;  // valid until it grows
  auto data_size() const -> size_t;
  auto size() const -> pages_t;
  auto grow(pages_t delta) -> bool;
};

class WASM_API_EXTERN Instance : public Ref {
  WASM_HH_OPAQUE(Instance)
  static auto make(Store*, const Module*, const vec<Extern*>& imports, own<Trap>* = nullptr) -> own<Instance>;
  // The same in earlier versions of the standard: a vector that owns them, and an array with as many as the module
  // imports.
  static auto make(Store*, const Module*, const ownvec<Extern>& imports, own<Trap>* = nullptr) -> own<Instance>;
  static auto make(Store*, const Module*, const Extern* const imports[], own<Trap>* = nullptr) -> own<Instance>;
  auto copy() const -> own<Instance>;

  auto exports() const -> ownvec<Extern>;
};

#undef WASM_HH_OPAQUE

}  // namespace wasm

#endif  // WASM_HH
