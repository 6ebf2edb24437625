"""A real Asterisk, anywhere: the one on ``PATH``, else one in a private root file system.

The root file system comes from Debian's own packages (``mmdebstrap``), is built once and kept in
a cache. Nothing is installed on this machine, whose C library may be older than Asterisk wants.

Environment:
    ASTERISK_SUITE: Debian suite to take Asterisk from (``sid``, ``experimental``, ``bullseye``;
        ``bookworm`` and ``trixie`` have none). When set, it wins over an Asterisk on ``PATH``.
    ASTERISK_LAB_CACHE: Where root file systems are kept. Not in root's home by default: the
        service under test is an ordinary user, and must reach the spool inside.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_RECIPE = "1"
"""Part of the cache's name: raise it when the recipe below changes what is built."""
_DEFAULT_SUITE = "sid"
_EXPERIMENTAL = "experimental"
_BUILT_TOGETHER = ("asterisk", "asterisk-config", "asterisk-modules")
_ON_TOP = (
    f'cd "$1/etc/apt" && sed "s/ sid / {_EXPERIMENTAL} /" sources.list '
    f">sources.list.d/{_EXPERIMENTAL}.list"
)
"""Adds that suite, from wherever sid comes."""
_DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9)}
_MODULE_DIRS = (
    "usr/lib/*/asterisk/modules",
    "usr/lib/asterisk/modules",
    "usr/lib64/asterisk/modules",
    "usr/local/lib/asterisk/modules",
)
_DATA_DIRS = ("usr/share/asterisk", "var/lib/asterisk", "usr/local/share/asterisk")
_BUILD_TIMEOUT_S = 900


class NoAsterisk(RuntimeError):
    """There is no Asterisk and none can be made; the message says what to install."""


@dataclass(frozen=True, slots=True)
class AsteriskBuild:
    """An Asterisk that can be started.

    Attributes:
        root: Its root file system, or ``None`` for the system's own.
        binary: The program; like all paths here as Asterisk sees it.
        modules_dir: Where its modules are.
        data_dir: Where its documentation and ARI descriptions are.
        version: For example ``22.10.1``.
        uid: The user it runs as.
        gid: That user's group.
    """

    root: Path | None
    binary: Path
    modules_dir: Path
    data_dir: Path
    version: str
    uid: int
    gid: int

    @property
    def release(self) -> tuple[int, ...]:
        """The version as numbers, for comparisons."""
        return tuple(map(int, self.version.split(".")))

    @property
    def lab_dir(self) -> Path:
        """Parent of the instances' directories, as Asterisk sees it."""
        if self.root is not None:
            return Path("/lab")
        return Path(tempfile.gettempdir()) / f"asterisk-lab-{os.getuid()}"

    def here(self, path: Path) -> Path:
        """Where we see what Asterisk sees at ``path``."""
        return path if self.root is None else self.root / path.relative_to("/")


def obtain(progress: Callable[[str], None] = lambda _: None) -> AsteriskBuild:
    """Find an Asterisk, or make one.

    Args:
        progress: Is told, in one line each, what takes long.

    Raises:
        NoAsterisk: with what to install.
    """
    suite = os.environ.get("ASTERISK_SUITE", "")
    binary = shutil.which(
        "asterisk", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    )
    if binary and not suite:
        return _inspect(None, Path(binary))
    root = _cached_root(suite or _DEFAULT_SUITE, progress)
    return _inspect(root, Path("/usr/sbin/asterisk"))


def _cached_root(suite: str, progress: Callable[[str], None]) -> Path:
    if re.fullmatch(r"[a-z]+", suite) is None:
        raise NoAsterisk(f"ASTERISK_SUITE={suite!r} is not the name of a Debian suite")
    cache = Path(os.environ.get("ASTERISK_LAB_CACHE") or "/var/cache/asterisk-compliance")
    root = cache / f"asterisk-{suite}-{os.uname().machine}-{_RECIPE}"
    if os.getuid() != 0:
        raise NoAsterisk(
            "no asterisk on PATH, and only root can make a root file system for one:\n"
            "install it (apt-get install asterisk), or run this as root on Debian or Ubuntu"
        )
    if not root.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / f"{root.name}.lock"):
            if not root.is_dir():  # another process may have built it while we waited
                _build(suite, root, progress)
    return root


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(suite: str, root: Path, progress: Callable[[str], None]) -> None:
    """Build beside ``root``, and name it ``root`` only when it is whole."""
    if shutil.which("mmdebstrap") is None:
        raise NoAsterisk(
            "no asterisk on PATH, and no mmdebstrap to make a root file system for one:\n"
            "install either (Debian, Ubuntu: apt-get install mmdebstrap)"
        )
    progress(f"building a root file system with Asterisk from Debian {suite}: once, about 30 s")
    unfinished = root.with_name(f".{root.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    log = root.with_name(f"{root.name}.log")
    with log.open("wb") as output:
        built = subprocess.run(
            _mmdebstrap(suite, unfinished),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=_BUILD_TIMEOUT_S,
            check=False,
        )
    if built.returncode != 0:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise NoAsterisk(
            f"mmdebstrap could not build Debian {suite} (whole log: {log}):\n{last}\n"
            "Debian's mirrors must be reachable; or install asterisk on this machine"
        )
    _make_devices(unfinished / "dev")
    (unfinished / "lab").mkdir(exist_ok=True)
    unfinished.rename(root)


def _mmdebstrap(suite: str, target: Path) -> list[str]:
    packages, hooks = ["asterisk"], list[str]()
    if suite == _EXPERIMENTAL:  # no suite of its own, but newer packages on top of sid
        suite = "sid"
        packages = [f"{name}/{_EXPERIMENTAL}" for name in _BUILT_TOGETHER]
        hooks = [f"--setup-hook={_ON_TOP}"]
    # "apt" is the smallest variant; it lacks what old packages' maintainer scripts call.
    variant = "apt" if suite == _DEFAULT_SUITE else "minbase"
    unwanted = ("doc", "man", "locale")
    return [
        "mmdebstrap",
        f"--variant={variant}",
        f"--include={','.join(packages)}",
        *hooks,
        '--aptopt=Acquire::Check-Valid-Until "false"',
        '--aptopt=Apt::Install-Recommends "false"',
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in unwanted),
        suite,
        str(target),
    ]


def _make_devices(dev: Path) -> None:
    for name, (major, minor) in _DEVICES.items():
        if not (dev / name).exists():
            os.mknod(dev / name, stat.S_IFCHR | 0o666, os.makedev(major, minor))
            (dev / name).chmod(0o666)  # whatever the umask is
    (dev / "shm").mkdir(exist_ok=True)
    (dev / "shm").chmod(0o1777)


def _inspect(root: Path | None, binary: Path) -> AsteriskBuild:
    command = [str(binary), "-V"] if root is None else ["chroot", str(root), str(binary), "-V"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout
    version = re.search(r"(\d+(?:\.\d+)+)", said)
    if version is None:
        raise NoAsterisk(f"{' '.join(command)} does not tell a version, but {said!r}")
    top = root or Path("/")
    uid, gid = _user(root)
    return AsteriskBuild(
        root=root,
        binary=binary,
        modules_dir=_seen_inside(top, _MODULE_DIRS, "app_dial.so"),
        data_dir=_seen_inside(top, _DATA_DIRS, "documentation"),
        version=version[1],
        uid=uid,
        gid=gid,
    )


def _seen_inside(top: Path, patterns: tuple[str, ...], proof: str) -> Path:
    for pattern in patterns:
        for directory in sorted(top.glob(pattern)):
            if (directory / proof).exists():
                return Path("/") / directory.relative_to(top)
    raise NoAsterisk(f"Asterisk is incomplete: no {proof} in any of {', '.join(patterns)}")


def _user(root: Path | None) -> tuple[int, int]:
    """Asterisk's own user; ours where it has none, or where we cannot change."""
    if root is not None:
        for line in (root / "etc/passwd").read_text().splitlines():
            name, _, uid, gid, *_ = line.split(":")
            if name == "asterisk":
                return int(uid), int(gid)
        raise NoAsterisk(f"{root}/etc/passwd has no user asterisk")
    if os.getuid() == 0:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam("asterisk")[2:4]
    return os.getuid(), os.getgid()
