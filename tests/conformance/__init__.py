"""The priority-1 cases of conformance, each a test that names it.

`cases.tsv` holds them: those of OCPP 2.0.1 Part 6 by their ids (`…_CSMS`: we are the chargers' CSMS, `…_CS`: we are
the charger of a service), and for 1.6 ours (`16_CS_…` central system, numbered as the usual kits do; `16_CP_…` charge
point). What does not apply to us stands in `left_out.py` with its reason. README's table is made of both.
"""
