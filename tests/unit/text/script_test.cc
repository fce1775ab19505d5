#include <gtest/gtest.h>

#include <string>

#include "frontend/text/wast.h"

namespace wattle::frontend {
namespace {

std::vector<Command> commands(std::string_view source) {
  Result<Script> script = parseScript(source);
  EXPECT_TRUE(script.has_value()) << script.error().message;
  return script ? std::move(script->commands) : std::vector<Command>();
}

template <class T>
T only(std::string_view source) {
  std::vector<Command> all = commands(source);
  EXPECT_EQ(all.size(), 1u);
  return std::get<T>(all.at(0).what);
}

TEST(Script, ModulesInEveryForm) {
  std::vector<Command> all = commands(
      "(module $a (func))\n"
      "(module definition $b binary \"\\00asm\" \"\\01\\00\\00\\00\")\n"
      "(module quote \"(func\" \")\")\n"
      "(module instance $i $b)");
  ASSERT_EQ(all.size(), 4u);
  const auto& text = std::get<ModuleCommand>(all[0].what);
  EXPECT_EQ(text.module.name, "a");
  EXPECT_FALSE(text.definitionOnly);
  EXPECT_TRUE(text.module.bytes.has_value());
  const auto& binary = std::get<ModuleCommand>(all[1].what);
  EXPECT_TRUE(binary.definitionOnly);
  EXPECT_EQ(binary.module.form, ScriptModule::Form::Binary);
  EXPECT_EQ(binary.module.bytes->size(), 8u);
  EXPECT_EQ(all[1].line, 2u);
  const auto& quote = std::get<ModuleCommand>(all[2].what);
  EXPECT_EQ(quote.module.source, "(func)");
  EXPECT_TRUE(quote.module.bytes.has_value());
  const auto& instance = std::get<InstanceCommand>(all[3].what);
  EXPECT_EQ(instance.name, "i");
  EXPECT_EQ(instance.definition, "b");
}

TEST(Script, BareFieldsAreOneModule) {
  EXPECT_TRUE(only<ModuleCommand>("(func) (memory 0) (func (export \"f\"))").module.bytes.has_value());
  EXPECT_TRUE(commands("").empty());
}

TEST(Script, AMalformedModuleDoesNotSpoilTheScript) {
  std::vector<Command> all = commands(
      "(assert_malformed (module quote \"(func bad)\") \"unknown operator\")"
      "(assert_invalid (module (func bad)) \"x\")"
      "(assert_trap (module (func) (start 0)) \"unreachable\")");
  ASSERT_EQ(all.size(), 3u);
  const auto& quoted = std::get<AssertModule>(all[0].what);
  EXPECT_EQ(quoted.kind, AssertModule::Kind::Malformed);
  EXPECT_EQ(quoted.message, "unknown operator");
  ASSERT_FALSE(quoted.module.bytes.has_value());
  EXPECT_EQ(quoted.module.bytes.error().message, "unknown operator bad");
  EXPECT_EQ(quoted.module.bytes.error().offset, 6u);  // in the quoted text
  EXPECT_FALSE(std::get<AssertModule>(all[1].what).module.bytes.has_value());
  EXPECT_EQ(std::get<AssertModule>(all[2].what).kind, AssertModule::Kind::Trap);
}

TEST(Script, ActionsAndArguments) {
  auto invoke = only<ActionCommand>(
                    "(invoke $m \"f\" (i32.const -1) (f64.const nan:0x1) (v128.const i64x2 1 -1)"
                    " (ref.null extern) (ref.extern 3) (ref.host 4))")
                    .action;
  EXPECT_EQ(invoke.module, "m");
  EXPECT_EQ(invoke.field, "f");
  ASSERT_EQ(invoke.arguments.size(), 6u);
  EXPECT_EQ(invoke.arguments[0].type, kI32);
  EXPECT_EQ(invoke.arguments[0].bits[0], 0xffffffffu);
  EXPECT_EQ(invoke.arguments[1].bits[0], 0x7ff0000000000001u);
  EXPECT_EQ(invoke.arguments[2].bits[0], 1u);
  EXPECT_EQ(invoke.arguments[2].bits[1], ~uint64_t{0});
  EXPECT_EQ(invoke.arguments[3].type, kExternRef);
  EXPECT_EQ(invoke.arguments[4].bits[0], 3u);
  EXPECT_EQ(invoke.arguments[5].kind, ScriptValue::Kind::Host);
  EXPECT_EQ(only<ActionCommand>("(get \"g\")").action.kind, ScriptAction::Kind::Get);
}

TEST(Script, ExpectedResults) {
  auto assertion = only<AssertReturn>(
      "(assert_return (get \"g\") (f32.const nan:canonical) (v128.const f32x4 1 nan:arithmetic 0 -0) (ref.null)"
      " (ref.null any) (ref.func) (ref.func 3) (ref.i31) (ref.extern) (ref.extern 7) (ref.host 8)"
      " (either (i32.const 1) (i32.const 2)))");
  ASSERT_EQ(assertion.results.size(), 11u);
  EXPECT_EQ(assertion.results[0].lanes[0].nan, NanPattern::Canonical);
  EXPECT_EQ(assertion.results[1].shape, LaneShape::F32x4);
  EXPECT_EQ(assertion.results[1].lanes[0].bits, 0x3f800000u);
  EXPECT_EQ(assertion.results[1].lanes[1].nan, NanPattern::Arithmetic);
  EXPECT_EQ(assertion.results[1].lanes[3].bits, 0x80000000u);
  EXPECT_TRUE(assertion.results[2].type.isBottom());
  EXPECT_EQ(assertion.results[3].type, kAnyRef);
  EXPECT_EQ(assertion.results[4].kind, ScriptResult::Kind::Ref);
  EXPECT_EQ(assertion.results[5].type, kFuncRef.asNonNull());
  EXPECT_EQ(assertion.results[6].type, kI31Ref.asNonNull());
  EXPECT_EQ(assertion.results[7].kind, ScriptResult::Kind::Ref);
  EXPECT_EQ(assertion.results[8].kind, ScriptResult::Kind::Extern);
  EXPECT_EQ(assertion.results[8].number, 7u);
  EXPECT_EQ(assertion.results[9].kind, ScriptResult::Kind::Host);
  EXPECT_EQ(assertion.results[10].alternatives.size(), 2u);
}

TEST(Script, Failures) {
  auto trap = only<AssertFailure>("(assert_trap (invoke \"f\") \"unreachable\")");
  EXPECT_EQ(trap.kind, AssertFailure::Kind::Trap);
  EXPECT_EQ(trap.message, "unreachable");
  EXPECT_EQ(only<AssertFailure>("(assert_exception (invoke \"f\"))").kind, AssertFailure::Kind::Exception);
  EXPECT_EQ(only<AssertFailure>("(assert_exhaustion (invoke \"f\") \"s\")").kind, AssertFailure::Kind::Exhaustion);
  EXPECT_EQ(only<RegisterCommand>("(register \"M\" $m)").module, "m");
}

TEST(Script, Threads) {
  std::vector<Command> all =
      commands("(thread $T (shared (module $M)) (register \"mem\" $M) (module (func)) (invoke \"f\"))\n(wait $T)");
  ASSERT_EQ(all.size(), 2u);
  const auto& thread = std::get<ThreadCommand>(all[0].what);
  EXPECT_EQ(thread.name, "T");
  EXPECT_EQ(thread.sharedModules, std::vector<std::string>{"M"});
  EXPECT_EQ(thread.commands.size(), 3u);
  EXPECT_EQ(std::get<WaitCommand>(all[1].what).thread, "T");
}

TEST(Script, Errors) {
  for (const char* bad :
       {"(nonsense)", "(assert_return)", "(module", "(assert_other (module) \"\")", "(invoke f)", "x", "(module) )"}) {
    EXPECT_FALSE(parseScript(bad).has_value()) << bad;
  }
  std::string nested;
  for (int i = 0; i < 100000; ++i) nested += "(thread ";
  EXPECT_EQ(parseScript(nested).error().kind, ErrorKind::Limit);
}

}  // namespace
}  // namespace wattle::frontend
