"""How fast the proxy is, as ratios to a bare WebSocket relay in the same run (`make bench`). Measures, never judges."""
