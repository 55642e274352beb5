"""Kindling: from a niche category without labels to a served multimodal sentiment model."""

__version__ = "0.1.0"
