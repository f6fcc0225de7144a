"""Package data; see SOURCES.md."""
