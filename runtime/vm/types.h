// Value types in their three forms, and the only conversions between them.
//
//   module-local   frontend::ValType whose heap indices are type indices of one module
//   canonical      frontend::ValType whose heap indices are ids of the process-wide TypeRegistry: all of runtime/vm
//   speaks this API            wattle::ValType
#pragma once

#include <cstdint>
#include <span>

#include "frontend/module.h"
#include "frontend/types.h"
#include "wattle/wattle.hpp"

namespace wattle::vm {

// module-local -> canonical; `typeIds` is the module's table of canonical ids by type index.
frontend::ValType canonical(frontend::ValType local, std::span<const uint32_t> typeIds);
frontend::TableType canonical(const frontend::TableType& local, std::span<const uint32_t> typeIds);
frontend::GlobalType canonical(const frontend::GlobalType& local, std::span<const uint32_t> typeIds);

// canonical -> API
wattle::ValType toApi(frontend::ValType type);
wattle::FuncType toApi(const frontend::FuncType& type);
wattle::TableType toApi(const frontend::TableType& type);
wattle::MemoryType toApi(const frontend::MemoryType& type);
wattle::GlobalType toApi(const frontend::GlobalType& type);

// API -> canonical. Fails for a type id that no living module or function has.
Result<frontend::ValType> fromApi(const wattle::ValType& type);
Result<frontend::FuncType> fromApi(const wattle::FuncType& type);
Result<frontend::TableType> fromApi(const wattle::TableType& type);
Result<frontend::MemoryType> fromApi(const wattle::MemoryType& type);
Result<frontend::GlobalType> fromApi(const wattle::GlobalType& type);

// The hierarchies of reference types (spec "Types / Heap Types"): what a word of the type means.
enum class RefKind : uint8_t { Func, Extern, Any, Exn };
RefKind refKind(frontend::ValType canonicalRef);

}  // namespace wattle::vm
