"""Run a program in this process as `python` itself would: it is `__main__`, and alone.

Theory of operation

We are called from a module that was started with `python -m`. The program must find what it
would find without us: a `__main__` of its own, which pickle and the children of
`multiprocessing` look up, its arguments in `sys.argv`, its folder in `sys.path[0]`.

A script, a piece of code and standard input are compiled and run here. Modules, folders and
zip files are found and run by the function of `runpy` that `python` calls for them itself, so
its messages are the same, too.

What the program raises goes out through us to the interpreter, which prints it and ends the
process with the right status (killed by SIGINT after a Ctrl-C, for one). Only the printing is
ours for that moment: `sys.excepthook` is led to the program's own, with a traceback that
begins in the program.
"""

import builtins
import io
import os
import sys
from collections.abc import Callable
from importlib.machinery import BuiltinImporter, SourceFileLoader, SourcelessFileLoader
from types import CodeType, ModuleType, TracebackType
from typing import Any, Literal, NamedTuple

__all__ = ["Program", "run_program"]


class Program(NamedTuple):
    """What is to be run.

    Attributes:
        kind: how `python` would be told: by a path ("-" is standard input), `-m` or `-c`.
        target: that path, module name or code.
        arguments: what the program finds in `sys.argv[1:]`.
    """

    kind: Literal["path", "module", "code"]
    target: str
    arguments: list[str]


def run_program(program: Program, prepare: Callable[[], object]) -> None:
    """Run a program as `__main__`; what it raises is printed without our frames.

    Args:
        program: what to run.
        prepare: called first, while nothing of the program can be imported.

    Raises:
        BaseException: whatever the program raised. Nobody but the interpreter may catch it.
        SystemExit: also when there is no such program; the message has been printed.
    """
    if not sys.flags.safe_path:
        del sys.path[0]  # it is where `python -m` was called, which may be full of modules
    prepare()
    _started_from.append(sys.modules["__main__"])
    main = _new_main()
    if program.kind == "module":
        _run_module(program)
    elif program.kind == "code":
        sys.argv[:] = ["-c", *program.arguments]
        _run_text(main, program.target.encode(), "<string>")
    elif program.target == "-":
        sys.argv[:] = ["-", *program.arguments]
        vars(main).update(__file__="<stdin>", __cached__=None)
        _run_text(main, sys.stdin.buffer.read(), "<stdin>")
    else:
        _run_path(main, program)


_started_from: list[ModuleType] = []
"""The `__main__` that called us: some of its code is still running."""


def _new_main() -> ModuleType:
    main = ModuleType("__main__")
    vars(main).update(__builtins__=builtins, __loader__=BuiltinImporter)
    if sys.version_info < (3, 14):
        vars(main)["__annotations__"] = {}
    sys.modules["__main__"] = main
    return main


def _run_path(main: ModuleType, program: Program) -> None:
    import pkgutil

    path = program.target
    sys.argv[:] = [path, *program.arguments]
    if pkgutil.get_importer(path) is not None:  # a folder or a zip file
        sys.path.insert(0, os.path.abspath(path))
        _run_as_main("__main__", alter_argv=False)
        return
    absolute = os.path.join(os.getcwd(), path)  # as it is, with what points up and down
    if not sys.flags.safe_path:
        sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
    loader: SourceFileLoader | SourcelessFileLoader
    if path.endswith(".pyc"):
        loader = SourcelessFileLoader("__main__", absolute)
        load = _loading(loader.get_code, "__main__")
    else:
        loader = SourceFileLoader("__main__", absolute)
        load = _loading(_compile, _read_source(absolute), absolute)
    vars(main).update(__file__=absolute, __cached__=None, __loader__=loader)
    _run(load, main)


def _read_source(path: str) -> bytes:
    try:
        with io.open_code(path) as file:
            return file.read()
    except OSError as exc:
        reason = f"[Errno {exc.errno}] {exc.strerror}"
        sys.stderr.write(f"{sys.executable}: can't open file {path!r}: {reason}\n")
        raise SystemExit(2) from None


def _run_text(main: ModuleType, source: bytes, name: str) -> None:
    if not sys.flags.safe_path:
        sys.path.insert(0, "")
    if sys.version_info >= (3, 13) and name == "<string>":  # tracebacks show its lines
        import linecache

        text = source.decode(errors="replace")
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    _run(_loading(_compile, source, name), main)


def _run_module(program: Program) -> None:
    if not sys.flags.safe_path:
        sys.path.insert(0, os.getcwd())
    sys.argv[:] = ["-m", *program.arguments]
    _run_as_main(program.target, alter_argv=True)


def _loading(load: Callable[..., Any], *args: Any) -> Callable[[], CodeType]:
    return lambda: load(*args)


def _compile(source: bytes, name: str) -> CodeType:
    code: CodeType = compile(source, name, "exec", dont_inherit=True)
    return code


# The calls of the program stand alone in these two, so that its frames come right after ours.


def _run(load: Callable[[], CodeType], main: ModuleType) -> None:
    try:
        code = load()
    except SyntaxError as exc:
        _print_from(None)
        raise exc.with_traceback(None) from None
    try:
        exec(code, vars(main))  # noqa: S102  # running a program is what we are for
    except SystemExit:
        raise
    except BaseException as exc:
        _print_from(_behind_us(exc))
        raise


def _run_as_main(name: str, alter_argv: bool) -> None:
    import runpy

    run: Any = runpy._run_module_as_main  # type: ignore[attr-defined]  # what `python` calls
    try:
        run(name, alter_argv)
    except SystemExit:
        raise
    except BaseException as exc:
        _print_from(_behind_us(exc))
        raise


def _behind_us(exc: BaseException) -> TracebackType | None:
    return None if exc.__traceback__ is None else exc.__traceback__.tb_next


def _print_from(beginning: TracebackType | None) -> None:
    """Have the next exception that reaches the interpreter printed from there on."""
    hook = sys.excepthook

    def excepthook(
        kind: type[BaseException], exc: BaseException, _whole: TracebackType | None, /
    ) -> None:
        sys.excepthook = hook
        sys.last_traceback = beginning
        hook(kind, exc.with_traceback(beginning), beginning)

    sys.excepthook = excepthook
