"""The log replayed into others: into Parquet for those who query it, into MLflow for those who look there."""
