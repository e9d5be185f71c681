"""What the simplest programs reach on this machine: every figure is told as a ratio to them."""
