"""The receiver: takes requests in, proves who sent them, stores them, answers."""
