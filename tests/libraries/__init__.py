"""Libraries that know nothing of us, doing real work under `monkey_patch`: `make test-libraries`."""
