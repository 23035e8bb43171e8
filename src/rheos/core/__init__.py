"""Shared ground of every room: errors, methods, clips' context, the time field, keys, protocols."""
