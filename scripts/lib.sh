# shellcheck shell=sh
# Sourced by the other scripts, from the top of the checkout: what has to be there before they run.
# After ensure_venv, $VENV is the virtual environment and $PYTHON the interpreter it is made with.

PYTHON=${PYTHON:-python3}
APT_UPDATED=

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $1"
    [ -z "${2:-}" ] || say "hint: $2"
    exit 2
}

# apt_can: is this Debian or Ubuntu, and are we root?
apt_can() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

# need WHAT PACKAGE...: install the packages; WHAT says what they are for.
need() {
    what=$1
    shift
    apt_can || die "$what is missing" \
        "as root on Debian or Ubuntu this script installs it itself; else install: $*"
    say "installing $* ($what)"
    if [ -z "$APT_UPDATED" ]; then
        apt-get -qq update >&2 || die "apt-get update failed" "are Debian's mirrors reachable?"
        APT_UPDATED=yes
    fi
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >&2 ||
        die "apt-get could not install $*"
}

# ensure_python: an interpreter from 3.11 on that can make virtual environments.
ensure_python() {
    [ "$PYTHON" != python3 ] || command -v python3 >/dev/null 2>&1 ||
        need "Python" python3 python3-venv
    command -v "$PYTHON" >/dev/null 2>&1 || die "there is no $PYTHON" "name another one: PYTHON=..."
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "$PYTHON is older than Python 3.11" "name a newer one: PYTHON=python3.13 $0"
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || need "Python's venv" python3-venv
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null ||
        die "$PYTHON cannot make virtual environments" "name another one: PYTHON=/usr/bin/python3 $0"
}

# ensure_asterisk_source: an Asterisk, or what makes a root file system with one (tests/lab/rootfs.py).
ensure_asterisk_source() {
    if command -v asterisk >/dev/null 2>&1 && [ -z "${ASTERISK_SUITE:-}" ]; then
        return
    fi
    [ "$(id -u)" = 0 ] || die "no asterisk on PATH" \
        "install it (apt-get install asterisk), or run this as root on Debian or Ubuntu"
    command -v mmdebstrap >/dev/null 2>&1 || need "root file systems" mmdebstrap
    command -v mount >/dev/null 2>&1 || need "mount" mount
    if [ ! -e /usr/share/keyrings/debian-archive-keyring.gpg ] &&
        [ ! -e /usr/share/keyrings/debian-archive-keyring.pgp ]; then
        need "the keys of Debian's archive" debian-archive-keyring
    fi
}

# ensure_go: Go, and its own implementation of notes and proofs; the tests have it verify ours.
ensure_go() {
    if ! command -v go >/dev/null 2>&1 || [ ! -d /usr/share/gocode/src/golang.org/x/mod/sumdb ]; then
        need "Go, which verifies our proofs" golang-go golang-golang-x-mod-dev
    fi
}

# ensure_mkfs: the tests make small file systems, to fill and to break them.
ensure_mkfs() {
    PATH=$PATH:/usr/sbin:/sbin command -v mkfs.ext4 >/dev/null 2>&1 ||
        need "small file systems" e2fsprogs
}

# ensure_age: Debian's age, with which the tests open what we sealed.
ensure_age() {
    command -v age >/dev/null 2>&1 || need "age" age
}

# ensure_prerequisites: all that does not come with pip.
ensure_prerequisites() {
    ensure_python
    ensure_asterisk_source
}

# ensure_rivals: what the load benchmark needs besides: callers, and node for one of those compared.
ensure_rivals() {
    command -v sipp >/dev/null 2>&1 || need "a stream of callers" sip-tester
    command -v npm >/dev/null 2>&1 || need "node, for one of those compared" nodejs npm
}

# others_reach DIR: may every user pass through DIR and all that is above it?
others_reach() (
    cd "$1" || exit 1
    while :; do
        case $(stat -c %A .) in
            d????????[xt]) ;;
            *) exit 1 ;;
        esac
        [ "$PWD" != / ] || exit 0
        cd ..
    done
)

# ensure_venv: the package and its tools in .venv-<version>, installed again only when
# pyproject.toml or the interpreter changed. Two scripts at once take turns.
ensure_venv() {
    version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    VENV=$PWD/.venv-$version
    if [ "$(id -u)" = 0 ] && ! others_reach "$PWD"; then
        # Such as a checkout in /root: the service under test is an ordinary user.
        VENV=${ASTERISK_LAB_CACHE:-/var/cache/asterisk-compliance}/venv-$version-$(
            printf '%s' "$PWD" | cksum | cut -d' ' -f1
        )
        mkdir -p "$(dirname "$VENV")"
    fi
    wanted="$("$PYTHON" -c 'import sys; print(sys.version, sys.base_prefix)') $PWD $(sha256sum <pyproject.toml)"
    mkdir -p .cache
    exec 9>".cache/venv-$version.lock"
    flock 9
    if [ "$(cat "$VENV/installed-for" 2>/dev/null)" != "$wanted" ] || ! "$VENV/bin/python" -c ''; then
        say "preparing $VENV: once, about a minute"
        "$PYTHON" -m venv --clear "$VENV" || die "cannot make $VENV"
        "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
            --editable '.[test,check]' >&2 ||
            die "pip could not install the package and its tools" \
                "is the package index reachable? pip's own settings apply (pip config list)"
        printf '%s' "$wanted" >"$VENV/installed-for"
    fi
    exec 9>&-
}
