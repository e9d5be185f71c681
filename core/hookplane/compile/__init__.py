"""Makes config documents of kinds and secrets: pure, the same for the laptop and the operator."""
