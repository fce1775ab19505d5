// The binary module that a finished ModuleContext describes.
#pragma once

#include <cstdint>
#include <vector>

#include "frontend/text/module_context.h"
#include "frontend/text/wat.h"

namespace wattle::frontend::text {

std::vector<uint8_t> writeModule(const ModuleContext& context, const WatOptions& options);

}  // namespace wattle::frontend::text
