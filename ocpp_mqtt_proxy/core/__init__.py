"""The domain: chargers, readings, sessions and the rules between them.

Pure: no asyncio, no clock, no logging, no I/O, no pydantic. Time comes in as an argument; what must be
written down, told or sent goes out as a value.
"""
