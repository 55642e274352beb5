"""The bundled shop: makes catalogue folders whose truth is known, and serves them as web pages."""
