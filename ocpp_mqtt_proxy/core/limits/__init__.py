"""Charging profiles and the schedule that they come to (1.6 §3.13 with its errata, 2.x K01 and K08).

profile.py      a charging profile, whatever the OCPP version it came in
line.py         what binds over time, in pieces: overlaid, and the least of several
composite.py    profiles composed to one line
rules.py        what a set of profiles takes, what replaces what, what is cleared

Pure: times are arguments. They are instants: a day of a recurring schedule is 86400 seconds from `startSchedule`, on
the days too on which the clocks are changed (K01.FR.40; local time is for those who ask for it, K01.FR.90).
"""
