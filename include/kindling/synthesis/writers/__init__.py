"""One module a writer of reviews; a recipe names it by its file."""
