#include <algorithm>

#include "frontend/text/module_parser.h"
#include "frontend/text/script_values.h"
#include "frontend/text/wast.h"

namespace wattle::frontend {
namespace {

using text::AnnotationKind;
using text::Cursor;
using text::TokenKind;

constexpr std::string_view kFieldWords[] = {"type",   "rec", "import", "func",  "table", "memory",
                                            "global", "tag", "export", "start", "elem",  "data"};
constexpr unsigned kMaxThreadDepth = 8;

class ScriptParser {
 public:
  explicit ScriptParser(std::string_view source) : source_(source), stream_(text::tokenize(source)), cursor_(stream_) {}

  Result<Script> parse() {
    Script script;
    bool isBareModule = std::ranges::any_of(kFieldWords, [&](std::string_view word) { return cursor_.isOpen(word); });
    if (isBareModule) {
      ScriptModule module{
          .form = ScriptModule::Form::Text, .name = {}, .bytes = parseText(0, tokenCount()), .source = {}};
      script.commands.push_back(Command{1, 0, ModuleCommand{std::move(module), false}});
      return script;
    }
    parseCommands(script.commands, 0);
    if (!cursor_.is(TokenKind::End)) cursor_.failUnexpected();
    if (cursor_.failed()) return std::unexpected(*cursor_.error());
    return script;
  }

 private:
  uint32_t tokenCount() const { return static_cast<uint32_t>(stream_.tokens.size()); }

  void parseCommands(std::vector<Command>& commands, unsigned depth) {
    while (cursor_.is(TokenKind::Open)) {
      Command command{lineOf(cursor_.offset()), cursor_.offset(), {}};
      parseCommand(command, depth);
      commands.push_back(std::move(command));
    }
  }

  // Lines are counted on from the last command's.
  uint32_t lineOf(uint32_t offset) {
    line_ += static_cast<uint32_t>(std::count(source_.begin() + lineOffset_, source_.begin() + offset, '\n'));
    lineOffset_ = offset;
    return line_;
  }

  void parseCommand(Command& command, unsigned depth) {
    if (cursor_.isOpen("module")) return parseModuleCommand(command);
    if (cursor_.isOpen("invoke") || cursor_.isOpen("get")) {
      command.what = ActionCommand{parseAction()};
      return;
    }
    cursor_.advance();
    std::string_view word = cursor_.is(TokenKind::Keyword) ? cursor_.text() : "";
    if (word.starts_with("assert_")) {
      parseAssertion(command, word);
    } else if (cursor_.takeKeyword("register")) {
      std::string as = cursor_.expectName();
      command.what = RegisterCommand{std::move(as), takeName()};
    } else if (cursor_.takeKeyword("thread")) {
      parseThread(command, depth);
    } else if (cursor_.takeKeyword("wait")) {
      command.what = WaitCommand{takeName()};
    } else {
      cursor_.failUnexpected();
    }
    cursor_.expectClose();
  }

  std::string takeName() { return std::string(cursor_.takeId().value_or("")); }

  void parseModuleCommand(Command& command) {
    if (cursor_.isKeyword("instance", 2)) {
      cursor_.takeOpen("module");
      cursor_.advance();
      std::string name = takeName();
      command.what = InstanceCommand{std::move(name), takeName()};
      return cursor_.expectClose();
    }
    bool isDefinition = cursor_.isKeyword("definition", 2);
    command.what = ModuleCommand{parseModule(), isDefinition};
  }

  // (module definition? $name? ...), in any of its forms.
  ScriptModule parseModule() {
    ScriptModule module{.form = ScriptModule::Form::Text, .name = {}, .bytes = {}, .source = {}};
    uint32_t begin = cursor_.position();
    if (!cursor_.takeOpen("module")) {
      cursor_.failUnexpected();
      return module;
    }
    cursor_.takeKeyword("definition");
    module.name = takeName();
    bool isBinary = cursor_.takeKeyword("binary");
    if (isBinary || cursor_.takeKeyword("quote")) {
      std::string contents;
      while (cursor_.is(TokenKind::String)) contents += cursor_.expectString();
      cursor_.expectClose();
      finishModule(module, isBinary, std::move(contents));
      return module;
    }
    cursor_.skipToClose();
    if (!cursor_.failed()) module.bytes = parseText(begin, cursor_.position());
    return module;
  }

  void finishModule(ScriptModule& module, bool isBinary, std::string contents) {
    if (cursor_.failed()) return;
    if (isBinary) {
      module.form = ScriptModule::Form::Binary;
      module.bytes = std::vector<uint8_t>(contents.begin(), contents.end());
    } else {
      module.form = ScriptModule::Form::Quote;
      module.bytes = parseWat(contents);
      module.source = std::move(contents);
    }
  }

  // A text module that is these tokens of the script.
  Result<std::vector<uint8_t>> parseText(uint32_t begin, uint32_t end) {
    Cursor cursor(stream_, begin, end);
    WatOptions options;
    return text::ModuleParser(cursor, options).parseModule(true);
  }

  ScriptAction parseAction() {
    ScriptAction action;
    bool isInvoke = cursor_.takeOpen("invoke");
    if (!isInvoke && !cursor_.takeOpen("get")) {
      cursor_.failUnexpected();
      return action;
    }
    action.kind = isInvoke ? ScriptAction::Kind::Invoke : ScriptAction::Kind::Get;
    action.module = takeName();
    action.field = cursor_.expectName();
    while (isInvoke && cursor_.is(TokenKind::Open)) action.arguments.push_back(text::parseScriptValue(cursor_));
    cursor_.expectClose();
    return action;
  }

  void parseAssertion(Command& command, std::string_view word) {
    using ModuleKind = AssertModule::Kind;
    using FailureKind = AssertFailure::Kind;
    if (cursor_.isUnknownWord()) return cursor_.failUnexpected();
    cursor_.advance();
    if (word == "assert_return") return parseReturn(command);
    if (word == "assert_malformed") return parseModuleAssertion(command, ModuleKind::Malformed);
    if (word == "assert_invalid") return parseModuleAssertion(command, ModuleKind::Invalid);
    if (word == "assert_unlinkable") return parseModuleAssertion(command, ModuleKind::Unlinkable);
    if (word == "assert_malformed_custom") return parseModuleAssertion(command, ModuleKind::MalformedCustom);
    if (word == "assert_invalid_custom") return parseModuleAssertion(command, ModuleKind::InvalidCustom);
    if (word == "assert_exhaustion") return parseFailure(command, FailureKind::Exhaustion);
    if (word == "assert_exception") return parseFailure(command, FailureKind::Exception);
    if (word == "assert_suspension") return parseFailure(command, FailureKind::Suspension);
    if (cursor_.isOpen("module")) return parseModuleAssertion(command, ModuleKind::Trap);
    parseFailure(command, FailureKind::Trap);
  }

  void parseReturn(Command& command) {
    AssertReturn assertion{parseAction(), {}};
    while (cursor_.is(TokenKind::Open)) assertion.results.push_back(text::parseScriptResult(cursor_));
    command.what = std::move(assertion);
  }

  void parseFailure(Command& command, AssertFailure::Kind kind) {
    AssertFailure assertion{kind, parseAction(), {}};
    if (kind != AssertFailure::Kind::Exception) assertion.message = cursor_.expectString();
    command.what = std::move(assertion);
  }

  void parseModuleAssertion(Command& command, AssertModule::Kind kind) {
    ScriptModule module = parseModule();
    command.what = AssertModule{kind, std::move(module), cursor_.expectString()};
  }

  void parseThread(Command& command, unsigned depth) {
    if (depth == kMaxThreadDepth) return cursor_.fail("threads nested too deeply", ErrorKind::Limit);
    ThreadCommand thread;
    thread.name = takeName();
    while (cursor_.takeOpen("shared")) {
      if (!cursor_.takeOpen("module")) cursor_.failUnexpected();
      thread.sharedModules.push_back(takeName());
      cursor_.expectClose();
      cursor_.expectClose();
    }
    parseCommands(thread.commands, depth + 1);
    command.what = std::move(thread);
  }

  std::string_view source_;
  text::TokenStream stream_;
  Cursor cursor_;
  uint32_t line_ = 1;
  uint32_t lineOffset_ = 0;
};

}  // namespace

Result<Script> parseScript(std::string_view source) {
  if (source.size() > UINT32_MAX) return std::unexpected(Error{ErrorKind::Limit, "text of 4 GiB or more", 0, {}});
  return ScriptParser(source).parse();
}

}  // namespace wattle::frontend
