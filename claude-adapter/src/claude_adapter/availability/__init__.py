"""Is Claude usable, and what is known of those who wait for it?"""
