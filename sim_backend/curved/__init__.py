"""Stacks of crossbars whose devices have a curved current-voltage characteristic."""
