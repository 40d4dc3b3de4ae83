"""What a script calls: Task, Logger, artifacts."""
