"""How requests are signed: verifying what comes in, signing what goes out. Pure, over bytes."""
