"""The console: health, metrics and the admin API, on an address of their own."""
