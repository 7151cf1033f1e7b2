"""The live log: `runs_dashboard.asgi` serves it; `live.hub.end_streams()` ends it with the server."""
