// Manual pages, from the same text that --help prints. Written with the man macros.
#include <fmt/format.h>

#include <algorithm>

#include "runtime/cli/description.h"
#include "runtime/cli/exit_codes.h"
#include "wattle/wattle.hpp"

namespace wattle::cli {

namespace {

constexpr std::string_view kAbout =
    "Wattle runs WebAssembly: programs (WASI preview 1 commands), and single functions of modules. It compiles each "
    "function straight to "
    "native code and runs it in a sandbox.\n\n"
    "FILE may be a binary (.wasm), a text (.wat), what wattle compile wrote (.cwasm), or - for standard input. Without "
    "a command it "
    "is run, as by wattle run. A program gets its arguments and the three standard streams, and nothing else unless it "
    "is given.";

constexpr std::string_view kEnvironment[][2] = {
    {"XDG_CACHE_HOME", "The disk cache lies in its directory wattle; without it in ~/.cache/wattle."},
    {"WATTLE_CACHE_SIZE", "Most that the disk cache may hold, as in 512MiB."},
    {"NO_COLOR", "Set to anything: no colours."},
};

// Characters that mean something to troff. Hyphens stay hyphens when they are copied from the page.
std::string escape(std::string_view text) {
  std::string out;
  bool atStart = true;
  for (size_t i = 0; i < text.size(); i++) {
    char c = text[i];
    if (atStart && (c == '.' || c == '\'')) out += "\\&";
    atStart = c == '\n';
    if (text.substr(i).starts_with("…")) {
      out += "...";
      i += std::string_view("…").size() - 1;
    } else if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string title(std::string_view page, std::string_view summary) {
  std::string upper(page);
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
  return fmt::format(".TH {} 1 \"\" \"wattle {}\" \"User Commands\"\n.SH NAME\n{} \\- {}\n", escape(upper), version(),
                     escape(page), escape(summary));
}

std::string literal(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  return fmt::format(".nf\n{}\n.fi\n", escape(text));
}

std::string oneLine(std::string_view paragraph) {
  std::string text(paragraph);
  while (text.ends_with('\n')) text.pop_back();
  std::ranges::replace(text, '\n', ' ');
  return text;
}

std::string optionEntry(const OptionDescription& option) {
  std::string names;
  for (const std::string& name : option.names) {
    if (!names.empty()) names += ", ";
    names += fmt::format("\\fB{}\\fR", escape(name));
  }
  if (option.names.empty()) {
    names = fmt::format("\\fI{}\\fR", escape(option.value));
  } else if (option.optionalValue) {
    names += fmt::format("[=\\fI{}\\fR]", escape(option.value));
  } else if (!option.value.empty()) {
    names += fmt::format(" \\fI{}\\fR", escape(option.value));
  }
  return fmt::format(".TP\n{}\n{}.{}\n", names, escape(option.help), option.repeatable ? " May be given again." : "");
}

// The text below the options, as sections: a paragraph may begin with its heading and a colon.
struct Footer {
  std::string description, examples, exitStatus, others;
};

Footer splitFooter(std::string_view text) {
  Footer out;
  while (!text.empty()) {
    size_t end = std::min(text.find("\n\n"), text.size());
    std::string_view paragraph = text.substr(0, end);
    text.remove_prefix(std::min(end + 2, text.size()));
    size_t line = paragraph.find('\n');
    std::string_view first = paragraph.substr(0, line), rest = line == paragraph.npos ? "" : paragraph.substr(line + 1);
    if (first == "Examples:") {
      out.examples += literal(rest);
    } else if (first.starts_with("Exit codes:")) {
      std::string_view said = first.substr(std::string_view("Exit codes: ").size());
      out.exitStatus += rest.starts_with(' ') ? escape(said) + "\n" + literal(rest)
                                              : escape(oneLine(paragraph.substr(paragraph.find(' ', 5) + 1))) + "\n";
    } else if (first.ends_with(':')) {
      std::string heading(first.substr(0, first.size() - 1));
      std::ranges::transform(heading, heading.begin(), [](unsigned char c) { return std::toupper(c); });
      out.others += fmt::format(".SH \"{}\"\n{}", escape(heading), literal(rest));
    } else {
      out.description += ".PP\n" + escape(oneLine(paragraph)) + "\n";
    }
  }
  return out;
}

std::string environment() {
  std::string text = ".SH ENVIRONMENT\n";
  for (const auto& [name, help] : kEnvironment) text += fmt::format(".TP\n\\fB{}\\fR\n{}\n", name, escape(help));
  return text;
}

std::string seeAlso(const std::vector<std::string>& pages) {
  std::string text = ".SH \"SEE ALSO\"\n";
  for (size_t i = 0; i < pages.size(); i++) {
    text += fmt::format(".BR {} (1){}\n", escape(pages[i]), i + 1 < pages.size() ? "," : "");
  }
  return text;
}

}  // namespace

std::string manualPage(const std::vector<CommandDescription>& commands) {
  std::string text = title("wattle", "run WebAssembly programs");
  text +=
      ".SH SYNOPSIS\n.B wattle\n.I FILE\n[\\fIARGUMENTS\\fR...]\n.br\n.B wattle\n.I COMMAND\n[\\fIOPTIONS\\fR] "
      "...\n.br\n";
  text += ".B wattle \\-\\-version\n.SH DESCRIPTION\n";
  size_t gap = kAbout.find("\n\n");
  text += escape(kAbout.substr(0, gap)) + "\n.PP\n" + escape(kAbout.substr(gap + 2)) + "\n.SH COMMANDS\n";
  std::vector<std::string> pages;
  for (const auto& command : commands) {
    text += fmt::format(".TP\n\\fB{}\\fR\n{}.\n", escape(command.name), escape(command.summary));
    pages.push_back("wattle-" + command.name);
  }
  return text + ".SH \"EXIT STATUS\"\n" + splitFooter(kExitCodeHelp).exitStatus + environment() + seeAlso(pages);
}

std::string manualPage(const CommandDescription& command) {
  Footer footer = splitFooter(command.footer);
  std::string text = title("wattle-" + command.name, command.summary);
  text += fmt::format(".SH SYNOPSIS\n{}\n.SH DESCRIPTION\n{}\n{}", escape(command.usage), escape(command.about),
                      footer.description);
  if (!command.positionals.empty()) {
    text += ".SH ARGUMENTS\n";
    for (const auto& p : command.positionals) text += optionEntry(p);
  }
  text += ".SH OPTIONS\n";
  for (const auto& option : command.options) text += optionEntry(option);
  text += footer.others;
  if (!footer.exitStatus.empty()) text += ".SH \"EXIT STATUS\"\n" + footer.exitStatus;
  if (!footer.examples.empty()) text += ".SH EXAMPLES\n" + footer.examples;
  return text + seeAlso({"wattle"});
}

}  // namespace wattle::cli
