"""A measured program as a child process: pinned, spoken to by lines, always ended."""

import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from types import TracebackType
from typing import Self

from benchmarks.accounting import descendants
from benchmarks.places import ROOT

__all__ = ["Cores", "Program", "ProgramFailed", "choose_cores"]

LAST_WORDS_BYTES = 2000


class ProgramFailed(RuntimeError):
    """A measured program ended, was silent, or said something unexpected."""

    def __init__(self, name: str, what: str, last_words: str) -> None:
        self.name = name
        self.what = what
        self.last_words = last_words
        detail = f"; it wrote:\n{last_words}" if last_words else ""
        super().__init__(f"{name}: {what}{detail}")


class Cores:
    """Which CPU the measured program runs on, and which one the load generator."""

    def __init__(self, measured: int | None, load: int | None) -> None:
        self.measured = measured
        self.load = load


def choose_cores(allowed: Sequence[int]) -> Cores:
    """Give the measured program and the load generator a core each, where there are two."""
    if len(allowed) < 2:
        return Cores(None, None)
    return Cores(measured=allowed[-1], load=allowed[0])


class Program:
    """One running program; leaving the `with` block ends it.

    Args:
        name: what messages call it.
        command: program and arguments.
        core: the CPU it is pinned to, before it starts; `None` leaves it free.
        environ: variables to add to ours.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        core: int | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._unread = b""
        with ExitStack() as resources, _inherited_affinity(core):
            self._errors = resources.enter_context(tempfile.TemporaryFile())
            self._process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                cwd=ROOT,
                env={**os.environ, **(environ or {})},
            )
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._stdin = resources.enter_context(self._process.stdin)
            self._stdout = resources.enter_context(self._process.stdout)
            self._resources = resources.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def end(self) -> None:
        """Kill the program and its children if they still run, and release what belonged to it."""
        children = descendants(self.pid) if self._process.poll() is None else []
        self._process.kill()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._process.wait()
        self._resources.close()

    def tell(self, line: str) -> None:
        """Write one line to the program's stdin."""
        try:
            self._stdin.write(line.encode() + b"\n")
        except BrokenPipeError as exc:
            raise self._failure("ended before it was told to go on") from exc

    def interrupt(self) -> None:
        """Send the program a SIGINT."""
        self._process.send_signal(signal.SIGINT)

    def skip_to(self, word: str, timeout: float) -> list[str]:
        """Read up to the line that begins with `word`; return the words that follow.

        Args:
            word: the first word that has to come.
            timeout: how long each line may take, in seconds.

        Raises:
            ProgramFailed: the program ended or was silent before.
        """
        while True:
            words = self._read_line(timeout).split()
            if words and words[0] == word:
                return words[1:]

    def expect(self, word: str, timeout: float) -> list[str]:
        """Read one line, which must begin with `word`; return the words that follow.

        Args:
            word: the first word that has to come.
            timeout: how long the line may take, in seconds.

        Raises:
            ProgramFailed: the program ended, was silent, or said another word.
        """
        line = self._read_line(timeout)
        words = line.split()
        if not words or words[0] != word:
            raise self._failure(f"said {line!r} where {word!r} was due")
        return words[1:]

    def _read_line(self, timeout: float) -> str:
        fd = self._stdout.fileno()
        while b"\n" not in self._unread:
            if not select.select([fd], [], [], timeout)[0]:
                raise self._failure(f"was silent for {timeout:g} s")
            data = os.read(fd, 4096)
            if not data:
                raise self._failure(f"ended with status {self._process.wait()}")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def _failure(self, what: str) -> ProgramFailed:
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - LAST_WORDS_BYTES))
        return ProgramFailed(self.name, what, self._errors.read().decode(errors="replace").strip())


@contextmanager
def _inherited_affinity(core: int | None) -> Iterator[None]:
    """Start a child on `core`: a child inherits the mask its parent has at the fork."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
