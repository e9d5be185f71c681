"""One lane per subscription: its memory, its decisions, its progress. Lanes share no slots."""
