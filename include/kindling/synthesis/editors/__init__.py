"""One module an editor of photos; a recipe names it by its file."""
