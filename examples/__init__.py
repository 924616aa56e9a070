"""Small complete programs, one pattern each; `python -m examples.<name> --help` explains each."""
