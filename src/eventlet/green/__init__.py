"""The green standard library: modules with the names of the standard ones, which park.

Importing one never changes the real module; only `eventlet.patcher.monkey_patch` does.
"""
