// Descriptions of commands and their options, and the two commands that print what is made of them.
#include "runtime/cli/description.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "runtime/cli/command.h"
#include "runtime/cli/exit_codes.h"
#include "runtime/cli/terminal.h"

namespace wattle::cli {

namespace {

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= text.size();) {
    size_t end = std::min(text.find(separator, at), text.size());
    parts.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

// A value is named by its type name, which lists choices as "a|b"; a validator appends its own as ":{a,b}".
void describeValue(std::string typeName, OptionDescription& out) {
  if (size_t brace = typeName.find(":{"); brace != std::string::npos) {
    std::string choices = typeName.substr(brace + 2, typeName.find('}', brace) - brace - 2);
    std::ranges::replace(choices, ',', '|');
    typeName = choices;
    out.hint = ValueHint::Choice;
  }
  out.value = typeName;
  if (typeName.find('|') != std::string::npos) out.hint = ValueHint::Choice;
  for (std::string_view directory : {"DIR", "HOST[::GUEST]"}) {
    if (typeName == directory) out.hint = ValueHint::Directory;
  }
  for (std::string_view file : {"FILE", "OUT", "LIST", "NAME=FILE"}) {
    if (typeName == file) out.hint = ValueHint::File;
  }
  if (out.hint == ValueHint::Choice) out.choices = split(typeName, '|');
}

}  // namespace

OptionDescription describe(const CLI::Option& option) {
  OptionDescription out;
  for (const std::string& name : option.get_snames()) out.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) out.names.push_back("--" + name);
  out.help = option.get_description();
  out.repeatable = option.get_expected_max() >= CLI::detail::expected_max_vector_size;
  describeValue(option.get_type_name(), out);
  const bool choice = out.hint == ValueHint::Choice;
  if (option.get_positional()) {
    if (!choice) describeValue(option.get_name(true, false), out);
  } else if (option.get_expected_min() == 0) {  // a flag; one with choices can be given one
    if (!choice) out.value.clear();
    out.optionalValue = choice;
  }
  return out;
}

std::vector<CommandDescription> describeCommands() {
  std::vector<CommandDescription> all;
  for (const Command& command : kCommands) {
    CommandDescription description;
    command.function({{}, &description});
    description.name = command.name;
    description.summary = command.summary;
    all.push_back(std::move(description));
  }
  return all;
}

int completionsCommand(const Invocation& invocation) {
  std::string shell;
  CommandLine line("Print a script that completes the command line of wattle in a shell.", "wattle completions SHELL");
  line.app().add_option("SHELL", shell, "bash, zsh or fish")->required()->type_name("bash|zsh|fish");
  line.footer(
      "Examples:\n"
      "  source <(wattle completions bash)\n"
      "  wattle completions fish > ~/.config/fish/completions/wattle.fish\n");
  if (auto done = line.parse(invocation)) return *done;
  std::string script = completionScript(shell, describeCommands());
  if (script.empty()) return usageError("completions {}: the shells are bash, zsh and fish", shell);
  write(script);
  return finishOutput(kOk);
}

namespace {

Result<void> writePage(const std::string& folder, const std::string& name, const std::string& page) {
  std::string path = fmt::format("{}/{}.1", folder, name);
  std::ofstream file(path);
  file << page;
  file.close();
  if (file) return {};
  return std::unexpected(Error::make(ErrorKind::Io, fmt::format("cannot write {}: {}", path, strerror(errno))));
}

int writePages(const std::string& folder, const std::vector<CommandDescription>& commands) {
  auto written = writePage(folder, "wattle", manualPage(commands));
  for (const CommandDescription& command : commands) {
    if (written) written = writePage(folder, "wattle-" + command.name, manualPage(command));
  }
  return written ? int{kOk} : report(written.error(), "");
}

}  // namespace

int manualCommand(const Invocation& invocation) {
  std::string name, folder;
  CommandLine line("Print a manual page, in the form that man reads.", "wattle manual [COMMAND]");
  line.app().add_option("COMMAND", name, "The command that the page is about (default: wattle as a whole)");
  auto* all = line.app().add_option("--all", folder, "Write all pages into this folder instead");
  all->type_name("DIR")->excludes(line.app().get_option("COMMAND"));
  line.footer(
      "Examples:\n"
      "  man <(wattle manual run)\n"
      "  wattle manual --all /usr/local/share/man/man1\n");
  if (auto done = line.parse(invocation)) return *done;
  auto commands = describeCommands();
  if (!folder.empty()) return finishOutput(writePages(folder, commands));
  if (name.empty()) {
    write(manualPage(commands));
    return finishOutput(kOk);
  }
  auto found = std::ranges::find(commands, name, &CommandDescription::name);
  if (found == commands.end()) return usageError("manual {}: there is no such command", name);
  write(manualPage(*found));
  return finishOutput(kOk);
}

}  // namespace wattle::cli
