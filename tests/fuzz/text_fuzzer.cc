// Any text through the text parser and the script parser; a module that parses is decoded and validated.
#include <cstdint>
#include <string_view>

#include "frontend/binary/module_decoder.h"
#include "frontend/text/wast.h"
#include "frontend/text/wat.h"

using namespace wattle;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view source(reinterpret_cast<const char*>(data), size);
  if (auto bytes = frontend::parseWat(source)) (void)frontend::validateModule(*bytes);
  (void)frontend::parseScript(source);
  return 0;
}
