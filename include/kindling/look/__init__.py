"""Shows what a file or a shop holds before a run is spent on it, and writes the recipe for it."""
