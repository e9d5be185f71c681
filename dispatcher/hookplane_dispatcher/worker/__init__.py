"""One worker per subscription: its memory, its decisions, its progress. Workers share no slots."""
