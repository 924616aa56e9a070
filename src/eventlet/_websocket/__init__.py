"""WebSocket (RFC 6455, RFC 7692), both sides; `eventlet.websocket` is its public face."""
