"""The growth of a resource under load: is it a leak, how fast, of which kind, and until when?"""
