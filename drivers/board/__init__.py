"""The sample-and-hold board on a serial port; ``SPECIFICATION.md`` defines what it speaks."""
