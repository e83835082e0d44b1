"""Services: CSMSs that we connect out to, as if we were the charger (contract §1, §3 `ocpp_services`).

plan.py         what the configuration says of a service
outstation.py   one service and one charger: what all rooms here work on
ports.py        what is needed of the outside: a link to the service, an outbox on disk
"""
