"""Product photos: drawn ones, other shots of real ones, and visible conditions on both."""
