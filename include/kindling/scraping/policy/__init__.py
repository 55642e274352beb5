"""Where a night's page budget goes: a bandit on new rows per cost, over sources and what to do there."""
