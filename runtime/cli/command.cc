#include "runtime/cli/command.h"

#include <fmt/ranges.h>

#include "runtime/cli/exit_codes.h"
#include "runtime/cli/terminal.h"

namespace wattle::cli {

namespace {

class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(std::string usage) : usage_(std::move(usage)) { column_width(28); }
  std::string make_usage(const CLI::App*, std::string) const override { return "Usage: " + usage_ + "\n"; }
  std::string make_option_name(const CLI::Option* option, bool isPositional) const override {
    return isPositional ? option->get_name(true, false) : fmt::format("{}", fmt::join(describe(*option).names, ","));
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    OptionDescription d = describe(*option);
    if (option->get_positional()) return d.repeatable ? " ..." : "";
    if (d.optionalValue) return "[=" + d.value + "]";
    return (d.value.empty() ? "" : " " + d.value) + (d.repeatable ? " ..." : "");
  }
  std::string make_footer(const CLI::App* app) const override { return "\n" + app->get_footer(); }

 private:
  std::string usage_;
};

}  // namespace

CommandLine::CommandLine(std::string description, std::string usage)
    : app_(std::move(description)), usage_(std::move(usage)) {
  app_.set_help_flag("-h,--help", "Show this help");
  app_.formatter(std::make_shared<HelpFormatter>(usage_));
  app_.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void CommandLine::describeTo(CommandDescription& out) const {
  out.about = app_.get_description();
  out.usage = usage_;
  out.footer = app_.get_footer();
  out.passesRest = app_.get_prefix_command();
  for (const CLI::Option* option : app_.get_options()) {
    (option->get_positional() ? out.positionals : out.options).push_back(describe(*option));
  }
}

std::optional<int> CommandLine::parse(const Invocation& invocation) {
  if (invocation.describe) {
    describeTo(*invocation.describe);
    return kOk;
  }
  const Arguments& arguments = invocation.arguments;
  try {
    app_.parse(Arguments(arguments.rbegin(), arguments.rend()));
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    write(app_.help());
    return finishOutput(kOk);
  } catch (const CLI::ParseError& error) {
    return usageError("{} (usage: {})", error.what(), usage_);
  }
}

void CompileOptions::add(CLI::App& app) {
  app.add_flag("--lazy", lazy, "Compile each function at its first call");
  app.add_flag("--eager", eager, "Compile all functions first (default: lazy for modules over 2 MiB)");
  app.add_option("--bounds", bounds, "How memory accesses are checked: auto, guarded (by guard pages) or checked")
      ->type_name("auto|guarded|checked");
}

std::optional<int> CompileOptions::apply(Config& config) const {
  if (lazy && eager) return usageError("--lazy and --eager exclude each other");
  if (lazy || eager) config.lazy = lazy;
  if (bounds == "auto") {
    config.bounds = BoundsMode::Auto;
  } else if (bounds == "guarded") {
    config.bounds = BoundsMode::Guarded;
  } else if (bounds == "checked") {
    config.bounds = BoundsMode::Checked;
  } else {
    return usageError("--bounds {}: the modes are auto, guarded and checked", bounds);
  }
  return std::nullopt;
}

}  // namespace wattle::cli
