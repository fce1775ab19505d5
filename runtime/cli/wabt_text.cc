#include "runtime/cli/wabt_text.h"

#include <fmt/format.h>
#include <wabt/apply-names.h>
#include <wabt/binary-reader-ir.h>
#include <wabt/binary-reader.h>
#include <wabt/config.h>
#include <wabt/decompiler.h>
#include <wabt/generate-names.h>
#include <wabt/ir.h>
#include <wabt/stream.h>
#include <wabt/wat-writer.h>

#include <cstdio>

#include "frontend/optimize/isolated.h"

namespace wattle::cli {

namespace {

enum ChildExit { kDone = 0, kRefused = 100 };

int refuse(const wabt::Errors& errors) {
  if (!errors.empty()) fmt::print(stderr, "{}\n", errors.front().message);
  fflush(stderr);
  return kRefused;
}

int decompile(wabt::Module& module, int output) {
  if (Failed(wabt::GenerateNames(&module, wabt::NameOpts::AlphaNames))) return kRefused;
  wabt::RenameAll(module);
  if (Failed(wabt::ApplyNames(&module))) return kRefused;
  std::string text = wabt::Decompile(module, wabt::DecompileOptions());
  return frontend::writeAll(output, text.data(), text.size()) ? kDone : kRefused;
}

int writeWat(wabt::Module& module, int output) {
  if (Failed(wabt::ApplyNames(&module))) return kRefused;
  wabt::MemoryStream stream;
  if (Failed(wabt::WriteWat(&stream, &module, wabt::WriteWatOptions()))) return kRefused;
  const auto& text = stream.output_buffer().data;
  return frontend::writeAll(output, text.data(), text.size()) ? kDone : kRefused;
}

int printInChild(std::span<const uint8_t> bytes, TextForm form, int output) {
  wabt::Features features;
  features.EnableAll();
  constexpr bool kReadDebugNames = true, kStopOnFirstError = true, kFailOnCustomSectionError = false;
  wabt::ReadBinaryOptions options(features, nullptr, kReadDebugNames, kStopOnFirstError, kFailOnCustomSectionError);
  wabt::Module module;
  wabt::Errors errors;
  if (Failed(wabt::ReadBinaryIr("module", bytes.data(), bytes.size(), options, &errors, &module)))
    return refuse(errors);
  return form == TextForm::Wat ? writeWat(module, output) : decompile(module, output);
}

}  // namespace

std::expected<std::string, std::string> printModule(std::span<const uint8_t> bytes, TextForm form) {
  // In a child, since wabt asserts on some modules.
  auto result = frontend::runIsolated([&](int output) { return printInChild(bytes, form, output); });
  if (!result) return std::unexpected(result.error());
  if (result->exitCode == kDone) return std::string(result->output.begin(), result->output.end());
  return std::unexpected(fmt::format("the installed wabt ({}) cannot print this module{}{}", WABT_VERSION_STRING,
                                     result->said.empty() ? "" : ": ", result->said));
}

}  // namespace wattle::cli
