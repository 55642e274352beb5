"""The whole thing on one machine without Docker: every server of it is a process.

`python -m kindling_local run|up|down|status` is what `make` calls.
"""
