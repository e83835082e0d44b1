"""OCPP-J, sans-I/O: frames, schemas, and one dialect per OCPP version.

Nothing here opens a socket or looks at a clock. `rpc` knows frames, `schema` what a payload must look like,
a `Dialect` what each message means to the domain.
"""
