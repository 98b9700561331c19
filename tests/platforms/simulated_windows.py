"""A simulated Windows for the modules of this project: what it lacks is absent, what it refuses fails.

`install()` must come before the first import of runql. It is for Linux, in a process of its own:
`pytest -p tests.platforms.as_windows` runs tests in one. Paths keep their slashes.
"""

from __future__ import annotations

import asyncio
import builtins
import errno
import fcntl
import functools
import importlib.machinery
import importlib.util
import io
import os
import re
import shutil
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NoReturn

OWN: Final = ("runql", "runql_server", "runql_codegen", "runql_graphql")
NO_MODULES: Final = {
    "fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "posix", "readline", "curses", "syslog",
}  # fmt: skip
ABSENT: Final[Mapping[str, set[str]]] = {
    "os": {
        "fork", "forkpty", "register_at_fork", "getuid", "geteuid", "getgid", "getegid", "getgroups", "setuid",
        "chown", "fchown", "lchown", "fchmod", "chroot", "fchdir", "mkfifo", "mknod", "nice", "killpg", "getpgid",
        "setsid", "getpgrp", "pread", "preadv", "pwrite", "pwritev", "sendfile", "posix_fadvise", "statvfs",
        "fdatasync", "sync", "uname", "wait", "WNOHANG", "O_NOFOLLOW", "O_DIRECTORY", "O_CLOEXEC", "O_SYNC",
        "O_NONBLOCK", "O_TMPFILE", "sysconf", "getloadavg", "sched_getaffinity", "openpty", "getxattr", "setxattr",
    },
    "signal": {
        "SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGCHLD", "SIGQUIT", "SIGSTOP", "alarm",
        "pause", "setitimer", "pthread_sigmask", "pthread_kill", "sigwait", "siginterrupt",
    },
    "socket": {"AF_UNIX", "socketpair_unix", "SO_REUSEPORT", "MSG_DONTWAIT", "MSG_NOSIGNAL", "TCP_USER_TIMEOUT"},
    "select": {"poll", "epoll", "kqueue", "EPOLLIN", "POLLIN"},
    "time": {"tzset", "clock_gettime", "pthread_getcpuclockid"},
    "sys": set(),
}  # fmt: skip
EXCLUSIVE: Final = -5
"""Windows' SO_EXCLUSIVEADDRUSE."""

DEVICE: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
FORBIDDEN: Final = re.compile(r'[\x00-\x1f<>:"|?*\\]')
IN_USE: Final = "The process cannot access the file because it is being used by another process"
SYNTAX: Final = "The filename, directory name, or volume label syntax is incorrect"

real: Final = {
    name: getattr(os, name)
    for name in ("open", "mkdir", "stat", "lstat", "unlink", "rename", "replace", "rmdir", "chmod")
}
real_open: Final = io.open
real_sleep: Final = time.sleep


def install() -> None:
    """Make this process a Windows, as far as it goes."""
    early = [name for name in sys.modules if name.partition(".")[0] in OWN]
    assert early == [], f"imported too early: {early}"
    assert sys.platform == "linux"
    sys.meta_path.insert(0, OwnFinder())
    _install_files()
    _install_sockets()
    _install_event_loops()


# -- modules -----------------------------------------------------------------------------------------------------


class Facade(ModuleType):
    """A module of the standard library as Windows has it."""

    def __init__(self, behind: ModuleType, absent: set[str], present: Mapping[str, object]) -> None:
        super().__init__(behind.__name__)
        self.__dict__.update(present)
        self.__dict__["_behind"] = behind
        self.__dict__["_absent"] = absent

    def __getattr__(self, name: str) -> Any:  # Any: of any module
        if name in self.__dict__["_absent"]:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r} on Windows")
        return getattr(self.__dict__["_behind"], name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.__dict__["_behind"], name, value)


def _locking(file: int, mode: int, size: int) -> None:
    """Lock bytes from the current position for one handle, which loses them when it is closed."""
    kind = fcntl.F_UNLCK if mode == MSVCRT.LK_UNLCK else fcntl.F_WRLCK
    lock = struct.pack("hhqqi", kind, os.SEEK_SET, os.lseek(file, 0, os.SEEK_CUR), size, 0)
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, lock)
    except BlockingIOError:
        raise PermissionError(errno.EACCES, "Permission denied") from None


MSVCRT: Final[Any] = ModuleType("msvcrt")  # Any: a module made here
MSVCRT.__dict__.update(LK_UNLCK=0, LK_LOCK=1, LK_NBLCK=2, locking=_locking)


def _facades() -> dict[str, ModuleType]:
    import select

    present: Mapping[str, Mapping[str, object]] = {
        "os": {"name": "nt", "O_BINARY": 0, "O_NOINHERIT": 0, "supports_dir_fd": frozenset[object]()},
        "sys": {"platform": "win32"},
        "socket": {"SO_EXCLUSIVEADDRUSE": EXCLUSIVE},
        "signal": {"CTRL_C_EVENT": 0, "CTRL_BREAK_EVENT": 1, "SIGBREAK": 21},
    }
    behind = {"os": os, "sys": sys, "socket": socket, "signal": signal, "select": select, "time": time}
    made = {name: Facade(module, ABSENT[name], present.get(name, {})) for name, module in behind.items()}
    return {**made, "msvcrt": MSVCRT}


class OwnFinder(MetaPathFinder):
    """Finds the modules of this project, and gives them the names of Windows."""

    def __init__(self) -> None:
        facades = _facades()

        def importing(name: str, *arguments: Any, **more: Any) -> ModuleType:
            if name.partition(".")[0] in NO_MODULES:
                raise ModuleNotFoundError(f"No module named {name!r} on Windows", name=name)
            found = facades.get(name)
            if found is not None:
                return found
            return importing_really(name, *arguments, **more)

        importing_really = builtins.__import__
        self.builtins = {**vars(builtins), "__import__": importing}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a module; none that is not of this project."""
        if fullname.partition(".")[0] not in OWN:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None:
            return spec
        return importlib.util.spec_from_file_location(
            fullname,
            spec.origin,
            loader=OwnLoader(fullname, spec.origin, self.builtins),
            submodule_search_locations=spec.submodule_search_locations,
        )


class OwnLoader(importlib.machinery.SourceFileLoader):
    """Runs a module with imports of its own."""

    def __init__(self, fullname: str, path: str, names: Mapping[str, object]) -> None:
        super().__init__(fullname, path)
        self._names = names

    def exec_module(self, module: ModuleType) -> None:
        """Run it."""
        module.__dict__["__builtins__"] = self._names
        super().exec_module(module)


# -- files -------------------------------------------------------------------------------------------------------


def _install_files() -> None:
    setattr(shutil, "_use_fd_functions", False)  # noqa: B010 - no name of its type
    os.supports_dir_fd.clear()
    for name, changed in {
        "open": _os_open,
        "mkdir": _creating("mkdir"),
        "stat": _looking("stat"),
        "lstat": _looking("lstat"),
        "unlink": _removing("unlink"),
        "remove": _removing("unlink"),
        "rmdir": _removing("rmdir"),
        "rename": functools.partial(_move, replaces=False),
        "replace": functools.partial(_move, replaces=True),
        "chmod": _chmod,
        "symlink": _refuse_link,
    }.items():
        setattr(os, name, changed)
    for module in (builtins, io):
        setattr(module, "open", _text_open)  # noqa: B010 - the types of both differ


def _spelled(path: Any) -> Any:  # Any: a path, bytes or a descriptor
    """The path of an existing file under which the disk has it: case does not count."""
    if isinstance(path, (int, bytes)):
        return path
    wanted = str(path)
    if not wanted:
        return path
    try:
        real["lstat"](wanted)
    except FileNotFoundError:
        folder, name = os.path.split(wanted)
        if not name or folder == wanted:
            return wanted
        folder = _spelled(folder) if folder else folder
        with_case = os.path.join(folder, name)  # noqa: PTH118 - pathlib calls what is replaced here
        try:
            same = [each for each in os.listdir(folder or ".") if each.casefold() == name.casefold()]  # noqa: PTH208
        except OSError:
            return with_case
        return os.path.join(folder, same[0]) if same else with_case  # noqa: PTH118
    except OSError:
        return wanted
    return wanted


def _check_name(path: Any) -> None:  # Any: as above
    if isinstance(path, (int, bytes)) or str(path).startswith(("/proc/", "/dev/")):
        return
    for part in Path(path).parts:
        if part != "/" and (FORBIDDEN.search(part) or DEVICE.fullmatch(part) or part[-1] in " ."):
            if part in {".", ".."}:
                continue
            raise OSError(errno.EINVAL, SYNTAX, str(path))


def _os_open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    _refuse_dir_fd(dir_fd)
    _check_name(path)
    # The temporary files of the standard library have no name on Linux: they are opened by their folder.
    if os.path.isdir(path) and not flags & os.O_DIRECTORY:  # noqa: PTH112 - as above
        raise PermissionError(errno.EACCES, "Permission denied", str(path))
    opened: int = real["open"](_spelled(path), flags, mode)
    return opened


def _creating(name: str) -> Callable[..., None]:
    def create(path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        _refuse_dir_fd(dir_fd)
        _check_name(path)
        real[name](_spelled(path), mode)

    return create


def _looking(name: str) -> Callable[..., os.stat_result]:
    def look(path: Any, *, dir_fd: int | None = None, **more: Any) -> os.stat_result:
        _refuse_dir_fd(dir_fd)
        found: os.stat_result = real[name](_spelled(path), **more)
        return found

    return look


def _removing(name: str) -> Callable[..., None]:
    def remove(path: Any, *, dir_fd: int | None = None) -> None:
        _refuse_dir_fd(dir_fd)
        _refuse_open(path)
        real[name](_spelled(path))

    return remove


def _move(source: Any, target: Any, *, replaces: bool) -> None:
    _check_name(target)
    for each in (source, target):
        _refuse_open(each)
    there = _spelled(target)
    if os.path.lexists(there) and there != _spelled(source):
        if not replaces:
            raise FileExistsError(errno.EEXIST, "Cannot create a file when that file already exists", there)
        if os.path.isdir(there):  # noqa: PTH112 - as above
            raise PermissionError(errno.EACCES, "Access is denied", there)
    real["replace"](_spelled(source), there)


def _refuse_open(path: Any) -> None:
    """Windows neither moves nor removes what is open or mapped, nor a folder that holds such a file."""
    seen = os.path.realpath(_spelled(path))
    if isinstance(seen, bytes):
        seen = os.fsdecode(seen)
    below = seen + os.sep
    if any(each == seen or each.startswith(below) for each in _open_paths()):
        raise PermissionError(errno.EACCES, IN_USE, seen)


def _open_paths() -> set[str]:
    found: set[str] = set()
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208 - as above
        try:
            found.add(os.readlink(f"/proc/self/fd/{number}"))  # noqa: PTH115 - as above
        except OSError:
            continue
    with real_open("/proc/self/maps", encoding="utf-8") as maps:
        found |= {line.split(maxsplit=5)[5].rstrip("\n") for line in maps if "/" in line}
    return found


def _chmod(path: Any, mode: int, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> None:
    """Windows keeps of the mode whether a file may be written."""
    _refuse_dir_fd(dir_fd)
    if not os.path.isdir(path):  # noqa: PTH112 - as above
        real["chmod"](path, 0o666 if mode & 0o200 else 0o444)


def _refuse_link(source: Any, target: Any, *_more: Any, **_named: Any) -> NoReturn:
    raise OSError(errno.EPERM, "A required privilege is not held by the client", str(target))


def _refuse_dir_fd(dir_fd: int | None) -> None:
    if dir_fd is not None:
        raise NotImplementedError("dir_fd unavailable on this platform")


def _text_open(file: Any, mode: str = "r", *arguments: Any, **more: Any) -> Any:
    """Text is cp1252 with CRLF, unless the caller names both."""
    named = dict(
        zip(("buffering", "encoding", "errors", "newline", "closefd", "opener"), arguments, strict=False)
    )
    named |= more
    if "b" not in mode:
        if named.get("encoding") in {None, "locale"}:
            named["encoding"] = "cp1252"
        if named.get("newline") is None and "r" not in mode and "+" not in mode:
            named["newline"] = "\r\n"
    if not isinstance(file, int):
        _check_name(file)
        if os.path.isdir(file) and named.get("opener") is None:  # noqa: PTH112 - as above
            raise PermissionError(errno.EACCES, "Permission denied", str(file))
        file = _spelled(file)
    return real_open(file, mode, **named)


# -- sockets, event loops, interrupts ------------------------------------------------------------------------------


def _install_sockets() -> None:
    plain = socket.socket.setsockopt

    def setsockopt(self: socket.socket, level: int, option: int, value: Any, *more: Any) -> None:
        if level == socket.SOL_SOCKET and option == EXCLUSIVE:
            return
        plain(self, level, option, value, *more)
        if level == socket.SOL_SOCKET and option == socket.SO_REUSEADDR and value:
            # Windows then lets a second socket bind the same address.
            plain(self, level, socket.SO_REUSEPORT, 1)

    setattr(socket.socket, "setsockopt", setsockopt)  # noqa: B010 - the type checkers refuse an assignment


def _install_event_loops() -> None:
    def unavailable(*_arguments: object, **_named: object) -> NoReturn:
        raise NotImplementedError

    loop = asyncio.SelectorEventLoop
    for name in (
        "add_signal_handler",
        "remove_signal_handler",
        "add_reader",
        "add_writer",
        "connect_read_pipe",
    ):
        setattr(loop, name, unavailable)
    for name in ("create_unix_connection", "create_unix_server"):
        setattr(loop, name, unavailable)


def install_interrupts() -> None:
    """Ctrl-C comes in another thread: it ends a sleep, and neither a wait for a lock nor one for a socket.

    Processes that are started later never get it.
    """
    threading.Thread(target=threading.Event().wait, name="console", daemon=True).start()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def sleep(seconds: float) -> None:
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            real_sleep(min(left, 0.01))

    setattr(time, "sleep", sleep)  # noqa: B010 - as above
