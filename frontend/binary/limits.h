// Implementation limits: those of the WebAssembly JavaScript interface where it has one, so that what runs in a browser
// is not refused here.
#pragma once

#include <cstdint>

namespace wattle::frontend {

inline constexpr uint32_t kMaxTypes = 1'000'000;
inline constexpr uint32_t kMaxFunctions = 1'000'000;
inline constexpr uint32_t kMaxImports = 1'000'000;
inline constexpr uint32_t kMaxExports = 1'000'000;
inline constexpr uint32_t kMaxGlobals = 1'000'000;
inline constexpr uint32_t kMaxTags = 1'000'000;
inline constexpr uint32_t kMaxTables = 100'000;
inline constexpr uint32_t kMaxMemories = 100'000;
inline constexpr uint32_t kMaxElementSegments = 1'000'000;
inline constexpr uint32_t kMaxDataSegments = 1'000'000;
inline constexpr uint32_t kMaxParams = 1'000;
inline constexpr uint32_t kMaxResults = 1'000;
inline constexpr uint32_t kMaxStructFields = 10'000;
inline constexpr uint32_t kMaxSubtypeDepth = 63;
inline constexpr uint32_t kMaxLocals = 50'000;

}  // namespace wattle::frontend
