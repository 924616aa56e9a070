"""Show what this installation does here, and what patching changes.

The process that this command runs in is new, so it imports and patches first as it is told
to, and then looks at itself: also for modules that took an original before it was replaced.
"""

import argparse
import importlib
import json
import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from textwrap import fill
from typing import Any

import eventlet
from eventlet._cli.switches import add_switches, chosen_switches
from eventlet._patching.ledger import LEDGER
from eventlet._settings import NO_GREENDNS, SETTINGS, Setting
from eventlet.hubs import get_hub
from eventlet.patcher import already_patched, kept_originals, monkey_patch

__all__ = ["add_arguments", "examine", "main"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object, with everything"
    )
    parser.add_argument(
        "--before",
        action="append",
        default=[],
        metavar="MODULE",
        help="import this before patching, as a program does that patches late; may be repeated",
    )
    parser.add_argument("--no-patch", action="store_true", help="patch nothing")
    add_switches(parser)


def main(args: argparse.Namespace) -> int:
    """Print the report; return 1 when something in it cannot work."""
    for name in args.before:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as exc:
            if exc.name is None or not f"{name}.".startswith(f"{exc.name}."):
                raise  # the module is there; what is missing is something that it imports
            sys.stderr.write(
                f"python -m eventlet doctor: error: there is no module {exc.name!r}; name "
                f"one that {sys.executable} can import\n"
            )
            return 2
    if not args.no_patch and _can_have_a_hub():
        monkey_patch(**chosen_switches(args))
    report = examine()
    text = json.dumps(report, indent=2) if args.json else "\n".join(_lines(report))
    sys.stdout.write(f"{text}\n")
    return 1 if report["problems"] else 0


def examine() -> dict[str, Any]:
    """Look at this process: versions, hub, settings, ledger; texts, lists and mappings."""
    problems: list[str] = []
    return {
        "versions": _versions(),
        "core": _kind_of_core(),
        "hub": _hub(problems),
        "resolver": _resolver(),
        "settings": [_setting(setting, problems) for setting in SETTINGS],
        "unknown settings": _unknown_settings(),
        "patched": sorted(already_patched),
        "ledger": [
            {
                "module": _name_of(change.module),
                "name": change.name,
                "before": _short(change.before),
                "after": _short(change.after),
            }
            for change in LEDGER.changes
        ],
        "kept originals": [kept._asdict() for kept in kept_originals()],
        "problems": problems,
    }


# -- what is there ---------------------------------------------------------------------------


def _versions() -> dict[str, str | None]:
    return {
        "eventlet": eventlet.__version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "executable": sys.executable,
        "platform": platform.platform(),
        "greenlet": _version("greenlet"),
        "dnspython": _version("dnspython"),
        "httptools": _version("httptools"),
        "wsproto": _version("wsproto"),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _kind_of_core() -> str:
    spec = find_spec("eventlet._core.hub")
    origin = "" if spec is None or spec.origin is None else spec.origin
    return "pure Python" if origin.endswith((".py", ".pyc")) else "compiled"


def _hub(problems: list[str]) -> dict[str, str | None]:
    try:
        hub = get_hub()
    except Exception as exc:
        problems.append(f"no hub can run here: {exc}")
        return {"hub": None, "poller": None}
    return {"hub": _name_of(type(hub)), "poller": _name_of(type(hub.poller))}


def _can_have_a_hub() -> bool:
    """Tell whether patching, which needs a hub, can begin; `examine` says why not."""
    try:
        get_hub()
    except Exception:
        return False
    return True


def _resolver() -> str:
    if NO_GREENDNS.read():
        return f"of the operating system, on OS threads, because of {NO_GREENDNS.name}"
    found = _version("dnspython")
    if found is None:
        return "of the operating system, on OS threads, because there is no dnspython"
    return f"over green sockets, with dnspython {found}"


def _setting(setting: Setting[Any], problems: list[str]) -> dict[str, Any]:
    value = None
    try:
        value = setting.read()
    except ValueError as exc:
        problems.append(str(exc))
    return {
        "name": setting.name,
        "value": value,
        "is set": bool(os.environ.get(setting.name, "").strip()),
        "meaning": setting.meaning,
    }


def _unknown_settings() -> list[str]:
    known = {setting.name for setting in SETTINGS}
    return sorted(name for name in os.environ if name.startswith("EVENTLET_") and name not in known)


def _name_of(thing: Any) -> str:
    name = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None)
    if name is None:
        return _short(thing)
    home = getattr(thing, "__module__", None)
    return f"{home}.{name}" if home not in (None, "builtins") else str(name)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


# -- how it is shown --------------------------------------------------------------------------


def _lines(report: dict[str, Any]) -> Iterator[str]:
    yield "Versions"
    for name, found in report["versions"].items():
        yield f"  {name:12} {found or 'not installed'}"
    yield "\nCore"
    yield f"  {'core':12} {report['core']}"
    for name, found in report["hub"].items():
        yield f"  {name:12} {found or 'none'}"
    yield f"  {'names':12} {report['resolver']}"
    yield "\nSettings"
    for setting in report["settings"]:
        origin = "set" if setting["is set"] else "default"
        yield f"  {setting['name']} = {setting['value']!r} ({origin})"
        yield _wrapped(setting["meaning"])
    for name in report["unknown settings"]:
        yield f"  {name} is set, and has no meaning"
    yield "\nPatched"
    yield f"  {', '.join(report['patched']) or 'nothing'}"
    yield f"\nLedger: {len(report['ledger'])} changes"
    by_module: dict[str, list[str]] = {}
    renamed = 0
    for change in report["ledger"]:
        if change["name"] == "__module__":
            renamed += 1
        else:
            by_module.setdefault(change["module"], []).append(change["name"])
    for module, names in by_module.items():
        yield f"  {module}"
        yield _wrapped(", ".join(names))
    if renamed:
        yield _wrapped(f"{renamed} of these are named after the module they stand in now")
    kept = report["kept originals"]
    what = "1 reference that blocks" if len(kept) == 1 else f"{len(kept)} references that block"
    yield f"\nTaken before patching: {what}"
    for entry in kept:
        yield f"  {entry['module']}: {entry['name']} is {entry['original']}"
    if kept:
        yield "  Patch before these are imported."
    for problem in report["problems"]:
        yield f"\nProblem: {problem}"


def _wrapped(text: str) -> str:
    return fill(text, 96, initial_indent="    ", subsequent_indent="    ")
