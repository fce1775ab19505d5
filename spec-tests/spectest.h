// The host module "spectest" that the conformance scripts import from.
#pragma once

#include "wattle/wattle.hpp"

namespace wattle::spec {

Result<void> addSpectest(Store& store, Linker& linker);

}  // namespace wattle::spec
