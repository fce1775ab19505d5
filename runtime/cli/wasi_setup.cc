#include "runtime/cli/wasi_setup.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>

namespace wattle::cli {

namespace {

std::unexpected<Error> wrong(std::string message) {
  return std::unexpected(Error::make(ErrorKind::Argument, std::move(message)));
}

void addEnvironment(WasiConfig& config, const std::string& item) {
  size_t equals = item.find('=');
  if (equals != std::string::npos) {
    config.env(item.substr(0, equals), item.substr(equals + 1));
  } else if (const char* value = getenv(item.c_str())) {
    config.env(item, value);
  }
}

Result<void> addDirectory(WasiConfig& config, const std::string& item, DirAccess access) {
  size_t separator = item.find("::");
  std::string host = item.substr(0, separator);
  std::string guest = separator == std::string::npos ? host : item.substr(separator + 2);
  if (host.empty() || guest.empty()) return wrong(fmt::format("--dir {}: not HOST or HOST::GUEST", item));
  return config.preopenDir(host, guest, access);
}

Result<void> addListener(WasiConfig& config, const std::string& item) {
  size_t colon = item.rfind(':');
  uint16_t port = 0;
  std::string_view digits = colon == std::string::npos ? "" : std::string_view(item).substr(colon + 1);
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) {
    return wrong(fmt::format("--listen {}: not HOST:PORT", item));
  }
  std::string host = item.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  return config.listenTcp(host, port);
}

}  // namespace

std::vector<std::string> hostDirectories(const std::vector<std::string>& items) {
  std::vector<std::string> hosts;
  for (const std::string& item : items) hosts.push_back(item.substr(0, item.find("::")));
  return hosts;
}

Result<std::shared_ptr<WasiContext>> makeWasi(const WasiOptions& options) {
  WasiConfig config;
  std::vector<std::string> argv{options.programName};
  argv.insert(argv.end(), options.arguments.begin(), options.arguments.end());
  config.args(std::move(argv)).inheritStdio();
  for (const auto& item : options.environment) addEnvironment(config, item);
  for (const auto& item : options.directories) {
    if (auto added = addDirectory(config, item, DirAccess::ReadWrite); !added) return std::unexpected(added.error());
  }
  for (const auto& item : options.readOnlyDirectories) {
    if (auto added = addDirectory(config, item, DirAccess::ReadOnly); !added) return std::unexpected(added.error());
  }
  for (const auto& item : options.listeners) {
    if (auto added = addListener(config, item); !added) return std::unexpected(added.error());
  }
  return WasiContext::create(config);
}

}  // namespace wattle::cli
