"""What real, neighbouring and synthetic rows are worth to a niche in its cold start, measured."""
