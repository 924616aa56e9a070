"""Long runs of many green threads on many OS threads; `make stress` makes them."""
