"""What a cluster would give and a laptop must do itself: keys, Secrets, Services, reloading."""
