"""Where the harness finds things and where it puts them."""

from pathlib import Path

__all__ = ["BUILD", "ENVIRONMENTS", "NATIVE_SOURCES", "RESULTS", "ROOT"]

ROOT = Path(__file__).resolve().parent.parent
NATIVE_SOURCES = ROOT / "benchmarks" / "native"
RESULTS = ROOT / "benchmarks" / "results"

# Both are caches that git ignores.
ENVIRONMENTS = ROOT / "benchmarks" / ".envs"
BUILD = ROOT / "benchmarks" / ".build"
