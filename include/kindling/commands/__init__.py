"""What `python -m kindling` can be asked, one module a topic.

Each module holds `add(commands)`, which adds its commands to the parser. Heavy imports stand
inside the functions that act, so that `--help` needs no extra.
"""
