"""`eventlog verify`: is every byte what was written?"""
