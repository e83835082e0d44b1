"""Services: CSMSs that we connect out to, as if we were the charger (contract §1, §3 `ocpp_services`).

plan.py           what the configuration says of a service
outstation.py     one service and one charger: what all rooms here work on
roster.py         all services and all chargers; the hub's mirror
conversation.py   dial, boot, catch up, stay in touch, and again
registration.py   where we stand with a service, and what that allows
redial.py         how long to wait before the next dial
mirroring.py      what it must hear of sessions, for certain
wording.py        that in its words and by its ids; tags.py, shown.py: cards and readings as it is shown them
courier.py        brings it what waits on disk
living.py         what it is told now or never; states.py: connectors' states as it sees them
obeying/          what it asks of us
referee.py        its verdict on cards; relay.py: its answer to other calls of the charger, where that counts
views.py          how services stand, as people see it
ports.py          what is needed of the outside: a link to the service, an outbox on disk
"""
