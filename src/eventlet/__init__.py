"""Concurrent networking with plain, blocking code: green threads on a hub.

The front door: names only, no logic. See `eventlet.greenthread`, `eventlet.greenpool`,
`eventlet.greenio` and `eventlet.green` for what is behind them.
"""
