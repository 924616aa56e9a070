"""Compare this library with its peers: `python -m benchmarks --help`."""
