#!/usr/bin/env bash
# Installs what is built: CMAKE BUILD PREFIX.
set -euo pipefail
rm -rf "$3"
"$1" --install "$2" --prefix "$3" >/dev/null
