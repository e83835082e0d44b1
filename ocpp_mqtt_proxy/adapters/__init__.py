"""One outside thing per module. They fulfil the ports, and never import each other."""
