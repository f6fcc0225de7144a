"""A TSP instrument's inside: a Lua engine, its object model, errors, status and reading buffers."""
