"""The Autobahn test suite against our WebSockets, both sides: `make test-autobahn`."""
