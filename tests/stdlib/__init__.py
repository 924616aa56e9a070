"""The standard library's own tests, run with and without `monkey_patch`, compared test by test."""
