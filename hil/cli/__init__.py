"""The ``hil`` command."""
