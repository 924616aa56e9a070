"""The measured programs, one per peer and family; each runs in its peer's environment.

They are ordinary programs of their library: nothing in them is tuned for a benchmark.
A program imports only the standard library, `benchmarks.programs.driver` and its peer.
"""
