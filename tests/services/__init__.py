"""Services: we are the charger to CSMSs."""
