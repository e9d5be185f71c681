"""Which events a subscription wants and what it sends instead: types, CEL, CloudEvents. Pure."""
