"""The catalogue this project makes itself: texts from a grammar, photos drawn."""
