// Arguments and results of --invoke.
#pragma once

#include <string>
#include <string_view>

#include "wattle/wattle.hpp"

namespace wattle::cli {

// The spelling of every type's arguments, for the help.
extern const char* const kValueHelp;

// `text` as a value of `type`. An externref may be any text, kept in the store and printed back by formatValue.
Result<Val> parseValue(Store& store, const ValType& type, std::string_view text);

// One line, in the spelling parseValue takes where it takes one.
std::string formatValue(const Store& store, const Val& value);

}  // namespace wattle::cli
