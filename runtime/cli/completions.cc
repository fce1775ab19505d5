// Completions for the three usual shells. Words and help come from the commands' descriptions; only what is common to
// all commands is said here: the first word is a command or a file, and `run` is meant where there is none.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "runtime/cli/description.h"

namespace wattle::cli {

namespace {

// Options that `wattle` itself takes.
constexpr std::string_view kOwnOptions[][3] = {{"h", "help", "Show help"}, {"V", "version", "Show the version"}};

std::vector<std::string> namesOf(const CommandDescription& command) {
  std::vector<std::string> names;
  for (const auto& option : command.options) names.insert(names.end(), option.names.begin(), option.names.end());
  return names;
}

std::vector<std::string> commandNames(const std::vector<CommandDescription>& commands) {
  std::vector<std::string> names;
  for (const auto& command : commands) names.push_back(command.name);
  return names;
}

// --- bash ------------------------------------------------------------------------------------------------------------

// What completes a value in bash: a call of _wattle_offer.
std::string bashValue(const OptionDescription& option) {
  switch (option.hint) {
    case ValueHint::File: return "-f";
    case ValueHint::Directory: return "-d";
    case ValueHint::Choice: return fmt::format("-W '{}'", fmt::join(option.choices, " "));
    case ValueHint::Any: break;
  }
  return "";
}

// Patterns "run --dir" and what is offered after them.
std::string bashValueCases(const std::vector<CommandDescription>& commands) {
  std::string cases;
  for (const auto& command : commands) {
    for (const auto& option : command.options) {
      if (option.value.empty()) continue;
      std::vector<std::string> patterns;
      for (const auto& name : option.names) {
        patterns.push_back(fmt::format("'{} {}{}'", command.name, name, option.optionalValue ? "=" : ""));
        if (!option.optionalValue) patterns.push_back(fmt::format("'{} {}='", command.name, name));
      }
      cases += fmt::format("    {}) values=1 offer=({}) ;;\n", fmt::join(patterns, " | "), bashValue(option));
    }
  }
  return cases;
}

std::string bashWordCases(const std::vector<CommandDescription>& commands) {
  std::string cases;
  for (const auto& command : commands) {
    std::string positional = "-f";
    if (!command.positionals.empty() && command.positionals[0].hint != ValueHint::File) {
      positional = bashValue(command.positionals[0]);
    }
    if (!command.passesRest && command.positionals.empty()) positional.clear();
    if (command.name == "manual") positional = fmt::format("-W '{}'", fmt::join(commandNames(commands), " "));
    cases += fmt::format("    {}) words='{}' positional=({}) ;;\n", command.name, fmt::join(namesOf(command), " "),
                         positional);
  }
  return cases;
}

std::string bashPassing(const std::vector<CommandDescription>& commands) {
  std::vector<std::string> names;
  for (const auto& command : commands) {
    if (command.passesRest) names.push_back(command.name);
  }
  return fmt::format("{}", fmt::join(names, " | "));
}

std::string bashScript(const std::vector<CommandDescription>& commands) {
  return fmt::format(R"(# bash completion for wattle, by "wattle completions bash".

# What may follow option $1 of the command (with = when its value is in the same word): values=1 when a value does.
_wattle_values() {{
  values= offer=()
  case "$command $1" in
{}  esac
}}

_wattle_offer() {{
  [ $# -eq 0 ] || mapfile -t COMPREPLY < <(compgen "$@" -- "$word")
}}

_wattle() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} command=run words= values= i=1 last=
  local -a offer=() positional=(-f)
  COMPREPLY=()
  if [[ $COMP_CWORD -gt 1 && " {} " == *" ${{COMP_WORDS[1]}} "* ]]; then
    command=${{COMP_WORDS[1]}} i=2
  fi
  case $command in
{}  esac
  # Past the options and values before the cursor. Readline makes "=" a word of its own.
  while ((i < COMP_CWORD)); do
    last=${{COMP_WORDS[i++]}}
    if [[ $last != -?* ]]; then
      case $command in
        {}) _wattle_offer -f; return ;;
      esac
      last=
      continue
    fi
    [[ ${{COMP_WORDS[i]}} != = ]] || {{ last+==; ((i++)); }}
    _wattle_values "$last"
    if [[ $values ]] && ((i < COMP_CWORD)); then
      last=
      ((i++))
      [[ ${{COMP_WORDS[i]}} != = ]] || ((i += 2))
    fi
  done
  [[ $word != = ]] || word=
  if [[ $last ]]; then
    _wattle_values "$last"
    [[ ! $values ]] || {{ _wattle_offer "${{offer[@]}}"; return; }}
  fi
  if [[ $word == -* ]]; then
    ((COMP_CWORD > 1)) || words+=' --version -V'
    _wattle_offer -W "$words"
    return
  fi
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W '{}' -- "$word"; compgen -f -- "$word")
    return
  fi
  _wattle_offer "${{positional[@]}}"
}}
complete -o filenames -F _wattle wattle
)",
                     bashValueCases(commands), fmt::join(commandNames(commands), " "), bashWordCases(commands),
                     bashPassing(commands), fmt::join(commandNames(commands), " "));
}

// --- zsh -------------------------------------------------------------------------------------------------------------

// In single quotes, with the characters that _arguments reads in its specifications escaped.
std::string zshText(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      if (c == ':' || c == '[' || c == ']' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out;
}

std::string zshAction(const OptionDescription& option) {
  switch (option.hint) {
    case ValueHint::File: return "_files";
    case ValueHint::Directory: return "_files -/";
    case ValueHint::Choice: return fmt::format("({})", fmt::join(option.choices, " "));
    case ValueHint::Any: break;
  }
  return " ";
}

std::string zshOption(const OptionDescription& option) {
  std::string spec;
  for (const std::string& name : option.names) {
    std::string value;
    if (!option.value.empty()) {
      // "=" after a long name: in the same word or in the next; "-" : in the same only.
      const bool isLong = name.starts_with("--");
      value = fmt::format("{}{}:{}:{}",
                          option.optionalValue ? "=-"
                          : isLong             ? "="
                                               : "+",
                          fmt::format("[{}]", zshText(option.help)) + (option.optionalValue ? ":" : ""),
                          zshText(option.value), zshAction(option));
    } else {
      value = fmt::format("[{}]", zshText(option.help));
    }
    std::string others = option.repeatable ? "*" : fmt::format("({})", fmt::join(option.names, " "));
    spec += fmt::format("        '{}{}{}' \\\n", others, name, value);
  }
  return spec;
}

std::string zshCommand(const CommandDescription& command, const std::vector<CommandDescription>& all) {
  std::string text = fmt::format("    {})\n      _arguments -s -S \\\n", command.name);
  for (const auto& option : command.options) text += zshOption(option);
  if (command.passesRest) {
    text += "        '1:file:_files' \\\n        '*:argument:_files'\n";
  } else if (command.name == "manual") {
    text += fmt::format("        '1:command:({})'\n", fmt::join(commandNames(all), " "));
  } else {
    for (const auto& p : command.positionals) {
      text += fmt::format("        '{}:{}:{}'\n", p.repeatable ? "*" : "1", zshText(p.value), zshAction(p));
    }
  }
  return text + "      ;;\n";
}

std::string zshScript(const std::vector<CommandDescription>& commands) {
  std::string list, cases;
  for (const auto& command : commands) {
    list += fmt::format("    '{}:{}'\n", command.name, zshText(command.summary));
    cases += zshCommand(command, commands);
  }
  return fmt::format(R"(#compdef wattle
# zsh completion for wattle, by "wattle completions zsh".

_wattle_command() {{
  case $1 in
{}  esac
}}

_wattle() {{
  local -a commands=(
{}  )
  if ((CURRENT == 2)) && [[ $words[2] != -* ]]; then
    _describe -t commands command commands
    _files
    return
  fi
  if (( ${{commands[(I)${{words[2]}}:*]}} )) && ((CURRENT > 2)); then
    shift words
    ((CURRENT--))
    _wattle_command $words[1]
    return
  fi
  ((CURRENT > 2)) || compadd -- --version -V
  _wattle_command run
}}

if [[ $funcstack[1] == _wattle ]]; then
  _wattle "$@"
else
  compdef _wattle wattle
fi
)",
                     cases, list);
}

// --- fish ------------------------------------------------------------------------------------------------------------

std::string fishText(std::string_view text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string fishNames(const OptionDescription& option) {
  std::string text;
  for (const std::string& name : option.names) {
    text += name.starts_with("--") ? fmt::format(" -l {}", name.substr(2)) : fmt::format(" -s {}", name.substr(1));
  }
  return text;
}

std::string fishValue(const OptionDescription& option) {
  if (option.value.empty()) return "";
  std::string required = option.optionalValue ? " -f" : " -x";
  switch (option.hint) {
    case ValueHint::File: return " -r -F";
    case ValueHint::Directory: return required + " -a '(__fish_complete_directories)'";
    case ValueHint::Choice: return required + fmt::format(" -a '{}'", fmt::join(option.choices, " "));
    case ValueHint::Any: break;
  }
  return required;
}

std::string fishCommand(const CommandDescription& command, const std::vector<CommandDescription>& all) {
  std::string text;
  const std::string condition = fmt::format("-n '__wattle_command {}'", command.name);
  for (const auto& option : command.options) {
    text += fmt::format("complete -c wattle {}{}{} -d {}\n", condition, fishNames(option), fishValue(option),
                        fishText(option.help));
  }
  for (const auto& p : command.positionals) {
    if (command.name == "manual") {
      text += fmt::format("complete -c wattle {} -f -a '{}'\n", condition, fmt::join(commandNames(all), " "));
    } else if (p.hint == ValueHint::Choice) {
      text += fmt::format("complete -c wattle {} -f -a '{}' -d {}\n", condition, fmt::join(p.choices, " "),
                          fishText(p.help));
    }
  }
  return text;
}

std::string fishScript(const std::vector<CommandDescription>& commands) {
  std::string text = fmt::format(R"(# fish completion for wattle, by "wattle completions fish".

# Is the cursor where the options of command $argv stand? `run` is meant where no command is given.
function __wattle_command
    set -l words (commandline -opc)
    set -l names {}
    if contains -- "$words[2]" $names
        test "$words[2]" = $argv[1]
    else
        test run = $argv[1]
    end
end

function __wattle_first
    test (count (commandline -opc)) -eq 1
end

)",
                                 fmt::join(commandNames(commands), " "));
  for (const auto& command : commands) {
    text += fmt::format("complete -c wattle -n __wattle_first -a {} -d {}\n", command.name, fishText(command.summary));
  }
  for (const auto& [letter, name, help] : kOwnOptions) {
    if (name != "help") {
      text += fmt::format("complete -c wattle -n __wattle_first -s {} -l {} -d {}\n", letter, name, fishText(help));
    }
  }
  for (const auto& command : commands) text += fishCommand(command, commands);
  return text;
}

}  // namespace

std::string completionScript(std::string_view shell, const std::vector<CommandDescription>& commands) {
  if (shell == "bash") return bashScript(commands);
  if (shell == "zsh") return zshScript(commands);
  if (shell == "fish") return fishScript(commands);
  return {};
}

}  // namespace wattle::cli
