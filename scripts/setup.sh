#!/bin/sh
# Set up .venv for triskel: system libraries that are missing, a virtual environment, pinned dependencies.
# usage: scripts/setup.sh run|dev      (run: what triskel needs; dev: the tools of the tests and checks as well)
# PYTHON names the interpreter to build on, python3 when unset.
set -eu

mode=${1:?usage: scripts/setup.sh run|dev}
python=${PYTHON:-python3}
venv=.venv

# OpenCV: libGL and glib. Open3D: EGL, USB, OpenMP. Mesa draws in software where there is no GPU.
libraries="ca-certificates libgl1 libglib2.0-0 libegl1 libusb-1.0-0 libgomp1 libgl1-mesa-dri"

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }

# Newer releases renamed some libraries when they moved to 64-bit time.
is_installed() { dpkg -s "$1" >/dev/null 2>&1 || dpkg -s "$1t64" >/dev/null 2>&1; }

missing_packages() {
    command -v "$python" >/dev/null 2>&1 || [ "$python" != python3 ] || echo python3
    if [ "$python" = python3 ] && ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then echo python3-venv; fi
    for package in $libraries; do is_installed "$package" || echo "$package"; done
}

install_packages() {
    command -v apt-get >/dev/null 2>&1 || return 0 # not a Debian family system: the README lists the libraries
    missing=$(missing_packages | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" = 0 ]; then sudo=""
    elif command -v sudo >/dev/null 2>&1; then sudo="sudo"
    else fail "neither root nor sudo here; ask an administrator to run: apt-get install $missing"
    fi
    say "installing system packages: $missing"
    # The list may be old or absent; a failing update (an unrelated broken source) must not stop a possible install.
    $sudo apt-get update -qq || say "apt-get update failed, going on with the lists there are"
    # shellcheck disable=SC2086
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null \
        || fail "apt-get could not install: $missing"
}

check_python() {
    command -v "$python" >/dev/null 2>&1 || fail "no '$python' here; install Python 3.11 or newer, or run: make PYTHON=/path/to/python3.11 ..."
    "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
        || fail "triskel runs on Python 3.11 to 3.13, '$python' is $("$python" -V 2>&1); run: make PYTHON=python3.11 ..."
}

make_venv() {
    if [ -x "$venv/bin/python" ] \
        && "$venv/bin/python" -c 'import sys, pip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null
    then return 0
    fi
    say "making $venv with $("$python" -V 2>&1)"
    "$python" -m venv --clear "$venv" || fail "'$python' cannot make a virtual environment; install its venv module"
}

install_python_packages() {
    target=.
    [ "$mode" = run ] || target=".[dev]"
    export PIP_DISABLE_PIP_VERSION_CHECK=1
    say "installing Python packages into $venv (a few minutes the first time)"
    "$venv/bin/python" -m pip install -qq -c constraints.txt pip setuptools \
        || fail "pip could not install pip and setuptools; is a package index within reach?"
    # Built with the setuptools just pinned: no second download, and the same build everywhere.
    "$venv/bin/python" -m pip install -qq --no-build-isolation -c constraints.txt -e "$target" \
        || fail "pip could not install the dependencies (its message stands above)"
}

case $mode in run | dev) ;; *) fail "the mode is run or dev, got '$mode'" ;; esac
cd "$(dirname "$0")/.."
install_packages
check_python
make_venv
install_python_packages
say "done"
