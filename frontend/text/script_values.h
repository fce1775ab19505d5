// Arguments and expected results in scripts.
#pragma once

#include "frontend/text/cursor.h"
#include "frontend/text/wast.h"

namespace wattle::frontend::text {

ScriptValue parseScriptValue(Cursor& cursor);    // (i32.const 1), (ref.null func), (ref.extern 2), ...
ScriptResult parseScriptResult(Cursor& cursor);  // the same, and patterns

}  // namespace wattle::frontend::text
