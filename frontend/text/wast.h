// The script language of the conformance suite (.wast): commands with their modules already turned into bytes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "frontend/error.h"
#include "frontend/text/wat.h"
#include "frontend/types.h"

namespace wattle::frontend {

// A module as it stands in a script. A text that does not parse is no error of the script: it is kept in `bytes` for
// the runner to judge, since assert_malformed asks for just that.
struct ScriptModule {
  enum class Form : uint8_t { Text, Binary, Quote };
  Form form = Form::Text;
  std::string name;  // without the "$"; empty for none
  // The binary module. The offset of an error is relative to `source` for Quote, to the script for Text.
  Result<std::vector<uint8_t>> bytes;
  std::string source;  // Quote: the quoted text
};

// An argument of an action.
struct ScriptValue {
  enum class Kind : uint8_t { Number, Null, Extern, Host };
  Kind kind = Kind::Number;
  ValType type;               // Number: i32 to v128; otherwise the reference's type ((ref.host N) is a non-null anyref)
  uint64_t bits[2] = {0, 0};  // Number: little-endian bits; Extern and Host: the number in bits[0]
};

enum class NanPattern : uint8_t { None, Canonical, Arithmetic };

// A scalar, or one lane of a vector.
struct LanePattern {
  uint64_t bits = 0;  // zero-extended; for a NaN pattern only the sign-less canonical bits
  NanPattern nan = NanPattern::None;
};

enum class LaneShape : uint8_t { I8x16, I16x8, I32x4, I64x2, F32x4, F64x2 };

// What an action is expected to return.
struct ScriptResult {
  enum class Kind : uint8_t {
    Number,  // `type`, lanes[0]
    Vector,  // `shape`, lanes[0..]
    Null,    // any null reference; `type` says which if it was written, otherwise isBottom()
    Ref,     // a non-null reference that is a `type` ((ref.func), (ref.eq), ...), whatever its value
    Extern,  // (ref.extern N): the external reference numbered `number`
    Host,    // (ref.host N): the host reference numbered `number` in the any hierarchy
    Either,  // one of `alternatives`
  };
  Kind kind = Kind::Number;
  ValType type;
  LaneShape shape = LaneShape::I32x4;
  std::array<LanePattern, 16> lanes{};
  uint64_t number = 0;
  std::vector<ScriptResult> alternatives;
};

struct ScriptAction {
  enum class Kind : uint8_t { Invoke, Get };
  Kind kind = Kind::Invoke;
  std::string module;  // instance named "$module", or the last one when empty
  std::string field;
  std::vector<ScriptValue> arguments;
};

struct Command;

// (module ...): define and instantiate. (module definition ...): define only.
struct ModuleCommand {
  ScriptModule module;
  bool definitionOnly = false;
};
// (module instance $name $definition)
struct InstanceCommand {
  std::string name;
  std::string definition;  // the last module when empty
};
struct RegisterCommand {
  std::string as;
  std::string module;  // the last instance when empty
};
struct ActionCommand {
  ScriptAction action;
};
struct AssertReturn {
  ScriptAction action;
  std::vector<ScriptResult> results;
};
// The action ends as `kind` says; `message` starts the runtime's message (empty for exceptions).
struct AssertFailure {
  enum class Kind : uint8_t { Trap, Exhaustion, Exception, Suspension };
  Kind kind = Kind::Trap;
  ScriptAction action;
  std::string message;
};
// The module is refused at the stage that `kind` names. The Custom kinds are about custom sections and annotations,
// which an implementation may ignore. Trap: instantiation traps.
struct AssertModule {
  enum class Kind : uint8_t { Malformed, Invalid, Unlinkable, Trap, MalformedCustom, InvalidCustom };
  Kind kind = Kind::Malformed;
  ScriptModule module;
  std::string message;
};
// (thread $name (shared (module $M))* command*), threads proposal: runs the commands beside the script.
struct ThreadCommand {
  std::string name;
  std::vector<std::string> sharedModules;
  std::vector<Command> commands;
};
struct WaitCommand {
  std::string thread;
};

struct Command {
  uint32_t line = 0;    // where its opening parenthesis stands, from 1
  uint64_t offset = 0;  // the same in bytes
  std::variant<ModuleCommand, InstanceCommand, RegisterCommand, ActionCommand, AssertReturn, AssertFailure,
               AssertModule, ThreadCommand, WaitCommand>
      what;
};

struct Script {
  std::vector<Command> commands;
};

// A file that holds bare module fields is a script of one module.
Result<Script> parseScript(std::string_view source);

}  // namespace wattle::frontend
