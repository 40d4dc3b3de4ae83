"""The same work by this project, by its peers, and by what the machine can do at best, in one run."""
