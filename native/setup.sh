#!/bin/sh
# Installs what is missing, and only that: nginx and a compiler from the distribution, uv, the locked Python environment.
set -eu
cd "$(dirname "$0")/.."

NEEDED_MB=2000  # the environment, what uv keeps of it, and the build

say() { echo "$*" >&2; }

refuse() {
    say "$*"
    exit 1
}

# Runs a command without a word of its own. When it fails, `cause` is the line that says why.
cause=
quietly() {
    cause=$("$@" 2>&1 > /dev/null) && return
    cause=$(echo "$cause" | grep -m 1 -E '^(W: Failed to fetch|E:|ERROR:|sudo:)' || echo "$cause" | tail -n 1)
    return 1
}

missing=
nginx/start.sh --where > /dev/null 2>&1 || missing="$missing nginx"
command -v c++ > /dev/null || missing="$missing g++"
if ! command -v uv > /dev/null && [ ! -x .uv/bin/uv ]; then
    python3 -c 'import ensurepip' 2> /dev/null || missing="$missing python3-venv"
fi

install_missing() {
    $as_root apt-get update -qq
    # A machine that was started a moment ago often installs its updates now: wait for it.
    # shellcheck disable=SC2086  # a list of names
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o DPkg::Lock::Timeout=300 --no-install-recommends $missing
}

if [ -n "$missing" ]; then
    by_hand="As root: apt-get install$missing; then run this again as $(id -un)."
    command -v apt-get > /dev/null ||
        refuse "Pilot Light needs$missing. Install them with this system's package manager, then run this again."
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo > /dev/null || refuse "Pilot Light needs$missing, and without sudo cannot install them. $by_hand"
        say "Pilot Light needs$missing from the distribution. Installing them takes root: sudo may ask for your password."
        as_root=sudo
    fi
    say "Installing$missing ..."
    quietly install_missing || refuse "Installing$missing failed ($cause). $by_hand"
    case $missing in
        # The package starts a web server on port 80; nobody asked for that one.
        *nginx*) [ ! -d /run/systemd/system ] || $as_root systemctl disable --quiet --now nginx ;;
    esac
fi

uv=$(command -v uv || echo .uv/bin/uv)
# Silent when there is nothing to do.
if [ -x "$uv" ] && "$uv" sync --frozen --offline --quiet --check 2> /dev/null; then exit 0; fi

for place in . .uv .venv; do
    [ ! -e "$place" ] || [ -w "$place" ] || refuse "$(id -un) cannot write to $PWD/$place, where the Python environment is" \
        "installed. Make it $(id -un)'s own, or clone Pilot Light into a directory that is."
done
free_mb=$(df -P -k . | awk 'NR == 2 { print int($4 / 1024) }')
[ -e .venv ] || [ "$free_mb" -ge "$NEEDED_MB" ] ||
    refuse "Pilot Light needs $NEEDED_MB MB of disk to be installed, and $PWD has $free_mb. Make room, then run this again."

if [ ! -x "$uv" ]; then
    say "Installing uv into .uv ..."
    { quietly python3 -m venv .uv && quietly .uv/bin/pip install --quiet uv; } ||
        refuse "uv could not be installed into .uv ($cause). Look at the network and the disk, then run this again."
fi

# uv tells the steps of a build only in its verbose log. The first argument: whether to pass on what else uv says.
sync() {
    wordy=$1
    shift
    { "$uv" sync --frozen --compile-bytecode --verbose "$@" 2>&1 || echo "uv failed"; } | awk -v wordy="$wordy" '
        /^uv failed$/ { failed = 1; next }
        match($0, /^DEBUG \[[0-9]+\/[0-9]+\]/) {
            split(substr($0, 8, RLENGTH - 8), step, "/")
            if (step[1] == 1) print "Building llama.cpp, this once (about 6 minutes on 2 cores)"
            if (step[1] % 10 == 0 || step[1] == step[2]) printf "  %d of %d files\n", step[1], step[2]
            fflush()
            next
        }
        /^(DEBUG|TRACE|INFO|WARN)/ || /^ [+~-] / { next }
        wordy { print; fflush() }
        END { exit failed }
    ' >&2
}

# Everything else before llama.cpp, which is then taken offline where it can be: an index that sends no cache headers
# would make uv fetch and build anew what it has built before.
say "Installing the Python environment into .venv ..."
sync "" --offline || { sync "" --no-install-package llama-cpp-python && sync "" --offline; } || sync wordy || {
    "$uv" python find '>=3.11' > /dev/null 2>&1 ||
        refuse "Pilot Light needs Python 3.11 or newer, and this machine has $(python3 --version 2>&1). Debian 12 and Ubuntu 24.04 bring it."
    refuse "The Python environment could not be installed; uv says why above. Then run this again."
}
