// What a command takes, as data: read from its option parser, so that completions and manual pages never differ from
// it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class Option;
}

namespace wattle::cli {

// What is to be offered where a value stands.
enum class ValueHint { Any, File, Directory, Choice };

struct OptionDescription {
  std::vector<std::string> names;  // "-o", "--output"; empty for a positional
  std::string value;               // "SIZE", "trap|zero"; empty: takes none
  bool optionalValue = false;      // given as --name=VALUE or left out
  bool repeatable = false;
  std::string help;
  ValueHint hint = ValueHint::Any;
  std::vector<std::string> choices;  // ValueHint::Choice
};

struct CommandDescription {
  std::string name;
  std::string summary;  // as in `wattle --help`
  std::string about;    // as in its own help
  std::string usage;
  std::string footer;  // paragraphs, some with a first line such as "Examples:"
  std::vector<OptionDescription> options;
  std::vector<OptionDescription> positionals;
  bool passesRest = false;  // what follows the file is not the command's: options end there
};

OptionDescription describe(const CLI::Option& option);

// Of all commands that can be given, in the order of the help.
std::vector<CommandDescription> describeCommands();

// "bash", "zsh" or "fish"; empty for another.
std::string completionScript(std::string_view shell, const std::vector<CommandDescription>& commands);

// A manual page in the man macros: of wattle itself, or of one command.
std::string manualPage(const std::vector<CommandDescription>& commands);
std::string manualPage(const CommandDescription& command);

}  // namespace wattle::cli
