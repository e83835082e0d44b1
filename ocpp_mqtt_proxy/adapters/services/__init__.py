"""The connections out to services, as a charger's (contract §3 `ocpp_services`, OCPP-J).

dial.py         connects, step by step; which version is spoken
door.py         the address, TCP, TLS and the handshake: what fails there, in words
tls.py          whom we trust and what we show
credentials.py  what goes into the Authorization header
link.py         an open connection: calls both ways
trial.py        tries a service and tells how far that comes
"""
