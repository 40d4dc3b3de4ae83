"""What a store promises, tried by force: faults of every kind, and every promise checked after each."""
