"""A catalogue from real clothing reviews and real garment photos, paired by class."""
