"""`python -m examples.demo`: the three patterns on real input, in under a minute."""
