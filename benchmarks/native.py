"""Compile the C programs: the load generator and the echo server that is the floor."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from benchmarks.places import BUILD, NATIVE_SOURCES

__all__ = ["CompilerFailed", "build"]

FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror")


class CompilerFailed(RuntimeError):
    """A C program could not be compiled here."""

    def __init__(self, source: Path, reason: str) -> None:
        self.source = source
        self.reason = reason
        super().__init__(f"{source.name} could not be compiled: {reason}")


def build(name: str, folder: Path = BUILD) -> Path:
    """Return the program made from `native/NAME.c`; compile it when the source is new.

    Raises:
        CompilerFailed: there is no C compiler, or it refused the source.
    """
    source = NATIVE_SOURCES / f"{name}.c"
    digest = hashlib.sha256(source.read_bytes() + " ".join(FLAGS).encode()).hexdigest()
    program = folder / f"{name}-{digest[:12]}"
    if program.exists():
        return program
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise CompilerFailed(source, "no C compiler found; install one or set CC")
    folder.mkdir(parents=True, exist_ok=True)
    # Another run may compile the same source: make it aside, then put it in place at once.
    unfinished = program.with_suffix(f".{os.getpid()}")
    command = [compiler, *FLAGS, "-o", str(unfinished), str(source)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise CompilerFailed(source, finished.stderr.strip())
    unfinished.replace(program)
    return program
