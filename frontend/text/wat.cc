#include "frontend/text/wat.h"

#include <algorithm>

#include "frontend/text/module_parser.h"

namespace wattle::frontend {

Result<std::vector<uint8_t>> parseWat(std::string_view source, const WatOptions& options) {
  if (source.size() > UINT32_MAX) return std::unexpected(Error{ErrorKind::Limit, "text of 4 GiB or more", 0, {}});
  text::TokenStream stream = text::tokenize(source);
  text::Cursor cursor(stream);
  return text::ModuleParser(cursor, options).parseModule();
}

LineColumn lineColumn(std::string_view source, uint64_t offset) {
  std::string_view before = source.substr(0, std::min<uint64_t>(offset, source.size()));
  size_t lineStart = before.rfind('\n') + 1;  // npos + 1 is 0
  return {static_cast<uint32_t>(std::ranges::count(before, '\n') + 1),
          static_cast<uint32_t>(before.size() - lineStart + 1)};
}

}  // namespace wattle::frontend
