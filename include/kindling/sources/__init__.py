"""Where reviews come from: one module or folder a kind, found by its name in a recipe."""
