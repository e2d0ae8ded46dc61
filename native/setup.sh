#!/bin/sh
# Installs what is missing, and only that: nginx and a compiler from the distribution, uv, the locked Python environment.
set -eu
cd "$(dirname "$0")/.."

say() { echo "$*" >&2; }

missing=
command -v nginx > /dev/null || [ -x /usr/sbin/nginx ] || missing="$missing nginx"
command -v c++ > /dev/null || missing="$missing g++"
if ! command -v uv > /dev/null && [ ! -x .uv/bin/uv ]; then
    python3 -c 'import ensurepip' 2> /dev/null || missing="$missing python3-venv"
fi
if [ -n "$missing" ]; then
    command -v apt-get > /dev/null || {
        say "Pilot Light needs$missing. Install them with this system's package manager, then run this again."
        exit 1
    }
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        say "Pilot Light needs$missing from the distribution. Installing them takes root: sudo may ask for your password."
        as_root=sudo
    fi
    say "Installing$missing ..."
    $as_root apt-get update -qq
    # shellcheck disable=SC2086  # a list of names
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing > /dev/null
    case $missing in
        # The package starts a web server on port 80; nobody asked for that one.
        *nginx*) [ ! -d /run/systemd/system ] || $as_root systemctl disable --quiet --now nginx ;;
    esac
fi

uv=$(command -v uv || echo .uv/bin/uv)
if [ ! -x "$uv" ]; then
    say "Installing uv into .uv ..."
    python3 -m venv .uv
    .uv/bin/pip install --quiet uv
fi

# uv tells the steps of a build only in its verbose log. The first argument: whether to pass on what else uv says.
sync() {
    wordy=$1
    shift
    failed=$(mktemp)
    { "$uv" sync --frozen --compile-bytecode --verbose "$@" 2>&1 || echo failed > "$failed"; } | awk -v wordy="$wordy" '
        match($0, /^DEBUG \[[0-9]+\/[0-9]+\]/) {
            split(substr($0, 8, RLENGTH - 8), step, "/")
            if (step[1] == 1) print "Building llama.cpp, this once (about 6 minutes on 2 cores)"
            if (step[1] % 10 == 0 || step[1] == step[2]) printf "  %d of %d files\n", step[1], step[2]
            fflush()
            next
        }
        /^(DEBUG|TRACE|INFO|WARN)/ || /^ [+~-] / { next }
        wordy { print; fflush() }
    ' >&2
    outcome=$(cat "$failed")
    rm "$failed"
    [ -z "$outcome" ]
}

# Silent when there is nothing to do. Everything else before llama.cpp, which is then taken offline where it can be: an
# index that sends no cache headers would make uv fetch and build anew what it has built before.
if ! "$uv" sync --frozen --offline --quiet --check 2> /dev/null; then
    say "Installing the Python environment into .venv ..."
    sync "" --offline || { sync "" --no-install-package llama-cpp-python && sync "" --offline; } || sync wordy || {
        say "The Python environment could not be installed; uv says why above."
        exit 1
    }
fi
