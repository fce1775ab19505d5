#include "runtime/cli/command.h"

#include "runtime/cli/exit_codes.h"
#include "runtime/cli/terminal.h"

namespace wattle::cli {

namespace {

class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(std::string usage) : usage_(std::move(usage)) { column_width(28); }
  std::string make_usage(const CLI::App*, std::string) const override { return "Usage: " + usage_ + "\n"; }
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

std::optional<int> CommandLine::parse(const Arguments& arguments) {
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
      ->type_name("MODE");
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
