"""Green `concurrent`: the package of the green `concurrent.futures`."""
